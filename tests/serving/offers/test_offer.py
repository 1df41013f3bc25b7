"""The offer: the smallest of its bounds, in whole steps, priced under the cap, and an instalment that repays it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.offers.offer import NoOffer, Offer, instalment, make_offer, make_random_offer
from serving.policy.days import first_day
from serving.policy.load import CITY, policy_from_yaml, read_policy
from serving.policy.policy import Policy
from serving.policy.terms import NoRow, Terms
from tests.serving.policy.documents import plain
from tests.serving.world import policy_with

POLICY = policy_from_yaml(CITY)
LIMITS = POLICY.limits
DAY = first_day("2025-01-02")
AMOUNTS = st.integers(1, 100_000_000_000)
TERMS = st.integers(1, 360)


def terms(grade: int, term: int = 12, day: int = DAY, policy: Policy = POLICY) -> Terms:
    """The rows of a consumer whom no segment takes."""
    assert policy.tables is not None
    return policy.tables.terms("consumer", "general", grade, term, day)


LENT = [terms(grade) for grade in range(1, 9)]


@given(AMOUNTS, TERMS, st.none() | st.floats(-1e6, 1e7), st.sampled_from(LENT))
def test_the_limit_is_the_smallest_bound_in_whole_steps(amount, term, income, found) -> None:
    offer = make_offer(POLICY, found, amount, term, income, "city")
    verified = (
        LIMITS.unverified_limit_fen
        if income is None
        else round(income * 100) * found.limit.inflow_share_ppm // 1_000_000
    )
    bounds = {
        "requested": amount,
        "grade": found.limit.max_limit_fen,
        "cap": found.limit_cap.value,
        "unverified" if income is None else "income": verified,
    }
    smallest = min(bounds.values())
    expected = max(smallest - smallest % LIMITS.step_fen, 0)
    assert bounds[offer.bound_by] == smallest
    assert offer.limit_fen == expected
    assert isinstance(offer, NoOffer) == (expected < LIMITS.min_limit_fen)


@given(st.integers(1, 30_000_000), st.integers(0, 400_000), TERMS)
def test_the_instalment_repays_the_loan_to_half_a_fen_a_month(principal, rate, months) -> None:
    each = instalment(principal, rate, months)
    monthly = Fraction(rate, 12_000_000)
    left, worth = Fraction(principal), Fraction(0)
    for _ in range(months):
        left = left * (1 + monthly) - each
        worth = worth * (1 + monthly) + 1
    slack = worth if rate == 0 else worth / 2 + Fraction(1, 10**6)
    assert abs(left) <= slack


@given(AMOUNTS, TERMS)
def test_the_price_discloses_all_that_is_paid(amount, term) -> None:
    found = terms(1, term)
    offer = make_offer(POLICY, found, amount, term, 1e6, "city")
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == offer.all_in_annual_ppm == found.price.rate_ppm
        assert offer.total_interest_fen == max(offer.instalment_fen * term - offer.limit_fen, 0)
        assert (offer.lender, offer.term_months, offer.disclosure) == (
            "city",
            term,
            POLICY.document.disclosure,
        )


def test_a_lower_rate_cap_lowers_the_rate_and_is_named() -> None:
    low = {"id": "low", "effective_from": "2020-07-17", "source": "test", "value": 30_000}
    policy = read_policy(policy_with(tables=plain()["tables"] | {"rate_caps": [low]}))
    offer = make_offer(policy, terms(1, policy=policy), 2_000_000, 12, None, "city")
    assert isinstance(offer, Offer)
    assert (offer.annual_rate_ppm, offer.rate_cap) == (30_000, "low")


def test_the_price_is_that_of_the_grade_the_term_and_the_day() -> None:
    found = [terms(1, 12), terms(1, 13), terms(7, 12), terms(1, 12, first_day("2024-06-30"))]
    assert [each.price.id for each in found] == ["p2024-1-year", "p2024-1-long", "p2024-7-year", "p2020-1"]


def test_before_the_policy_began_nothing_is_offered() -> None:
    with pytest.raises(NoRow, match="no row holds for this case on 1999-01-01"):
        terms(1, day=first_day("1999-01-01"))


@given(AMOUNTS, TERMS)
def test_the_random_stream_is_small_and_priced_apart(amount, term) -> None:
    stream = POLICY.document.random_approval
    assert stream is not None
    offer = make_random_offer(POLICY, stream, LENT[7], amount, term, "city")
    assert offer.limit_fen <= min(amount, stream.max_limit_fen)
    assert offer.limit_fen % LIMITS.step_fen == 0
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == stream.rate_ppm
