"""What the shipped policy of the city says of purposes, regions and terms."""

from __future__ import annotations

from typing import Any

import pytest

from features.matrix import Missing
from serving.policy.evaluate import evaluate, worst
from serving.policy.model import Effect
from tests.serving.policy.documents import CITY_POLICY, TODAY

CLEAN: dict[str, Any] = {
    "sources_with_record": 9.0, "purpose": "farming", "region": "city", "age_years": 40.0, "product": "consumer",
    "age_years_at_end": 41.0, "term_months": 12.0, "consent.bureau": 1.0, "consent.court": 1.0, "identity": "passed",
    "aml": "clear",
}  # fmt: skip
FORBIDDEN = [
    "house_purchase", "mortgage_repayment", "stocks", "bonds", "futures", "derivatives", "asset_management",
    "fixed_assets", "equity",
]  # fmt: skip


def told(**facts: Any) -> tuple[Effect, set[str]]:
    """What comes of a clean application with these facts instead, and under which rules of the law."""
    found = evaluate(CITY_POLICY, CLEAN | facts, TODAY)
    return worst(found), {one.rule.source for one in found if one.effect is not Effect.PASS}


@pytest.mark.parametrize("purpose", FORBIDDEN)
def test_a_purpose_that_no_loan_may_serve_is_declined(purpose: str) -> None:
    assert told(purpose=purpose) == (Effect.DECLINE, {"REG-IL-04"})


def test_a_purpose_that_nobody_knows_is_looked_at() -> None:
    assert told(purpose="something") == told(purpose=Missing.NO_RECORD) == (Effect.REFER, {"REG-IL-04"})


def test_who_lives_outside_the_region_is_looked_at_and_so_is_who_does_not_say() -> None:
    assert told(region="county") == (Effect.PASS, set())
    assert told(region="elsewhere") == told(region=Missing.NO_RECORD) == (Effect.REFER, {"REG-IL-17"})


def test_a_term_beyond_the_shipped_one_is_looked_at() -> None:
    assert told(term_months=36.0) == (Effect.PASS, set())
    assert told(term_months=37.0) == (Effect.REFER, {"REG-IL-02"})
