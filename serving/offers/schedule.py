"""What a loan is paid back with, month by month, to the fen; and what it costs all in all."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import pyxirr

from features.loans.instalments import KEPT, PPM_MONTHS, PRECISE, Payment, annuity, instalment, schedule

__all__ = ["Payment", "affordable", "all_in_of", "all_in_ppm", "instalment", "interest_and_last", "schedule"]

_HALF = Decimal("0.5")


def affordable(instalment_fen: int, annual_rate_ppm: int, months: int) -> int:
    """The largest principal in fen whose equal instalments are at most ``instalment_fen``."""
    if instalment_fen <= 0:
        return 0
    if annual_rate_ppm == 0:
        return instalment_fen * months
    worth = annuity(annual_rate_ppm, months)
    # an instalment is rounded half up: it is reached by all that is below half a fen more
    found = max(int(PRECISE.multiply(PRECISE.add(instalment_fen, _HALF), worth)) - 1, 0)
    while instalment(found + 1, annual_rate_ppm, months) <= instalment_fen:
        found += 1
    return found


@lru_cache(maxsize=KEPT)
def interest_and_last(
    principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int = 0
) -> tuple[int, int]:
    """Of a schedule, in fen: all interest, and the last instalment without the fee."""
    payments = schedule(principal_fen, annual_rate_ppm, months, fee_fen)
    return sum(payment.interest_fen for payment in payments), payments[-1].total_fen - payments[-1].fee_fen


@lru_cache(maxsize=KEPT)
def all_in_of(principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int) -> int:
    """``all_in_ppm`` of a schedule."""
    return all_in_ppm(principal_fen, schedule(principal_fen, annual_rate_ppm, months, fee_fen))


def all_in_ppm(principal_fen: int, payments: Sequence[Payment]) -> int:
    """The yearly rate of all charges in ppm: twelve times the monthly internal rate of return (REG-PR-02)."""
    flows = [-float(principal_fen), *(float(payment.total_fen) for payment in payments)]
    monthly = pyxirr.irr(flows)
    assert monthly is not None  # money out once, then money in: there is exactly one rate
    return round(monthly * PPM_MONTHS)
