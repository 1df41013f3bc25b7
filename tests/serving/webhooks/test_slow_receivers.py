"""A receiver that is slow holds up nobody but itself."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.store.session import owner_transaction
from serving.webhooks import calling
from serving.webhooks.delivering import Told
from tests.serving.webhooks.conftest import register
from tests.serving.webhooks.receiving import Receiver
from tests.serving.world import Bank, Client

DEADLINE = 0.6


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that a test can wait for."""
    monkeypatch.setattr(calling, "SECONDS", DEADLINE)


@contextmanager
def dripping() -> Iterator[tuple[str, list[float]]]:
    """A receiver that sends a line of a header each tenth of a second and never an end; and when it was called."""
    listener, called, over = socket.create_server(("127.0.0.1", 0)), [], threading.Event()

    def drip(caller: socket.socket) -> None:
        with caller:
            try:
                caller.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.1):
                    caller.sendall(b"X-Still: here\r\n")
            except OSError:
                pass

    def listen() -> None:
        while not over.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            called.append(time.monotonic())
            threading.Thread(target=drip, args=(caller,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/slow", called
    finally:
        over.set()
        listener.close()


@pytest.fixture
def slow() -> Iterator[tuple[str, list[float]]]:
    with dripping() as found:
        yield found


def fill(client: Client, url: str, many: int) -> None:
    """An endpoint with so many things to be told."""
    got = client.ask("POST", "/v1/webhooks", json={"url": url, "kinds": ["alert.raised"]})
    assert got.status_code == 201, got.text
    for _ in range(many):
        client.ask("POST", f"/v1/webhooks/{got.json()['endpoint_id']}/test")


def test_a_receiver_that_drips_is_left_after_the_deadline_and_others_are_told_meanwhile(
    client: Client, receiver: Receiver, turn, slow: tuple[str, list[float]]
) -> None:
    url, called = slow
    fill(client, url, 20)
    fill(client, receiver.url + "/own", 20)
    fill(client.as_("stranger"), receiver.url + "/theirs", 3)
    began = time.monotonic()
    assert turn() == Told(delivered=23, failed=1)
    assert time.monotonic() - began < 10 * DEADLINE, "no line of its answer lengthens the call"
    assert len(called) == 1, "who does not answer is not asked again at once"


def test_an_endpoint_that_does_not_answer_is_left_alone_and_each_time_longer(
    client: Client, turn, receiver: Receiver, slow: tuple[str, list[float]]
) -> None:
    url, called = slow
    fill(client, url, 3)
    assert turn() == Told(failed=1)
    assert turn(1) == Told(), "what waits behind it waits too"
    assert turn(5) == Told(failed=1)
    assert turn(6) == Told(), "the second time it rests for more than 7 seconds"
    assert len(called) == 2
    (hook,) = client.ask("GET", "/v1/webhooks").json()
    told = client.ask("GET", f"/v1/webhooks/{hook['endpoint_id']}/deliveries").json()
    assert sorted(each["attempts"] for each in told) == [0, 0, 2]
    assert "within" in next(each["error"] for each in told if each["attempts"])


def test_no_transaction_is_open_while_somebody_is_called(
    client: Client, bank: Bank, receiver: Receiver, turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "SECONDS", 10.0)
    hook = register(client, receiver)
    client.ask("POST", f"/v1/webhooks/{hook['endpoint_id']}/test")
    receiver.held.clear()
    told: list[Told] = []
    worker = threading.Thread(target=lambda: told.append(turn()))
    worker.start()
    while not receiver.came:
        time.sleep(0.02)
    with owner_transaction(bank.database) as owner:
        found = owner.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        ).fetchall()
    assert found == []
    assert client.ask("DELETE", f"/v1/webhooks/{hook['endpoint_id']}").status_code == 204, "nothing is locked"
    receiver.held.set()
    worker.join(10)
    assert told == [Told(delivered=1)]
