"""Schedules of the four kinds; each repays the principal to the fen."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from features.calendar import iso, local_date, months_before
from features.errors import Invalid
from features.loans.instalments import interest_fen, schedule
from features.loans.model import Instalment, day_of, start_of


class Repayment(StrEnum):
    """How a loan is repaid."""

    EQUAL = "equal"
    INTEREST_FIRST = "interest_first"
    BULLET = "bullet"
    SEASONAL = "seasonal"


class Terms(msgspec.Struct, frozen=True):
    """What is agreed: months, ppm a year, a fee with the first due date.

    ``principal_months`` are the calendar months (1 to 12) in which a seasonal loan repays principal.
    """

    repayment: Repayment
    annual_rate_ppm: int
    months: int
    fee_fen: int = 0
    principal_months: frozenset[int] = frozenset()


def plan(terms: Terms, amount_fen: int, drawn_at: int) -> tuple[Instalment, ...]:
    """The schedule of a drawdown, due each month on its day (the month's last where it has no such day).

    Raises:
        Invalid: nothing is drawn, a term or rate that is none, a season without a due date.
    """
    if amount_fen <= 0 or terms.months < 1 or terms.annual_rate_ppm < 0 or terms.fee_fen < 0:
        raise Invalid(
            f"{amount_fen} fen over {terms.months} months at {terms.annual_rate_ppm} ppm is no loan.",
            place="terms",
            remedy="Give an amount and months of at least 1, and a rate and fee of at least 0.",
        )
    days = [day_of(months_before(drawn_at, -month)) for month in range(1, terms.months + 1)]
    return _KINDS[terms.repayment](terms, amount_fen, days)


def fault_of(lines: tuple[Instalment, ...], amount_fen: int, day: int) -> str:
    """What is wrong with a schedule that repays ``amount_fen`` from ``day`` on; empty where it adds up."""
    if not lines:
        return "it has no due date"
    if any(min(line.principal_fen, line.interest_fen, line.fee_fen) < 0 for line in lines):
        return "a part of it is negative"
    total = sum(line.principal_fen for line in lines)
    if total != amount_fen:
        return f"its principal is {total} fen, not {amount_fen}"
    days = [line.due_day for line in lines]
    if days[0] < day or days != sorted(set(days)):
        return f"its due dates do not ascend from {iso(start_of(day))} on"
    return "" if lines[-1].principal_fen else "it asks for interest after the last principal"


def _equal(terms: Terms, amount: int, days: list[int]) -> tuple[Instalment, ...]:
    paid = schedule(amount, terms.annual_rate_ppm, terms.months, terms.fee_fen)
    # a tiny principal is repaid before its term ends: what asks for nothing is no instalment
    return tuple(
        Instalment(day, one.principal_fen, one.interest_fen, one.fee_fen)
        for day, one in zip(days, paid, strict=True)
        if one.total_fen
    )


def _interest_first(terms: Terms, amount: int, days: list[int]) -> tuple[Instalment, ...]:
    return _with_interest(terms, amount, days, {days[-1]: amount})


def _bullet(terms: Terms, amount: int, days: list[int]) -> tuple[Instalment, ...]:
    interest = interest_fen(amount, terms.annual_rate_ppm, terms.months)
    return (Instalment(days[-1], amount, interest, terms.fee_fen),)


def _seasonal(terms: Terms, amount: int, days: list[int]) -> tuple[Instalment, ...]:
    chosen = [day for day in days if local_date(start_of(day)).month in terms.principal_months]
    if not chosen:
        raise Invalid(
            f"no due date falls in a month of {sorted(terms.principal_months)}.",
            place="terms.principal_months",
            remedy="Name a month within the term.",
        )
    each = amount // len(chosen)
    repaid = dict.fromkeys(chosen, each)
    repaid[chosen[-1]] = amount - each * (len(chosen) - 1)
    return _with_interest(terms, amount, days[: days.index(chosen[-1]) + 1], repaid)


def _with_interest(
    terms: Terms, amount: int, days: list[int], repaid: dict[int, int]
) -> tuple[Instalment, ...]:
    """Interest each month on what is owed, principal on the given days."""
    lines: list[Instalment] = []
    balance = amount
    for day in days:
        principal = repaid.get(day, 0)
        interest = interest_fen(balance, terms.annual_rate_ppm)
        lines.append(Instalment(day, principal, interest, 0 if lines else terms.fee_fen))
        balance -= principal
    return tuple(lines)


_KINDS = {
    Repayment.EQUAL: _equal,
    Repayment.INTEREST_FIRST: _interest_first,
    Repayment.BULLET: _bullet,
    Repayment.SEASONAL: _seasonal,
}
