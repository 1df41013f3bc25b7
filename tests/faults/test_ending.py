"""A process that is told to end answers what it took, and says in the meantime that it takes no more."""

from __future__ import annotations

import os
import signal
import threading
import time
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from serving.store.session import owner_transaction
from tests.faults.load import Api, wait_until
from tests.serving.world import Bank, application, problem

SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"

CLIENTS = 8


@pytest.fixture
def other(bank: Bank, tmp_path: Path) -> Api:
    """A process beside the others', that a test ends."""
    return Api(bank, tmp_path / "serve.log")


def stored(bank: Bank, keys: list[str]) -> set[str]:
    """Of these keys those with a decision."""
    hashes = {sha256(key.encode()).digest(): key for key in keys}
    with owner_transaction(bank.database) as owner:
        rows = owner.execute(
            "SELECT key_hash FROM decision WHERE key_hash = ANY(%s)", (list(hashes),)
        ).fetchall()
    return {hashes[bytes(key)] for (key,) in rows}


@pytest.mark.campaign
def test_what_was_taken_is_answered_and_what_was_answered_is_stored(
    bank: Bank, people: list[tuple[str, str]], other: Api
) -> None:
    other.start()
    sent: list[str] = []
    answered: set[str] = set()
    end = threading.Event()

    def ask(k: int) -> None:
        number, consent = people[k % len(people)]
        while not end.is_set():
            key = str(uuid4())
            sent.append(key)
            headers = {
                "Authorization": f"Bearer {bank.tokens['integration_engineer']}",
                "Idempotency-Key": key,
            }
            try:
                got = httpx.post(
                    f"{other.url}/v1/decisions",
                    json=application(number, consent),
                    headers=headers,
                    timeout=30,
                )
            except httpx.TransportError:  # not taken any more
                continue
            if got.status_code == 201:
                answered.add(key)

    clients = [threading.Thread(target=ask, args=(k,), daemon=True) for k in range(CLIENTS)]
    for client in clients:
        client.start()
    wait_until(lambda: len(answered) > 40)
    assert other.stop() in {0, -signal.SIGTERM}
    end.set()
    for client in clients:
        client.join(30)
    assert len(answered) > 40
    assert stored(bank, sent) == answered, (
        "none is decided that nobody was told of, none told that is not there"
    )
    assert "Traceback" not in other.log.read_text()


def test_while_it_drains_it_is_not_ready_and_answers_on(
    bank: Bank, people: list[tuple[str, str]], other: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, consent = people[0]
    other.more = {"YIDAI_DRAIN_SECONDS": "3"}
    other.start()
    process = other.process
    assert process is not None
    with httpx.Client(base_url=other.url, timeout=30) as http:
        os.kill(process.pid, signal.SIGTERM)
        began = time.monotonic()
        wait_until(lambda: http.get("/health/ready").status_code == 503, process)
        assert time.monotonic() - began < 2
        problem(http.get("/health/ready"), 503, "stopping")
        assert "\nyidai_ready 0.0" in http.get("/metrics").text
        headers = {
            "Authorization": f"Bearer {bank.tokens['integration_engineer']}",
            "Idempotency-Key": str(uuid4()),
        }
        assert (
            http.post("/v1/decisions", json=application(number, consent), headers=headers).status_code == 201
        )
        assert http.get("/health/live").status_code == 200
    assert process.wait(20) in {0, -signal.SIGTERM}


def test_another_schema_than_this_codes_is_not_ready_and_says_so(bank: Bank, api: Api) -> None:
    move = "UPDATE alembic_version SET version_num = %s WHERE version_num = %s"
    with owner_transaction(bank.database) as owner:
        (head,) = owner.execute("SELECT version_num FROM alembic_version").fetchone()
        owner.execute(move, ("9999", head))
    try:
        told = problem(httpx.get(f"{api.url}/health/ready", timeout=10), 503, "other_schema")
        assert "9999" in told["detail"]
    finally:
        with owner_transaction(bank.database) as owner:
            owner.execute(move, (head, "9999"))
    assert httpx.get(f"{api.url}/health/ready", timeout=10).status_code == 200


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="not in the slice of the long runs")
def test_several_processes_are_one_to_whoever_asks(
    bank: Bank, people: list[tuple[str, str]], other: Api
) -> None:
    number, consent = people[0]
    other.more = {"YIDAI_WORKERS": "2"}
    other.start()
    process = other.process
    assert process is not None

    def figure(name: str) -> float:
        lines = httpx.get(f"{other.url}/metrics", timeout=10).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    wait_until(lambda: figure("yidai_processes") == 2, process)
    headers = {"Authorization": f"Bearer {bank.tokens['integration_engineer']}"}
    for _ in range(12):
        headers["Idempotency-Key"] = str(uuid4())
        got = httpx.post(
            f"{other.url}/v1/decisions", json=application(number, consent), headers=headers, timeout=30
        )
        assert got.status_code == 201
    assert {figure("yidai_decisions_total") for _ in range(8)} == {12}, "whichever of them answers"
    assert figure("yidai_ready ") == 2
    assert other.stop() in {0, -signal.SIGTERM}
