"""From a consent to a stored, explained, replayable decision, over real HTTP."""

from __future__ import annotations

import pytest

from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from tests.serving.world import DISHONEST, GOOD, LATE, MIDDLE, POOR, STRANGER, YOUNG, Bank, Client


@pytest.mark.parametrize(
    ("number", "outcome", "codes"),
    [
        (GOOD, "approve", []),
        (MIDDLE, "refer", ["BUREAU_REPAYMENT", "BANK_INFLOW"]),
        (LATE, "decline", ["BUREAU_REPAYMENT"]),
        (DISHONEST, "decline", ["DISHONEST_DEBTOR"]),
        (YOUNG, "decline", ["UNDER_AGE"]),
        (STRANGER, "refer", ["TOO_FEW_SOURCES"]),
        (POOR, "decline", ["LIMIT_TOO_SMALL"]),
    ],
)  # fmt: skip
def test_each_outcome_says_why(client: Client, number: str, outcome: str, codes: list[str]) -> None:
    got = client.decide(number, client.consent_id(number))
    assert got.status_code == 201, got.text
    answer = got.json()
    assert answer["outcome"] == outcome
    assert [reason["code"] for reason in answer["reasons"]][: len(codes)] == codes
    assert all(reason["zh"] and reason["en"] for reason in answer["reasons"])
    assert len(answer["reasons"]) <= 4
    assert bool(answer["offer"]) == (outcome == "approve")


def test_all_replay(client: Client, bank: Bank) -> None:
    authority = bank.authority("auditor", Permission.REPLAY)
    client.decide(GOOD, client.consent_id(GOOD))
    found = list(replay(bank.settings, bank.database, authority))
    assert found
    assert [(r.status, r.differences) for r in found if r.status is not ReplayStatus.SAME] == []
