"""A worker is killed before each step of sealing and of hydration: who comes after does all that was left, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import httpx
import pytest

from serving.store.session import owner_transaction
from serving.work import repository
from serving.work.model import JobState
from tests.faults.load import Api
from tests.faults.proof import all_replays, the_log_verifies
from tests.faults.steps import COUNTED
from tests.faults.test_worker import acknowledged, started
from tests.serving.world import GOOD, Bank, Client

STEPS = f"""{COUNTED}
kind = sys.argv[2]
worker = work(JobKind(kind, getattr(kinds, kind)))
counted(psycopg.Cursor, "execute", "executemany", "copy")
counted(psycopg.Connection, "commit")
counted(PoolConnectionProxy, "execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table")
counted(os, "replace", "rename")
list(worker.drain())
"""
SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"


def asked(bank: Bank, kind: str, number: int) -> None:
    with owner_transaction(bank.database) as connection:
        repository.enqueue(connection, kind, f"steps-{number}", time.time_ns() // 1_000)


def nothing_left(bank: Bank, kind: str) -> bool:
    with owner_transaction(bank.database) as owner:
        left = repository.jobs(owner, (JobState.WAITING, JobState.DEAD), 1_000)
    return [job for job in left if job.kind == kind] == []


def killed_at_every(bank: Bank, kind: str, apart: int, before_each: Callable[[int], None]) -> int:
    """Kill before step 1, 1 + apart ... until a process outlives its steps; how many died."""
    step, code, deaths = 1, -signal.SIGKILL, 0
    while code:
        before_each(step)
        asked(bank, kind, step)
        code = started(bank, "-c", STEPS, str(step), kind).wait(60)
        assert code in {0, -signal.SIGKILL}
        deaths += code != 0
        assert started(bank, "-c", STEPS, "0", kind).wait(60) == 0
        assert nothing_left(bank, kind)
        step += apart
    print(f"{kind}: {deaths} kills, each before another of {step - apart} steps")
    return deaths


@pytest.mark.campaign
def test_a_worker_is_killed_before_each_step_of_sealing(bank: Bank, api: Api, people) -> None:
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)

        def decide(step: int) -> None:
            assert client.decide(*people[step % len(people)]).status_code == 201

        assert killed_at_every(bank, "seal", 24 if SLICE else 1, decide) > 1
    the_log_verifies(bank)


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="not in the slice of the long runs")
def test_a_worker_is_killed_before_each_step_of_hydration(bank: Bank, api: Api, people) -> None:
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        consent = dict(people)[GOOD]

        def flush_one(step: int) -> None:
            """Another state of the lake, which hydration follows."""
            acknowledged(bank, api, f"H{step}")
            asked(bank, "flush", step)
            assert started(bank, "-c", STEPS, "flush", "0").wait(60) == 0

        assert killed_at_every(bank, "hydrate", 2, flush_one) > 1
        got = client.decide(GOOD, consent)
        assert got.status_code == 201, got.text
    all_replays(bank)
