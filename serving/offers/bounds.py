"""What a limit may reach, each bound by its name: the lowest one binds, and is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from features.matrix import Missing
from serving.offers.schedule import affordable, instalment
from serving.policy.facts import Fact
from serving.policy.lending import LimitPolicy
from serving.policy.terms import Terms

PPM = 1_000_000
REQUESTED = "requested"
Facts = Mapping[str, Fact | Missing]


class Bound(msgspec.Struct, frozen=True):
    """The most, in fen, and what says so."""

    most_fen: int
    name: str


class Wanted(msgspec.Struct, frozen=True):
    """What an applicant asks for, and what of the household's cap is promised already."""

    amount_fen: int
    term_months: int
    promised_fen: int = 0


def binding(limits: LimitPolicy, terms: Terms, wanted: Wanted, facts: Facts) -> Bound:
    """The lowest of all bounds; of equal ones the first, in the order in which they are asked here.

    What is dear to know is only looked at where it might be the lowest.
    """
    least = Bound(wanted.amount_fen, REQUESTED)
    least = _lower(least, terms.limit.max_limit_fen, "grade")
    least = _lower(least, terms.limit_cap.value, "cap")
    least = _supported(limits, terms, facts, least)
    if terms.exposure_cap is not None:
        least = _lower(least, max(terms.exposure_cap.value - wanted.promised_fen, 0), "exposure")
    return _serviceable(limits, terms, wanted, facts, least)


def _lower(least: Bound, most_fen: int, name: str) -> Bound:
    return Bound(most_fen, name) if most_fen < least.most_fen else least


def _supported(limits: LimitPolicy, terms: Terms, facts: Facts, least: Bound) -> Bound:
    """What evidence bears: the largest of all that is known; without any, what is lent unverified."""
    best, name = 0, ""
    for most, each in _supports(limits, terms, facts):
        if most >= least.most_fen:
            return least
        if most > best or not name:
            best, name = most, each
    return _lower(least, best, name) if name else _lower(least, limits.unverified_limit_fen, "unverified")


def _supports(limits: LimitPolicy, terms: Terms, facts: Facts) -> Iterator[tuple[int, str]]:
    income = _number(facts, limits.income)
    if income is not None:
        yield round(income * 100) * terms.limit.inflow_share_ppm // PPM, "income"
    for support in limits.supports:
        units = facts.get(support.fact)
        if isinstance(units, float):
            yield int(units) * support.fen_per_unit, support.id


def _serviceable(limits: LimitPolicy, terms: Terms, wanted: Wanted, facts: Facts, least: Bound) -> Bound:
    """The principal whose instalments the month's income carries beside other debts; no bound where there is no income.

    Where income or debts could not be asked, no more is lent than to whom nothing is verified.
    """
    rule = limits.debt_service
    if rule is None:
        return least
    if _withheld(facts, rule.income) or _withheld(facts, rule.obligations):
        return _lower(least, limits.unverified_limit_fen, "unverified")
    income = _number(facts, rule.income)
    if income is None:
        return least
    due = _number(facts, rule.obligations) or 0.0
    room = round(income * 100) * rule.share_ppm // PPM - round(due * 100)
    rate, months = terms.price.rate_ppm, wanted.term_months
    if least.most_fen <= 0 or (room > 0 and instalment(least.most_fen, rate, months) <= room):
        return least
    return Bound(affordable(room, rate, months), "debt_service")


def _withheld(facts: Facts, name: str) -> bool:
    value = facts.get(name, Missing.NO_RECORD)
    return isinstance(value, Missing) and value > Missing.NO_RECORD


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name, Missing.NO_RECORD)
    return value if isinstance(value, float) else None
