"""Open-loop load over HTTP/1.1: requests leave at moments fixed beforehand, however slow the answers are.

A closed loop asks again only when it was answered, so that a server that stalls is asked less just then
("coordinated omission"). Here the arrivals are a Poisson process, and the latency of a request runs from the moment at
which it was due, waiting for a free connection included. A process of its own, so that its CPU is counted apart:

    python -m benchmarks.load PLAN.json     prints one line of JSON
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast
from uuid import uuid4

import msgspec
import numpy as np
import uvloop
from numpy.typing import NDArray

_END = b"\r\n\r\n"


class Plan(msgspec.Struct, frozen=True):
    """What to send. Without a ``rate`` (requests a second) every connection asks again when it was answered."""

    port: int
    path: str
    bodies: list[str]
    headers: dict[str, str]
    seconds: float
    connections: int
    rate: float | None = None
    keyed: bool = True
    seed: int = 1
    method: str = "POST"


class Load(msgspec.Struct, frozen=True):
    """What came of it. Latencies in ms from the due moment of those that were answered well; CPU in seconds.
    ``began`` is when, by the clock (s since 1970).
    """

    offered: int
    statuses: dict[str, int]
    seconds: float
    cpu: float
    latencies: list[float]
    late: float
    began: float = 0.0

    @property
    def answered(self) -> int:
        """Requests that were answered well."""
        return len(self.latencies)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.answered / self.seconds

    def quantile(self, share: float) -> float:
        """Latency in ms."""
        return float(np.quantile(self.latencies, share)) if self.latencies else float("nan")


class _Connection(asyncio.Protocol):
    """One kept connection with at most one request on its way."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._data = bytearray()
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class

    def send(self, due: float, request: bytes) -> None:
        assert self._transport is not None
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(_END)
        if head < 0:
            return
        lines = bytes(self._data[:head]).lower()
        at = lines.find(b"content-length:")
        length = int(lines[at + 15 : at + 28].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._data) < head + len(_END) + length:
            return
        status = lines[9:12].decode()
        del self._data[: head + len(_END) + length]
        self._run.answered(self, self._due, status)

    def connection_lost(self, _: Exception | None) -> None:
        self._run.lost()


class _Run:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._free: deque[_Connection] = deque()
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._requests = _requests(plan)
        self._open = self._sent = 0
        self._until = float("inf")
        self._offered = False
        self._quiet = asyncio.Event()
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.late: list[float] = []

    async def run(self) -> Load:
        plan, loop = self._plan, asyncio.get_running_loop()
        made = [await loop.create_connection(lambda: _Connection(self), "127.0.0.1", plan.port)
                for _ in range(plan.connections)]  # fmt: skip
        self._free.extend(protocol for _, protocol in made)
        cpu, began, clock = time.process_time(), time.perf_counter(), time.time()
        self._until = began + plan.seconds
        if plan.rate is None:
            while self._free:
                self._send(time.perf_counter())
        else:
            await self._offer(began, plan.rate)
            self._offered = True
            if not self._open:
                self._quiet.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), plan.seconds + 30 if plan.rate is None else 30)
        spent = min(time.perf_counter() - began, plan.seconds) if plan.rate is None else plan.seconds
        for transport, _ in made:
            transport.close()
        late = float(np.quantile(self.late, 0.99)) * 1e3 if self.late else 0.0
        return Load(self._sent + len(self._waiting), dict(self.statuses), spent, time.process_time() - cpu,
                    self.latencies, late, clock)  # fmt: skip

    async def _offer(self, began: float, rate: float) -> None:
        for due in (began + arrivals(self._plan.seed, rate, self._plan.seconds)).tolist():
            if due > self._until:
                return
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            self.late.append(time.perf_counter() - due)
            self._send(due)

    def _send(self, due: float) -> None:
        request = next(self._requests)
        if not self._free:
            self._waiting.append((due, request))
            return
        self._open += 1
        self._sent += 1
        self._free.popleft().send(due, request)

    def answered(self, connection: _Connection, due: float, status: str) -> None:
        now = time.perf_counter()
        self._open -= 1
        self.statuses[status] += 1
        if status.startswith("2"):
            self.latencies.append((now - due) * 1e3)
        self._free.append(connection)
        if self._waiting:
            self._open += 1
            self._sent += 1
            self._free.popleft().send(*self._waiting.popleft())
        elif self._plan.rate is None and now < self._until:
            self._send(now)
        elif not self._open and (self._offered or now >= self._until):
            self._quiet.set()

    def lost(self) -> None:
        self.statuses["lost"] += time.perf_counter() < self._until


def arrivals(seed: int, rate: float, seconds: float) -> NDArray[np.float64]:
    """When requests are due, in seconds from the beginning; the last of them may be later than the end."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, int(rate * seconds * 1.2))
    return np.cumsum(gaps)


def _requests(plan: Plan) -> Iterator[bytes]:
    fixed = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    heads = [
        (f"{plan.method} {plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fixed}Content-Length: {len(body.encode())}\r\n".encode(),
         b"\r\n" + body.encode())
        for body in plan.bodies
    ]  # fmt: skip
    while True:
        for head, body in heads:
            yield head + (b"Idempotency-Key: %s\r\n" % uuid4().hex.encode() if plan.keyed else b"") + body


def loaded(plan: Plan, scratch: Path) -> Load:
    """Run a plan in a process of its own."""
    file = scratch / "plan.json"
    file.write_bytes(msgspec.json.encode(plan))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", str(file)], check=True, stdout=subprocess.PIPE
    )
    return msgspec.json.decode(done.stdout, type=Load)


def main() -> None:
    """Run the plan of the file."""
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    print(msgspec.json.encode(uvloop.run(_Run(plan).run())).decode())


if __name__ == "__main__":
    main()
