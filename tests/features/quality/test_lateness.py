"""A source is late when its whole feed has been silent for longer than its own rhythm allows."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, instant
from features.contracts.load import BUILTIN, load_contracts
from features.quality.lateness import Lateness, delivery, late_sources, limits

CONTRACTS = load_contracts([BUILTIN])
START = instant("2024-01-01")


def days(*numbers: int) -> np.ndarray:
    return START + np.array(numbers, dtype=np.int64) * DAY


def test_every_refresh_of_the_contracts_has_its_days() -> None:
    assert {contract.refresh for contract in CONTRACTS.values()} <= set(limits().refresh_days)


def test_a_monthly_source_has_its_month_its_lag_and_the_tolerance() -> None:
    found = delivery(CONTRACTS["social_insurance"], days(55, 58, 61), int(days(70)[0]))
    assert found is not None
    assert found.due_by == days(61 + 31 + 25 + 7)[0]
    assert not found.late(found.due_by)
    assert late_sources([found], found.due_by + 1) == {"social_insurance": found}


def test_registers_are_not_judged_and_courts_and_loans_are() -> None:
    lasting = {name for name, contract in CONTRACTS.items() if contract.times.valid_to}
    events = {"administrative_penalty", "court_case", "criminal_case", "account_freeze", "guarantee", "loan"}
    assert lasting - limits().unjudged == events
    assert limits().unjudged <= set(CONTRACTS)
    assert delivery(CONTRACTS["vehicle"], days(*range(100)), int(days(999)[0])) is None


def test_a_court_is_judged_by_its_own_gaps_and_not_before_it_has_some() -> None:
    court = CONTRACTS["court_case"]
    assert delivery(court, days(*range(0, 200, 10)), int(days(999)[0])) is None
    found = delivery(court, days(*range(0, 600, 10)), int(days(600)[0]))
    assert found is not None
    assert found.due_by == days(590 + 30)[0]


def test_what_became_known_later_is_not_seen_as_of_a_moment() -> None:
    source = CONTRACTS["social_insurance"]
    found = delivery(source, days(0, 400), int(days(300)[0]))
    assert found is not None
    assert found.last_known == days(0)[0]
    assert found.late(int(days(300)[0]))


@pytest.mark.parametrize("known", [days(), days(400)])
def test_who_never_delivered_is_not_judged(known) -> None:
    assert delivery(CONTRACTS["social_insurance"], known, int(days(300)[0])) is None


@given(st.lists(st.integers(0, 900), min_size=1, max_size=120), st.integers(0, 1_000))
def test_the_rule_of_a_daily_source_is_the_plain_one(numbers: list[int], now: int) -> None:
    limit = Lateness({"daily": 1}, 2, 5, 3)
    contract = msgspec.structs.replace(CONTRACTS["bank_transaction"], refresh="daily")
    found = delivery(contract, days(*numbers), int(days(now)[0]), limit)
    seen = sorted({number for number in numbers if number <= now})
    gaps = sorted(b - a for a, b in pairwise(seen))
    if len(gaps) < 5:
        assert found is None
        return
    usual = next(gap for gap in gaps if sum(each <= gap for each in gaps) >= 0.95 * len(gaps))
    assert found is not None
    assert found.due_by == days(seen[-1] + max(3, 3 * usual))[0]
