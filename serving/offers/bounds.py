"""What a limit may reach, each bound by its name: the lowest one binds, and is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from features.matrix import Missing
from serving.offers.schedule import affordable
from serving.policy.facts import Fact
from serving.policy.lending import LimitPolicy
from serving.policy.terms import Terms

PPM = 1_000_000
REQUESTED = "requested"
Facts = Mapping[str, Fact | Missing]


@dataclass(frozen=True, slots=True)
class Bound:
    """The most, in fen, and what says so."""

    most_fen: int
    name: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an applicant asks for, and what of the household's cap is promised already."""

    amount_fen: int
    term_months: int
    promised_fen: int = 0


def bounds(limits: LimitPolicy, terms: Terms, wanted: Wanted, facts: Facts) -> tuple[Bound, ...]:
    """All bounds of a case, in the order in which the first of equal ones is told."""
    found = [
        Bound(wanted.amount_fen, REQUESTED),
        Bound(terms.limit.max_limit_fen, "grade"),
        Bound(terms.limit_cap.value, "cap"),
        _supported(limits, terms, facts),
    ]
    if terms.exposure_cap is not None:
        found.append(Bound(max(terms.exposure_cap.value - wanted.promised_fen, 0), "exposure"))
    service = _serviceable(limits, terms, wanted, facts)
    return tuple(found if service is None else [*found, service])


def _supported(limits: LimitPolicy, terms: Terms, facts: Facts) -> Bound:
    """What evidence bears: the largest of all that is known; without any, what is lent unverified."""
    known = list(_supports(limits, terms, facts))
    if not known:
        return Bound(limits.unverified_limit_fen, "unverified")
    return max(known, key=lambda bound: bound.most_fen)


def _supports(limits: LimitPolicy, terms: Terms, facts: Facts) -> Iterator[Bound]:
    income = _number(facts, limits.income)
    if income is not None:
        yield Bound(round(income * 100) * terms.limit.inflow_share_ppm // PPM, "income")
    for support in limits.supports:
        units = _number(facts, support.fact)
        if units is not None:
            yield Bound(int(units) * support.fen_per_unit, support.id)


def _serviceable(limits: LimitPolicy, terms: Terms, wanted: Wanted, facts: Facts) -> Bound | None:
    """The principal whose instalments the month's income carries beside other debts; None where there is no income.

    Where income or debts could not be asked, no more is lent than to whom nothing is verified.
    """
    rule = limits.debt_service
    if rule is None:
        return None
    if any(_withheld(facts, name) for name in (rule.income, rule.obligations)):
        return Bound(limits.unverified_limit_fen, "unverified")
    income = _number(facts, rule.income)
    if income is None:
        return None
    due = _number(facts, rule.obligations) or 0.0
    room = round(income * 100) * rule.share_ppm // PPM - round(due * 100)
    return Bound(affordable(room, terms.price.rate_ppm, wanted.term_months), "debt_service")


def _withheld(facts: Facts, name: str) -> bool:
    value = facts.get(name, Missing.NO_RECORD)
    return isinstance(value, Missing) and value > Missing.NO_RECORD


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name, Missing.NO_RECORD)
    return value if isinstance(value, float) else None
