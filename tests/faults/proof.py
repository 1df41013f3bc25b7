"""What must hold however often processes died: asked of the store by those who would know."""

from __future__ import annotations

import time

import httpx

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.log.operations import seal_all
from serving.log.verify import verify
from serving.store.session import tenant_transaction
from tests.faults.load import Load
from tests.serving.world import Bank, problem


def stored(bank: Bank) -> dict[str, bytes]:
    """Every stored answer by its decision."""
    with tenant_transaction(bank.database, "city") as connection:
        rows = connection.execute("SELECT decision_id, answer FROM decision").fetchall()
    return {str(name): bytes(answer) for name, answer in rows}


def every_answer_is_there_once(bank: Bank, load: Load, before: dict[str, bytes]) -> None:
    """What clients hold is what the store holds, one for one; each retry gave and gives the same bytes."""
    kept = {name: answer for name, answer in stored(bank).items() if name not in before}
    assert load.wrong == []
    assert sorted(kept.values()) == sorted(load.answers.values())
    with httpx.Client(timeout=30) as http:
        assert all(load.ask(http, key) == answer for key, answer in load.answers.items())


def refusals_say_when_to_come_again(load: Load) -> None:
    for got in load.refused:
        assert got.status_code in {429, 503}, got.text
        problem(got, got.status_code)
        assert int(got.headers["retry-after"]) >= 1


def all_replays(bank: Bank) -> int:
    """`yidai replay --all`; how many."""
    found = list(replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY)))
    assert {each.status for each in found} == {ReplayStatus.SAME}
    return len(found)


def the_log_verifies(bank: Bank) -> int:
    """`yidai audit verify`, once nothing waits any more; how many leaves."""
    now = time.time_ns() // 1_000
    seal_all(bank.settings, bank.database, now)
    found = verify(bank.database, bank.authority("auditor", Permission.READ_LOG), [], lambda *_: None, now)
    assert found.findings == ()
    assert found.waiting == 0
    assert found.size == len(stored(bank))
    return int(found.size)
