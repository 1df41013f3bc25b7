"""The API, a flush and a compaction are killed while records come: what was acknowledged is there once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Self

import httpx
import pytest

from features.calendar import iso
from features.canonical import code_of
from features.timeline.lake import Lake
from serving.records import operations
from serving.records.tail import CommandTail
from serving.store.session import owner_transaction
from tests.faults.load import Api, wait_until
from tests.serving.feeding import subject_of
from tests.serving.records.sending import case
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, Bank

PEOPLE = (GOOD, LATE, MIDDLE)
READY = """
from features.contracts.load import BUILTIN, load_contracts
from features.timeline.compaction import compact
from features.timeline.lake import Lake
from serving.records.flush import flush
from serving.settings import Settings
from serving.store.engine import open_database
settings = Settings.load()
database, lake, contracts = open_database(settings), Lake(settings.lake_root), load_contracts([BUILTIN])
print("ready", flush=True)
"""
FLUSH = READY + "flush(database, lake, contracts)"
COMPACT = READY + "list(compact(lake, contracts, 0))"
ROUNDS = 15
SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"


def process(bank: Bank, code: str) -> subprocess.Popen[bytes]:
    """A command in a process of its own."""
    environment = {n: v for n, v in os.environ.items() if not n.startswith("YIDAI_")} | {
        "YIDAI_HOME": str(bank.settings.home), "YIDAI_DATABASE_NAME": bank.settings.database_name,
        "YIDAI_AS_OF": iso(bank.settings.as_of or 0), "YIDAI_TENANT": bank.settings.tenant,
    }  # fmt: skip
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip


class Senders:
    """Clients that each send calls of records, and each call until it is answered."""

    def __init__(self, bank: Bank, api: Api, name: str, pause: float = 0.0) -> None:
        self.bank, self.api, self.name, self.pause = bank, api, name, pause
        self.acknowledged: list[tuple[str, str]] = []
        self.end = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(k,), daemon=True) for k in range(3)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end.set()
        for thread in self.threads:
            thread.join(60)

    def run(self, k: int) -> None:
        turn, number = 0, PEOPLE[k]
        headers = {"Authorization": f"Bearer {self.bank.tokens['integration_engineer']}"}
        while not self.end.is_set():
            time.sleep(self.pause)
            names = [f"{self.name}-{k}-{turn}-{j}" for j in range(5)]
            body = "\n".join(json.dumps(case(number, name, kind="civil")) for name in names)
            while True:
                try:
                    got = httpx.post(
                        f"{self.api.url}/v1/records/court_case", content=body, headers=headers, timeout=30
                    )
                except httpx.TransportError:
                    time.sleep(0.05)
                    continue
                if got.status_code == 200 and got.json()["quarantined"] == 0:
                    break
                time.sleep(0.05)
            self.acknowledged += [(number, name) for name in names]
            turn += 1


def check(bank: Bank, acknowledged: list[tuple[str, str]], prefix_count: int) -> None:
    """Everything acknowledged is stored once, in the tail or in the lake, before and after both are put in order."""
    subjects = {number: subject_of(bank, number) for number in PEOPLE}
    wanted = {(subjects[number], code_of(name)) for number, name in acknowledged}
    for turn in range(2):
        with owner_transaction(bank.database) as owner:
            lake = Lake(bank.settings.lake_root, CommandTail(owner))
            raw = lake.raw(PLAN.contracts["court_case"], list(subjects.values()))
        stored = Counter(zip(raw.subject.tolist(), raw.columns["case_id"].tolist(), strict=True))
        assert len(wanted) == prefix_count
        assert {key: stored[key] for key in wanted if stored[key] != 1} == {}
        assert len(set(raw.version.tolist())) >= len(wanted)
        if turn == 0:
            list(operations.compact(bank.settings, bank.database))
    with owner_transaction(bank.database) as owner:
        assert owner.execute("SELECT count(*) FROM record_tail").fetchone() == (0,)


def kill_at_work(one: subprocess.Popen[bytes], seconds: float) -> None:
    """Kill a command a moment after it has begun its work."""
    assert one.stdout is not None
    assert one.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    one.send_signal(signal.SIGKILL)
    one.wait(10)
    one.stdout.close()


def storm(bank: Bank, api: Api, name: str, rounds: int, *, kill_api: bool) -> None:
    """Kill one after the other at moments that nobody chose."""
    chance, cut = random.Random(7), 0
    with Senders(bank, api, name) as senders:
        wait_until(lambda: len(senders.acknowledged) > 20)
        for turn in range(rounds):
            for code in (FLUSH, COMPACT):
                kill_at_work(process(bank, code), chance.random() * 0.06)
                lake = Lake(bank.settings.lake_root)
                cut += lake.flushing() > lake.flushed()
            if kill_api and turn % 2 == 0:
                api.kill()
                api.start()
        least = len(senders.acknowledged) + 15
        wait_until(lambda: len(senders.acknowledged) >= least)
    assert not any(thread.is_alive() for thread in senders.threads)
    check(bank, senders.acknowledged, len(senders.acknowledged))
    print(
        f"{len(senders.acknowledged)} records acknowledged, each stored once; {cut} of {2 * rounds} kills cut a flush in two"
    )


def test_a_killed_flush_and_compaction_lose_and_double_nothing(bank: Bank, api: Api) -> None:
    storm(bank, api, "S", 1, kill_api=False)


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="the slice kills in test_campaign, with records too")
def test_many_kills(bank: Bank, api: Api) -> None:
    storm(bank, api, "M", ROUNDS, kill_api=True)
