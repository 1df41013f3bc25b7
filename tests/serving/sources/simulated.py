"""Sources on real sockets that behave as sources do: well, slowly, badly, not at all."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

STRANGE = "33010619850612999X"
ROWS: dict[str, list[dict[str, Any]]] = {
    "good": [{"case_id": "LIVE", "filed_on": "2024-11-01", "closed_on": "", "amount": "90000", "kind": "dishonest"}],
    "stranger": [{"id_number": STRANGE, "month": "2024-11"}],
    "broken": [{"month": "the day before"}],
    "none": [],
}  # fmt: skip


@dataclass
class Sources:
    """A server of many sources: the path says how it behaves, unless ``now`` says otherwise. ``asked`` are the bodies."""

    port: int = 0
    now: dict[str, str] = field(default_factory=dict)
    asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)

    @property
    def calls(self) -> Counter[str]:
        """How often each source was asked."""
        return Counter({name: len(bodies) for name, bodies in self.asked.items()})

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.once(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.lower().split("\r\n")
        size = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
        name = head.split(" ", 2)[1].strip("/")
        self.headers.append(head)
        self.asked.setdefault(name, []).append(json.loads(await reader.readexactly(size)))
        return await self.behave(self.now.get(name, name), writer)

    async def behave(self, how: str, writer: asyncio.StreamWriter) -> bool:
        if how == "reset":
            writer.transport.abort()
            return False
        if how == "hang":
            await asyncio.sleep(30)
        if how == "slow":  # a byte now and then: every single read is in time
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.1)
        body, status, more = b'{"records": []}', 200, ""
        if how == "500":
            status = 500
        elif how == "garbage":
            body = b"\xff<html>not today</html>"
        elif how == "huge":
            body = b'{"records": [' + b" " * 5_000_000 + b"]}"
        elif how == "compressed":
            more = "Content-Encoding: gzip\r\n"
        elif how == "moved":
            status, more = 302, "Location: /good\r\n"
        elif how in ROWS:
            body = json.dumps({"records": ROWS[how]}).encode()
        else:
            body = json.dumps({"result": how}).encode()
        length = len(body) + (50 if how == "cut" else 0)
        writer.write(f"HTTP/1.1 {status} X\r\n{more}Content-Length: {length}\r\n\r\n".encode() + body)
        await writer.drain()
        return how != "cut"


@contextmanager
def simulated() -> Iterator[Sources]:
    """The server, in a thread of its own."""
    found, ready, ends = Sources(), threading.Event(), []

    async def serve() -> None:
        end = asyncio.Event()
        ends.append((asyncio.get_running_loop(), end))
        server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
        found.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield found
    for loop, end in ends:
        loop.call_soon_threadsafe(end.set)
    thread.join(10)


def declared(folder: Path, sources: Sources, *specs: dict[str, Any], **more: Any) -> Path:
    """A declaration of sources of this server; each spec names its ``source`` and what it gives."""
    entries = [
        {"url": f"http://127.0.0.1:{sources.port}/{each['source']}", "budget_ms": 600, **each}
        for each in specs
    ]
    file = folder / "sources.yaml"
    file.write_bytes(msgspec.json.encode({"schema": 1, "sources": entries, **more}))  # YAML holds all of JSON
    return file
