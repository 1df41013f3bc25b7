"""A hundred deaths of API, worker and database under load of applications and records."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.store.engine import open_database
from tests.faults.load import Api, Load, kill_postmaster, wait_until
from tests.faults.proof import (
    all_replays,
    every_answer_is_there_once,
    refusals_say_when_to_come_again,
    stored,
    the_log_verifies,
)
from tests.faults.test_records import Senders, check
from tests.faults.test_worker import started
from tests.serving.world import Bank

VICTIMS = ("api", "database", "worker", "database", "worker")
DEATHS = 3 if os.environ.get("YIDAI_CAMPAIGN") == "slice" else 100
AWAY = 2
"""The code with which a command ends that finds no database."""
ENOUGH = 4
"""Answers and records between two deaths, at least."""


class WorkerProcess:
    """`yidai worker`, which can be killed and begins again."""

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = started(self.bank, "-m", "serving.cli", "worker")

    def kill(self) -> None:
        """End it at its work. One that began while the database was away has ended by itself, and begins again as
        whatever watches over processes would let it.
        """
        assert self.process is not None
        while (code := self.process.poll()) is not None:
            assert code == AWAY
            self.start()
            time.sleep(3)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def working(bank: Bank) -> Iterator[WorkerProcess]:
    found = WorkerProcess(bank)
    found.start()
    try:
        yield found
    finally:
        found.kill()


def kill(victim: str, bank: Bank, api: Api, worker: WorkerProcess) -> None:
    """A power cut of one, and its start."""
    if victim == "api":
        api.kill()
        api.start()
    elif victim == "worker":
        worker.kill()
        worker.start()
    else:
        kill_postmaster(bank.settings)
        open_database(bank.settings)


@pytest.mark.campaign
def test_a_hundred_deaths_under_load(bank: Bank, api: Api, load: Load) -> None:
    before, chance, deaths = stored(bank), random.Random(11), Counter[str]()
    load.pause = 0.05
    with load.running(4), Senders(bank, api, "C", pause=0.3) as senders, working(bank) as worker:
        for turn in range(DEATHS):
            answers, records = len(load.answers) + ENOUGH, len(senders.acknowledged) + ENOUGH
            wait_until(lambda a=answers, r=records: len(load.answers) >= a and len(senders.acknowledged) >= r)
            time.sleep(chance.random() * 0.8)
            victim = VICTIMS[turn % len(VICTIMS)]
            kill(victim, bank, api, worker)
            deaths[victim] += 1
    assert deaths.total() == DEATHS
    every_answer_is_there_once(bank, load, before)
    refusals_say_when_to_come_again(load)
    check(bank, senders.acknowledged, len(senders.acknowledged))
    replayed, leaves = all_replays(bank), the_log_verifies(bank)
    print(
        f"{deaths.total()} deaths ({dict(deaths)}): {len(load.answers)} decisions and {len(senders.acknowledged)} records "
        f"acknowledged, each stored once; {load.lost} connections lost, {len(load.refused)} refusals; "
        f"{replayed} replayed, {leaves} leaves verified"
    )
