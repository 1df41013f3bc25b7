"""What a loan is paid back with, month by month, to the fen; and what it costs all in all."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

import msgspec
import pyxirr

_PRECISE = Context(prec=40, rounding=ROUND_HALF_UP)
_HALF = Decimal("0.5")
_KEPT = 4096
"""Results that are kept of a function: in a batch many ask for the same loan."""
_PPM_MONTHS = 12_000_000
"""A rate in ppm a year, over this, is one a month."""


class Payment(msgspec.Struct, frozen=True):
    """One month's payment in fen: ``principal`` + ``interest`` + ``fee``; ``balance`` is owed after it."""

    month: int
    principal_fen: int
    interest_fen: int
    fee_fen: int
    balance_fen: int

    @property
    def total_fen(self) -> int:
        """What is paid."""
        return self.principal_fen + self.interest_fen + self.fee_fen


@lru_cache(maxsize=_KEPT)
def instalment(principal_fen: int, annual_rate_ppm: int, months: int) -> int:
    """Fen a month of equal instalments, rounded half up to the fen."""
    if annual_rate_ppm == 0:
        return -(-principal_fen // months)
    amount = _PRECISE.divide(Decimal(principal_fen), _annuity(annual_rate_ppm, months))
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def affordable(instalment_fen: int, annual_rate_ppm: int, months: int) -> int:
    """The largest principal in fen whose equal instalments are at most ``instalment_fen``."""
    if instalment_fen <= 0:
        return 0
    if annual_rate_ppm == 0:
        return instalment_fen * months
    annuity = _annuity(annual_rate_ppm, months)
    # an instalment is rounded half up: it is reached by all that is below half a fen more
    found = max(int(_PRECISE.multiply(_PRECISE.add(instalment_fen, _HALF), annuity)) - 1, 0)
    while instalment(found + 1, annual_rate_ppm, months) <= instalment_fen:
        found += 1
    return found


@lru_cache(maxsize=_KEPT // 4)
def schedule(principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int = 0) -> tuple[Payment, ...]:
    """Equal instalments; the last one takes what rounding left, so that the principal is paid to the fen.

    The fee is paid with the first of them.
    """
    each = instalment(principal_fen, annual_rate_ppm, months)
    balance, payments = principal_fen, []
    for month in range(1, months + 1):
        interest = _interest(balance, annual_rate_ppm)
        principal = balance if month == months else min(max(each - interest, 0), balance)
        balance -= principal
        payments.append(Payment(month, principal, interest, fee_fen if month == 1 else 0, balance))
    return tuple(payments)


@lru_cache(maxsize=_KEPT)
def interest_and_last(
    principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int = 0
) -> tuple[int, int]:
    """Of a schedule, in fen: all interest, and the last instalment without the fee."""
    payments = schedule(principal_fen, annual_rate_ppm, months, fee_fen)
    return sum(payment.interest_fen for payment in payments), payments[-1].total_fen - payments[-1].fee_fen


@lru_cache(maxsize=_KEPT)
def all_in_of(principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int) -> int:
    """``all_in_ppm`` of a schedule."""
    return all_in_ppm(principal_fen, schedule(principal_fen, annual_rate_ppm, months, fee_fen))


def all_in_ppm(principal_fen: int, payments: Sequence[Payment]) -> int:
    """The yearly rate of all charges in ppm: twelve times the monthly internal rate of return (REG-PR-02)."""
    flows = [-float(principal_fen), *(float(payment.total_fen) for payment in payments)]
    monthly = pyxirr.irr(flows)
    assert monthly is not None  # money out once, then money in: there is exactly one rate
    return round(monthly * _PPM_MONTHS)


@lru_cache(maxsize=_KEPT)
def _annuity(annual_rate_ppm: int, months: int) -> Decimal:
    """What equal payments of one fen a month are worth today."""
    rate = _PRECISE.divide(Decimal(annual_rate_ppm), Decimal(_PPM_MONTHS))
    growth = _PRECISE.power(1 + rate, months)
    return _PRECISE.divide(growth - 1, _PRECISE.multiply(rate, growth))


def _interest(balance_fen: int, annual_rate_ppm: int) -> int:
    """One month's interest, rounded half up to the fen."""
    return (2 * balance_fen * annual_rate_ppm + _PPM_MONTHS) // (2 * _PPM_MONTHS)
