"""The offer: the smallest of its bounds, in whole steps, priced under the cap, and an instalment that repays it."""

from __future__ import annotations

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import instant
from serving.offers.offer import NoOffer, Offer, instalment, make_offer, make_random_offer
from serving.policy.load import CITY, BrokenPolicy, load_policy, policy_from_yaml
from tests.serving.world import policy_with

POLICY = policy_from_yaml(CITY)
LIMITS = POLICY.document.limits
AT = instant("2025-01-02")
AMOUNTS = st.integers(1, 100_000_000_000)
TERMS = st.integers(1, 360)
LENT = [band for band in POLICY.document.grades if band.max_limit_fen]


@given(AMOUNTS, TERMS, st.none() | st.floats(-1e6, 1e7), st.sampled_from(LENT))
def test_the_limit_is_the_smallest_bound_in_whole_steps(amount, term, income, band) -> None:
    offer = make_offer(POLICY, band, amount, term, income, AT, "city")
    verified = (
        LIMITS.unverified_limit_fen
        if income is None
        else round(income * 100) * band.inflow_share_ppm // 1_000_000
    )
    bounds = {
        "requested": amount,
        "grade": band.max_limit_fen,
        "cap": LIMITS.caps[0].value,
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
    offer = make_offer(POLICY, LENT[0], amount, term, 1e6, AT, "city")
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == offer.all_in_annual_ppm == LENT[0].rate_ppm
        assert offer.total_interest_fen == max(offer.instalment_fen * term - offer.limit_fen, 0)
        assert (offer.lender, offer.term_months, offer.disclosure) == (
            "city",
            term,
            POLICY.document.disclosure,
        )


def test_a_lower_rate_cap_lowers_the_rate_and_is_named() -> None:
    document = POLICY.document
    low = {**msgspec.to_builtins(document.rate_caps[0]), "id": "low", "value": 30_000}
    policy = load_policy(policy_with(rate_caps=[low]))
    offer = make_offer(policy, policy.document.grades[0], 2_000_000, 12, None, AT, "city")
    assert isinstance(offer, Offer)
    assert (offer.annual_rate_ppm, offer.rate_cap) == (30_000, "low")


def test_without_a_cap_for_the_day_nothing_is_offered() -> None:
    with pytest.raises(BrokenPolicy, match="no cap holds"):
        make_offer(POLICY, LENT[0], 2_000_000, 12, None, instant("1999-01-01"), "city")


@given(AMOUNTS, TERMS)
def test_the_random_stream_is_small_and_priced_apart(amount, term) -> None:
    stream = POLICY.document.random_approval
    assert stream is not None
    offer = make_random_offer(POLICY, stream, amount, term, AT, "city")
    assert offer.limit_fen <= min(amount, stream.max_limit_fen)
    assert offer.limit_fen % LIMITS.step_fen == 0
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == stream.rate_ppm
