"""An API process that can be killed, and clients that never give up on an application."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx

from features.calendar import iso
from serving.settings import Settings
from tests.serving.world import Bank, application

SERVE = "from serving.serve import run; from serving.settings import Settings; run(Settings.load())"


@dataclass
class Api:
    """`serving.serve.run` in a process of its own, on a port that it keeps over its deaths."""

    bank: Bank
    log: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it could decide."""
        self.port = self.port or free_port()
        settings = self.bank.settings
        environment = {name: value for name, value in os.environ.items() if not name.startswith("YIDAI_")} | {
            "YIDAI_HOME": str(settings.home), "YIDAI_DATABASE_NAME": settings.database_name,
            "YIDAI_PORT": str(self.port), "YIDAI_AS_OF": iso(settings.as_of or 0), "YIDAI_TENANT": settings.tenant,
        } | self.more  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE], env=environment, stdout=log, stderr=log
            )
        wait_until(lambda: httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200, self.process)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(met, process: subprocess.Popen[bytes] | None = None, seconds: float = 60) -> None:
    """Ask until it is so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process is None or process.poll() is None, "the process ended"
        try:
            if met():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def kill_postmaster(settings: Settings) -> None:
    """Kill the bank's own database server."""
    pid = int((settings.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)


@dataclass
class Load:
    """Clients that each send one application after another, and each until it is answered."""

    url: str
    token: str
    people: list[tuple[str, str]]
    pause: float = 0.0
    answers: dict[str, bytes] = field(default_factory=dict)
    bodies: dict[str, dict] = field(default_factory=dict)
    refused: list[httpx.Response] = field(default_factory=list)
    lost: int = 0
    wrong: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _given_up: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        """So many clients at once; at the end each has its last answer."""
        threads = [threading.Thread(target=self._client, args=(k,), daemon=True) for k in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        except BaseException:
            self._given_up.set()
            raise
        finally:
            self._end.set()
            for thread in threads:
                thread.join(60)
        assert not any(thread.is_alive() for thread in threads), "a client was never answered"

    def ask(self, http: httpx.Client, key: str) -> bytes:
        """Send the application of a key until it is answered."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        while not self._given_up.is_set():
            try:
                got = http.post(f"{self.url}/v1/decisions", json=self.bodies[key], headers=headers)
            except httpx.TransportError:
                self.lost += 1
                time.sleep(0.02)
                continue
            if got.status_code in {200, 201}:
                return got.content
            self.refused.append(got)
            time.sleep(0.02)
        raise AssertionError("the test has ended")

    def _client(self, k: int) -> None:
        with httpx.Client(timeout=30) as http:
            while not self._end.is_set():
                time.sleep(self.pause)
                number, consent = self.people[k % len(self.people)]
                key = str(uuid4())
                self.bodies[key] = application(number, consent)
                self.answers[key] = self.ask(http, key)
                if self.ask(http, key) != self.answers[key]:
                    self.wrong.append(key)
