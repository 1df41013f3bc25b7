"""Equal instalments to the fen: the rule that offers promise and the book keeps."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

import msgspec

PRECISE = Context(prec=40, rounding=ROUND_HALF_UP)
KEPT = 4096
"""Results that are kept of a function: in a batch many ask for the same loan."""
PPM_MONTHS = 12_000_000
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


@lru_cache(maxsize=KEPT)
def instalment(principal_fen: int, annual_rate_ppm: int, months: int) -> int:
    """Fen a month of equal instalments, rounded half up to the fen."""
    if annual_rate_ppm == 0:
        return -(-principal_fen // months)
    amount = PRECISE.divide(Decimal(principal_fen), annuity(annual_rate_ppm, months))
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


@lru_cache(maxsize=KEPT // 4)
def schedule(principal_fen: int, annual_rate_ppm: int, months: int, fee_fen: int = 0) -> tuple[Payment, ...]:
    """Equal instalments; the last one takes what rounding left, so that the principal is paid to the fen.

    The fee is paid with the first of them.
    """
    each = instalment(principal_fen, annual_rate_ppm, months)
    balance, payments = principal_fen, []
    for month in range(1, months + 1):
        interest = interest_fen(balance, annual_rate_ppm)
        principal = balance if month == months else min(max(each - interest, 0), balance)
        balance -= principal
        payments.append(Payment(month, principal, interest, fee_fen if month == 1 else 0, balance))
    return tuple(payments)


@lru_cache(maxsize=KEPT)
def annuity(annual_rate_ppm: int, months: int) -> Decimal:
    """What equal payments of one fen a month are worth today."""
    rate = PRECISE.divide(Decimal(annual_rate_ppm), Decimal(PPM_MONTHS))
    growth = PRECISE.power(1 + rate, months)
    return PRECISE.divide(growth - 1, PRECISE.multiply(rate, growth))


def interest_fen(balance_fen: int, annual_rate_ppm: int, months: int = 1) -> int:
    """The interest of so many months on one balance, rounded half up to the fen."""
    return (2 * balance_fen * annual_rate_ppm * months + PPM_MONTHS) // (2 * PPM_MONTHS)
