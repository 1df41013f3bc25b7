"""The offer: the smallest of its bounds, in whole steps, priced under the cap, and an instalment that repays it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.matrix import Missing
from serving.offers.bounds import Wanted
from serving.offers.offer import NoOffer, Offer, make_offer, make_random_offer
from serving.offers.schedule import affordable, all_in_ppm, instalment, schedule
from serving.policy.cost import Cost
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


AT = 1_735_800_000_000_000


def offered(amount: int, term: int, found: Terms, policy: Policy = POLICY, promised: int = 0, **known: float):
    """The offer to whom just ``known`` is known."""
    return make_offer(policy, found, Wanted(amount, term, promised), known, "city", AT)


@given(
    AMOUNTS, TERMS, st.sampled_from(LENT), st.integers(0, 30_000_000),
    st.fixed_dictionaries({}, optional={
        "bank_inflow_sum_12m": st.floats(-1e6, 1e7), "tax_amt_sum_12m": st.floats(0, 1e6), "land_total_mu": st.floats(0, 1e3),
        "agri_subsidy_amt_12m": st.floats(0, 1e5), "bank_inflow_mean_12m": st.floats(-1e5, 1e6), "bur_monthly_debt_1m": st.floats(0, 1e5),
    }),
)  # fmt: skip
def test_the_limit_is_the_smallest_bound_in_whole_steps(amount, term, found, promised, known) -> None:
    offer = offered(amount, term, found, promised=promised, **known)
    supports = {
        one.id: int(known[one.fact]) * one.fen_per_unit for one in LIMITS.supports if one.fact in known
    }
    if "bank_inflow_sum_12m" in known:
        supports["income"] = (
            round(known["bank_inflow_sum_12m"] * 100) * found.limit.inflow_share_ppm // 1_000_000
        )
    best = max(supports, key=supports.__getitem__) if supports else "unverified"
    bounds = {
        "requested": amount,
        "grade": found.limit.max_limit_fen,
        "cap": found.limit_cap.value,
        "exposure": max(20_000_000 - promised, 0),
        best: max(supports.values()) if supports else LIMITS.unverified_limit_fen,
    }
    smallest = min(bounds.values())
    expected = max(smallest - smallest % LIMITS.step_fen, 0)
    if offer.bound_by == "debt_service":
        each = instalment(offer.limit_fen, found.price.rate_ppm, term)
        room = 0.6 * known["bank_inflow_mean_12m"] - known.get("bur_monthly_debt_1m", 0.0)
        assert offer.limit_fen <= expected
        assert offer.limit_fen == 0 or each <= room * 100 + 2
        above = offer.limit_fen + LIMITS.step_fen
        assert instalment(above, found.price.rate_ppm, term) >= room * 100 - 2
    else:
        assert offer.limit_fen == expected
        assert bounds.get(offer.bound_by, supports.get(offer.bound_by)) == smallest
    assert isinstance(offer, NoOffer) == (offer.limit_fen < LIMITS.min_limit_fen)


def test_the_bound_that_binds_is_named() -> None:
    first = LENT[0]
    rich = {"bank_inflow_sum_12m": 1e6, "bank_inflow_mean_12m": 1e5}
    assert offered(1_000_000, 12, first, **rich).bound_by == "requested"
    assert offered(90_000_000, 12, first, **rich).bound_by == "grade"
    assert offered(9_000_000, 12, first, promised=15_000_000, **rich).bound_by == "exposure"
    assert offered(9_000_000, 12, first, **rich, bur_monthly_debt_1m=58_000.0).bound_by == "debt_service"
    assert offered(9_000_000, 12, first, land_total_mu=20.0, tax_amt_sum_12m=10.0).bound_by == "land"
    assert offered(9_000_000, 12, first, tax_amt_sum_12m=9_000.0).bound_by == "tax"
    assert offered(9_000_000, 12, first).bound_by == "unverified"


@pytest.mark.parametrize("name", ["bank_inflow_mean_12m", "bur_monthly_debt_1m"])
@pytest.mark.parametrize("why", [Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED])
def test_debts_or_income_that_could_not_be_asked_never_raise_a_limit(name, why) -> None:
    known = {"tax_amt_sum_12m": 90_000.0, "bank_inflow_mean_12m": 1e5, "bur_monthly_debt_1m": 100.0}
    offer = make_offer(POLICY, LENT[0], Wanted(20_000_000, 12), known | {name: why}, "city", AT)
    assert (offer.bound_by, offer.limit_fen) == ("unverified", LIMITS.unverified_limit_fen)


@given(st.integers(200_000, 30_000_000), st.integers(10_000, 240_000), st.integers(3, 120))
def test_a_schedule_adds_up_to_the_fen_and_its_rate_of_return_is_the_stated_one(
    principal, rate, months
) -> None:
    payments = schedule(principal, rate, months)
    assert sum(payment.principal_fen for payment in payments) == principal
    assert payments[-1].balance_fen == 0
    owed = principal
    for payment in payments:
        assert payment.interest_fen == round_half_up(Fraction(owed * rate, 12_000_000))
        owed -= payment.principal_fen
        assert payment.balance_fen == owed
    assert {payment.total_fen for payment in payments[:-1]} == {instalment(principal, rate, months)}
    assert abs(all_in_ppm(principal, payments) - rate) <= 100


def round_half_up(number: Fraction) -> int:
    """To the nearest whole number."""
    return int(number + Fraction(1, 2))


@given(st.integers(1, 100_000_000), st.integers(0, 400_000), TERMS)
def test_what_is_affordable_is_the_most_that_the_instalment_repays(each, rate, months) -> None:
    most = affordable(each, rate, months)
    assert instalment(most, rate, months) <= each
    assert instalment(most + 1, rate, months) > each
    assert affordable(0, rate, months) == affordable(-each, rate, months) == 0


def test_a_fee_counts_in_the_all_in_rate_and_is_dropped_where_it_would_break_the_cap() -> None:
    def with_fee(ppm: int, term: int) -> Offer:
        policy = read_policy(policy_with(offers={"valid_days": 14, "line_months": 12, "fee_ppm": ppm}))
        found = offered(2_000_000, term, terms(1, term, policy=policy), policy, bank_inflow_sum_12m=1e6)
        assert isinstance(found, Offer)
        return found

    charged = with_fee(10_000, 12)
    assert charged.fee_fen == 20_000
    assert 55_000 < charged.all_in_annual_ppm < 65_000
    assert charged.all_in_annual_ppm == all_in_ppm(2_000_000, schedule(2_000_000, 42_000, 12, 20_000))
    dropped = with_fee(50_000, 1)
    assert (dropped.fee_fen, dropped.all_in_annual_ppm) == (0, dropped.annual_rate_ppm)


def test_less_than_was_asked_is_a_counter_offer_with_a_last_day() -> None:
    less = offered(90_000_000, 12, LENT[0], bank_inflow_sum_12m=1e6, bank_inflow_mean_12m=1e5)
    assert isinstance(less, Offer)
    assert (less.counter_offer, less.limit_fen, less.valid_to) == (True, 20_000_000, "2025-02-01")
    full = offered(1_000_000, 12, LENT[0], bank_inflow_sum_12m=1e6, bank_inflow_mean_12m=1e5)
    assert isinstance(full, Offer)
    assert not full.counter_offer


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
    offer = offered(amount, term, found, bank_inflow_sum_12m=1e6)
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == offer.all_in_annual_ppm == found.price.rate_ppm
        paid = offer.instalment_fen * (term - 1) + offer.last_instalment_fen
        assert offer.total_interest_fen == paid - offer.limit_fen
        assert (offer.lender, offer.term_months, offer.disclosure) == (
            "city",
            term,
            POLICY.document.disclosure,
        )


def test_a_lower_rate_cap_lowers_the_rate_and_is_named() -> None:
    low = {"id": "low", "effective_from": "2020-07-17", "source": "house:test", "value": 30_000}
    policy = read_policy(policy_with(tables=plain()["tables"] | {"rate_caps": [low]}))
    offer = offered(2_000_000, 12, terms(1, policy=policy), policy)
    assert isinstance(offer, Offer)
    assert (offer.annual_rate_ppm, offer.rate_cap) == (30_000, "low")


def test_the_price_is_that_of_the_grade_the_term_and_the_day() -> None:
    found = [terms(1, 12), terms(1, 13), terms(7, 12), terms(1, 12, first_day("2024-06-30"))]
    assert [each.price.id for each in found] == ["p2024-1-year", "p2024-1-long", "p2024-7-year", "p2020-1"]


@given(st.floats(0, 1), st.integers(0, 300_000), st.integers(1, 20_000))
def test_a_price_from_cost_covers_it_within_a_step_and_never_breaks_the_cap(pd, least, step) -> None:
    cost = Cost(funding_ppm=21_000, operating_ppm=6_000, margin_ppm=9_000, lgd_ppm=450_000, step_ppm=step)
    row = msgspec.structs.replace(terms(7).price, rate_ppm=least, cost=cost)
    priced = replace(terms(7), price=row).priced(pd)
    exact = 36_000 + Fraction(pd) * 450_000
    covering, cap = cost.rate_ppm(pd), priced.rate_cap.value
    assert exact - 1 <= covering <= exact + step + 1
    assert covering % step == 0
    assert priced.price.rate_ppm == min(max(covering, least), cap)
    expected = {True: "cap", False: "cost" if covering > least else "least"}[covering > cap]
    assert priced.priced_by == expected
    assert cost.rate_ppm(min(pd + 0.01, 1)) >= covering


def test_who_costs_more_pays_more_and_the_offer_says_what_set_its_rate() -> None:
    cost = Cost(funding_ppm=21_000, operating_ppm=6_000, margin_ppm=9_000, lgd_ppm=450_000)
    found = replace(terms(3), price=msgspec.structs.replace(terms(3).price, rate_ppm=40_000, cost=cost))
    told = [
        (offer.annual_rate_ppm, offer.priced_by)
        for pd in (0.001, 0.0201, 0.9)
        if isinstance(offer := offered(300_000, 12, found.priced(pd), bank_inflow_sum_12m=1e5), Offer)
    ]
    assert told == [(40_000, "least"), (46_000, "cost"), (240_000, "cap")]


def test_before_the_policy_began_nothing_is_offered() -> None:
    with pytest.raises(NoRow, match="no row holds for this case on 1999-01-01"):
        terms(1, day=first_day("1999-01-01"))


@given(AMOUNTS, TERMS)
def test_the_random_stream_is_small_and_priced_apart(amount, term) -> None:
    stream = POLICY.document.random_approval
    assert stream is not None
    offer = make_random_offer(POLICY, stream, LENT[7], Wanted(amount, term), "city", AT)
    assert offer.limit_fen <= min(amount, stream.max_limit_fen)
    assert offer.limit_fen % LIMITS.step_fen == 0
    if isinstance(offer, Offer):
        assert offer.annual_rate_ppm == stream.rate_ppm
