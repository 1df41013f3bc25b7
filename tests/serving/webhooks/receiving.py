"""A receiver of webhooks that notes what it was told, and answers as it is bidden."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs" / "webhooks.md"


@dataclass
class Receiver:
    """What came, in order: headers in small letters, and the body."""

    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    held: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Until the test is over; while ``held`` is not set, nothing is answered."""
    receiver = Receiver()
    receiver.held.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.held.wait(30)
            self.send_response(receiver.status)
            if receiver.status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # else connections that come at once are put off for seconds

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/told"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.held.set()
        server.shutdown()
        server.server_close()


def documented_check() -> Callable[[str, dict[str, str], bytes, float], str]:
    """The check that the page gives to receivers."""
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    assert len(code[1].strip().splitlines()) <= 20
    scope: dict = {}
    exec(code[1], scope)
    return scope["check"]
