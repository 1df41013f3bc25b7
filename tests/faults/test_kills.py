"""Processes are killed under load: nothing acknowledged is lost, nothing is doubled, every retry gets its bytes."""

from __future__ import annotations

import os
import time

import httpx
import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.store.engine import open_database
from serving.store.session import tenant_transaction
from tests.faults.load import Api, Load, kill_postmaster, wait_until
from tests.serving.world import Bank, problem

SLICE = os.environ.get("YIDAI_CAMPAIGN") == "slice"
ROUNDS = 10
MANY = 20
"""Answers between two deaths, at least."""


def stored(bank: Bank) -> dict[str, bytes]:
    """Every stored answer by its decision."""
    with tenant_transaction(bank.database, "city") as connection:
        rows = connection.execute("SELECT decision_id, answer FROM decision").fetchall()
    return {str(name): bytes(answer) for name, answer in rows}


def check(bank: Bank, load: Load, before: dict[str, bytes]) -> None:
    """What the clients hold is what the store holds, one for one; and all of it replays."""
    kept = {name: answer for name, answer in stored(bank).items() if name not in before}
    assert load.wrong == []
    assert len(load.answers) > 3 * MANY
    assert sorted(kept.values()) == sorted(load.answers.values())
    with httpx.Client(timeout=30) as http:
        assert all(load.ask(http, key) == answer for key, answer in load.answers.items())
    for got in load.refused:
        problem(got, 503)
        assert got.headers["retry-after"] == "1"
    found = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY))
    assert {each.status for each in found} == {ReplayStatus.SAME}


def work(load: Load, answers: int, seconds: float) -> None:
    """Let so many more be answered, and then a while."""
    least = len(load.answers) + answers
    wait_until(lambda: len(load.answers) >= least)
    time.sleep(seconds)


def kill_api(api: Api, load: Load, seconds: float = 0.1) -> None:
    """A power cut of the API process."""
    work(load, MANY, seconds)
    api.kill()
    api.start()


def kill_database(bank: Bank, load: Load, seconds: float = 0.1) -> None:
    """A crash of the database, told as such until it is there again."""
    work(load, MANY, seconds)
    refused = len(load.refused)
    kill_postmaster(bank.settings)
    wait_until(lambda: len(load.refused) > refused)
    open_database(bank.settings)
    work(load, MANY, 0)


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="the slice kills in test_campaign")
def test_one_death_of_each(bank: Bank, api: Api, load: Load) -> None:
    before = stored(bank)
    with load.running(4):
        kill_api(api, load)
        kill_database(bank, load)
    assert load.lost > 0
    assert load.refused
    check(bank, load, before)


@pytest.mark.campaign
@pytest.mark.skipif(SLICE, reason="the slice kills in test_campaign")
def test_many_deaths_in_turn(bank: Bank, api: Api, load: Load) -> None:
    before = stored(bank)
    with load.running(8):
        for turn in range(ROUNDS):
            kill_api(api, load, turn % 5 * 0.3)
            kill_database(bank, load, turn % 3 * 0.4)
    check(bank, load, before)
    print(f"{ROUNDS} deaths of each: {len(load.answers)} acknowledged, none lost, none doubled")
