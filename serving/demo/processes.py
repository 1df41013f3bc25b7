"""The demo's other processes, and how it speaks to them: real servers, real HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from features.errors import Unavailable


class NotStarted(Unavailable):
    """A process of the demo that ended, or did not answer in time."""

    def __init__(self, name: str, log: Path) -> None:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
        last = lines[-1] if lines else "it said nothing"
        super().__init__(
            f"{name} did not start: {last}", place=str(log), remedy="Read that log, then run again."
        )


class Refused(Unavailable):
    """An answer that the demo did not expect."""

    def __init__(self, what: str, status: int, detail: str) -> None:
        super().__init__(f"{what} was answered {status}: {detail}")


@dataclass(frozen=True, slots=True)
class Api:
    """A caller of the decision API with its token."""

    url: str
    token: str

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """The decoded answer.

        Raises:
            Refused: any status from 400 on.
        """
        sent = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        payload = None if body is None else msgspec.json.encode(body)
        status, data = fetch(self.url, method, path, payload, sent)
        if status >= 400:
            raise Refused(f"{method} {path}", status, data.decode(errors="replace"))
        return msgspec.json.decode(data)


def fetch(
    url: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(url: str, path: str) -> bool:
    """Whether somebody answers 200 there."""
    try:
        return fetch(url, "GET", path)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def free_port(wanted: int) -> int:
    """The wanted port of this machine, or another where it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("this machine has no free port.")


@contextmanager
def running(command: str, environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``yidai <command>`` in a process of its own, stopped at the end."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and command
            [sys.executable, "-m", "serving.cli", command], env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process with all that it started."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            continue
        return


def wait_until(url: str, path: str, process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    """Return when the process answers.

    Raises:
        NotStarted: it ended, or three minutes passed.
    """
    deadline = time.monotonic() + 180
    while not answers(url, path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotStarted(name, log)
        time.sleep(0.2)
