"""A worker is killed before every step that it takes: each job has its effect once, and no record is lost or doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import httpx
import pytest

from features.calendar import iso
from serving.store.session import owner_transaction
from serving.work import repository
from serving.work.model import JobState
from tests.faults.load import Api, wait_until
from tests.faults.steps import COUNTED
from tests.faults.test_records import check
from tests.serving.records.sending import case
from tests.serving.world import GOOD, Bank

STEPS = f"""{COUNTED}
def effect(work):
    work.connection.execute("INSERT INTO effect VALUES (%s)", (work.payload["number"],))
    return {{}}

worker = work(JobKind("effect", effect), JobKind("flush", kinds.flush))
counted(psycopg.Connection, "execute", "commit")
counted(os, "replace", "rename")
list(worker.drain())
"""
"""Every statement, commit and rename is a step; the process dies before the one with the given number."""
SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"


def started(bank: Bank, *words: str, **more: str) -> subprocess.Popen[bytes]:
    """A process on the bank's store."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("YIDAI_")} | {
        "YIDAI_HOME": str(bank.settings.home), "YIDAI_DATABASE_NAME": bank.settings.database_name,
        "YIDAI_AS_OF": iso(bank.settings.as_of or 0), "YIDAI_TENANT": bank.settings.tenant, **more,
    }  # fmt: skip
    return subprocess.Popen([sys.executable, *words], env=environment)


def acknowledged(bank: Bank, api: Api, name: str) -> tuple[str, str]:
    """A record that the API took."""
    headers = {"Authorization": f"Bearer {bank.tokens['integration_engineer']}"}
    body = json.dumps(case(GOOD, name, kind="civil"))
    got = httpx.post(f"{api.url}/v1/records/court_case", content=body, headers=headers, timeout=30)
    assert got.json()["accepted"] == 1, got.text
    return GOOD, name


def asked(bank: Bank, number: int) -> None:
    """One job of each kind."""
    now = time.time_ns() // 1_000
    with owner_transaction(bank.database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS effect (number bigint)")
        repository.enqueue(connection, "effect", f"{number}", now, number=number)
        repository.enqueue(connection, "flush", f"asked-{number}", now)


def killed_at_every(bank: Bank, api: Api, name: str, apart: int) -> None:
    """Kill before step 1, 1 + apart ... until a process outlives its steps."""
    sent, step, code = [], 1, -signal.SIGKILL
    base = {"S": 0, "M": 10_000}[name]
    while code:
        sent.append(acknowledged(bank, api, f"{name}{step}"))
        asked(bank, base + step)
        code = started(bank, "-c", STEPS, str(step)).wait(60)
        assert code in {0, -signal.SIGKILL}
        assert started(bank, "-c", STEPS, "0").wait(60) == 0, "who comes after does all that was left"
        step += apart
    with owner_transaction(bank.database) as owner:
        found = owner.execute(
            "SELECT number FROM effect WHERE number >= %s ORDER BY number", (base,)
        ).fetchall()
        left = repository.jobs(owner, (JobState.WAITING, JobState.DEAD), 100)
    assert [row[0] for row in found] == list(range(base + 1, base + step, apart))
    ours = [job for job in left if job.kind in {"effect", "flush"}]  # other workers may have left more
    assert ours == []
    assert len(sent) > 3
    check(bank, sent, len(sent))
    print(f"{len(sent) - 1} kills, each before another of {step - apart} steps")


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="not in the slice of the long runs")
def test_a_worker_that_is_killed_leaves_its_jobs_to_the_next(bank: Bank, api: Api) -> None:
    killed_at_every(bank, api, "S", 14)


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="not in the slice of the long runs")
def test_a_worker_is_killed_before_each_of_its_steps(bank: Bank, api: Api) -> None:
    killed_at_every(bank, api, "M", 1)


def test_the_command_ends_in_order_when_it_is_asked_to(bank: Bank, api: Api) -> None:
    sent = acknowledged(bank, api, "T1")
    one = started(bank, "-m", "serving.cli", "worker")

    def flushed() -> bool:
        with owner_transaction(bank.database) as owner:
            return owner.execute("SELECT count(*) FROM record_tail").fetchone() == (0,)

    wait_until(flushed, one)
    one.terminate()
    assert one.wait(30) == 0
    check(bank, [sent], 1)
