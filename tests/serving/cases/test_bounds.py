"""What binds a reviewer is read from policies of every schema: caps by day, product and segment, and hard rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, instant
from features.canonical import canonical_bytes
from features.errors import Invalid
from serving.cases.bounds import Bounds, bounds_of, checked
from serving.cases.model import Terms
from serving.decisions.receipt import Receipt, read_receipt
from tests.serving.policy.documents import CITY_POLICY, plain

GOLDEN = Path(__file__).parents[1]
NOW = instant("2025-01-02")
FIRST: bytes = (GOLDEN / "policy" / "golden" / "policy_1.json").read_bytes()
RECEIPT: Receipt = read_receipt((GOLDEN / "decisions" / "golden" / "receipt_2.json").read_bytes())
AMOUNTS = st.integers(0, 3_000_000)


def bounds(document: dict[str, Any], receipt: Receipt = RECEIPT, at: int = NOW) -> Bounds:
    return bounds_of(canonical_bytes(document), receipt, at)


def test_the_first_schema_and_what_it_is_read_as_bind_alike() -> None:
    first = bounds_of(FIRST, RECEIPT, NOW)
    second = bounds_of(CITY_POLICY.data, RECEIPT, NOW)
    assert (first.least_fen, first.step_fen) == (second.least_fen, second.step_fen)
    assert (
        first.most_fen == second.most_fen == RECEIPT.case.asked.amount_fen // first.step_fen * first.step_fen
    )
    assert 0 < first.most_rate_ppm <= 400_000


@pytest.mark.parametrize(
    ("row", "binds"),
    [
        ({}, True),
        ({"effective_from": "2025-01-03"}, False),
        ({"effective_to": "2025-01-02"}, False),
        ({"effective_to": "2025-01-03"}, True),
        ({"products": ["another"]}, False),
        ({"products": [RECEIPT.case.asked.product]}, True),
        ({"segments": ["another"]}, False),
    ],
)
def test_a_cap_binds_on_its_days_for_its_products_and_segments(row: dict[str, Any], *, binds: bool) -> None:
    document = plain()
    low = {"id": "low", "source": "test", "value": 500_000, "effective_from": "2020-01-01", **row}
    document["tables"]["limit_caps"].append(low)
    assert (bounds(document).most_fen == 500_000) == binds


def test_a_rule_that_is_soft_may_be_overridden_and_one_that_is_hard_may_not() -> None:
    document = plain()
    declined = msgspec.structs.replace(
        RECEIPT, rules=tuple(msgspec.structs.replace(rule, effect="decline") for rule in RECEIPT.rules[:2])
    )
    names = [rule.id for rule in declined.rules]
    for gate in document["gates"]:
        for rule in gate["rules"]:
            rule["force"] = "soft" if rule["id"] == names[0] else "hard"
    assert bounds(document, declined).hard == (names[1],)
    assert bounds_of(FIRST, declined, NOW).hard == tuple(names), "where it is not said, all are hard"
    assert bounds(document).hard == ()


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(1, 200_000), AMOUNTS, AMOUNTS)
def test_what_is_let_through_is_within_every_bound(
    least: int, most: int, limit: int, step: int, rate: int, most_rate: int
) -> None:
    found = Bounds(True, least, most, step, most_rate, ())
    fits = max(least, 1) <= limit <= most and limit % step == 0 and rate <= most_rate
    if fits:
        assert checked(found, Terms(limit, rate)) == Terms(limit, rate)
        return
    with pytest.raises(Invalid) as refused:
        checked(found, Terms(limit, rate))
    assert refused.value.place.startswith("terms.")
    assert refused.value.remedy


def test_what_is_no_loan_has_no_terms() -> None:
    found = Bounds(False, 0, 0, 1, 0, ())
    assert checked(found, None) is None
    with pytest.raises(Invalid, match="no loan"):
        checked(found, Terms(1, 1))
    with pytest.raises(Invalid, match="needs a limit"):
        checked(Bounds(True, 0, 1, 1, 0, ()), None)


def test_without_a_cap_for_the_day_nothing_may_be_granted() -> None:
    late = bounds(json.loads(CITY_POLICY.data), at=instant("1960-01-01"))
    assert (late.most_fen, late.most_rate_ppm) == (0, 0)
    assert bounds(plain(), at=NOW + 30 * DAY).most_fen > 0
