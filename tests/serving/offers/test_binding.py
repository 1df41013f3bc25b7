"""The bound that is found without looking at all of them is the lowest of all of them, worked out one by one."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.matrix import Missing
from serving.offers.bounds import REQUESTED, Bound, Facts, Wanted, binding
from serving.offers.offer import NoOffer, make_offer, too_little
from serving.offers.schedule import affordable, instalment
from serving.policy.load import CITY, policy_from_yaml
from serving.policy.policy import Policy
from serving.policy.terms import Terms

CITY_POLICY: Policy = policy_from_yaml(CITY)
DAY = 20_000
RULE = CITY_POLICY.limits.debt_service
assert RULE is not None
ASKED = [
    CITY_POLICY.limits.income, RULE.income, RULE.obligations, *(one.fact for one in CITY_POLICY.limits.supports)
]  # fmt: skip
VALUE = st.floats(0, 3e6).map(lambda value: round(value, 2)) | st.sampled_from(list(Missing)[1:])


def every(policy: Policy, terms: Terms, wanted: Wanted, facts: Facts) -> Iterator[Bound]:
    """All bounds, in the order in which the first of equal ones is told."""
    limits = policy.limits
    yield Bound(wanted.amount_fen, REQUESTED)
    yield Bound(terms.limit.max_limit_fen, "grade")
    yield Bound(terms.limit_cap.value, "cap")
    known = []
    income = facts.get(limits.income)
    if isinstance(income, float):
        known.append(Bound(round(income * 100) * terms.limit.inflow_share_ppm // 1_000_000, "income"))
    for one in limits.supports:
        units = facts.get(one.fact)
        if isinstance(units, float):
            known.append(Bound(int(units) * one.fen_per_unit, one.id))
    yield max(
        known, key=lambda bound: bound.most_fen, default=Bound(limits.unverified_limit_fen, "unverified")
    )
    if terms.exposure_cap is not None:
        yield Bound(max(terms.exposure_cap.value - wanted.promised_fen, 0), "exposure")
    rule = limits.debt_service
    assert rule is not None
    asked = [facts.get(name, Missing.NO_RECORD) for name in (rule.income, rule.obligations)]
    if any(isinstance(value, Missing) and value > Missing.NO_RECORD for value in asked):
        yield Bound(limits.unverified_limit_fen, "unverified")
    elif isinstance(asked[0], float):
        due = asked[1] if isinstance(asked[1], float) else 0.0
        room = round(asked[0] * 100) * rule.share_ppm // 1_000_000 - round(due * 100)
        yield Bound(affordable(room, terms.price.rate_ppm, wanted.term_months), "debt_service")


@example(Wanted(1, 3), {CITY_POLICY.limits.income: 0.0}, 1)
@given(
    st.builds(Wanted, st.integers(0, 10**8), st.integers(1, 60), st.integers(0, 3 * 10**7)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(ASKED, VALUE)),
    st.integers(1, 10),
)
@settings(deadline=None, max_examples=600)
def test_the_lowest_bound_binds_and_only_what_is_too_little_gets_no_offer(wanted, facts, grade) -> None:
    assert CITY_POLICY.tables is not None
    terms = CITY_POLICY.tables.terms("consumer", "general", grade, min(wanted.term_months, 36), DAY)
    found = binding(CITY_POLICY.limits, terms, wanted, facts)
    assert found == min(every(CITY_POLICY, terms, wanted, facts), key=lambda bound: bound.most_fen)
    offer = make_offer(CITY_POLICY, terms, wanted, facts, "city", DAY * 86_400_000_000)
    little = too_little(CITY_POLICY, terms, wanted, facts)
    assert (little is not None) == isinstance(offer, NoOffer)
    assert little is None or (isinstance(offer, NoOffer) and offer.bound_by == little.name == found.name)


@given(st.integers(1, 10**8), st.sampled_from([0, 1, 36_000, 153_999, 240_000]), st.integers(1, 120))
@settings(deadline=None)
def test_a_fen_more_than_what_is_affordable_is_not(each: int, rate: int, months: int) -> None:
    most = affordable(each, rate, months)
    assert instalment(most, rate, months) <= each < instalment(most + 1, rate, months)
