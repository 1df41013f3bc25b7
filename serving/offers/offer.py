"""Limit, price and instalment from a grade: integers all the way, each with what set it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

import msgspec

from features.contracts.model import Text
from serving.policy.model import RandomApproval
from serving.policy.policy import Policy
from serving.policy.terms import Terms

_PRECISE = Context(prec=40, rounding=ROUND_HALF_UP)


class Offer(msgspec.Struct, frozen=True):
    """What the bank would lend, and the seven things that it must disclose (REG-IL-16).

    ``bound_by`` says what set the limit: requested, income, unverified, grade or cap. There are no fees,
    so the all-in cost is the rate.
    """

    limit_fen: int
    annual_rate_ppm: int
    all_in_annual_ppm: int
    term_months: int
    repayment: str
    instalment_fen: int
    total_interest_fen: int
    bound_by: str
    limit_cap: str
    rate_cap: str
    lender: str
    disclosure: dict[str, Text]


class NoOffer(msgspec.Struct, frozen=True):
    """What is left is less than the least that is granted."""

    limit_fen: int
    bound_by: str


def make_offer(
    policy: Policy, terms: Terms, amount_fen: int, term_months: int, income_yuan: float | None, lender: str
) -> Offer | NoOffer:
    """The offer of an approved case; ``income_yuan`` is None where no inflow is verified."""
    limits, row = policy.limits, terms.limit
    bounds = [(amount_fen, "requested"), (row.max_limit_fen, "grade"), (terms.limit_cap.value, "cap")]
    if income_yuan is None:
        bounds.append((limits.unverified_limit_fen, "unverified"))
    else:
        bounds.append((round(income_yuan * 100) * row.inflow_share_ppm // 1_000_000, "income"))
    limit, bound_by = min(bounds, key=lambda bound: bound[0])
    limit = max(limit, 0) // limits.step_fen * limits.step_fen
    if limit < limits.min_limit_fen:
        return NoOffer(limit, bound_by)
    return _priced(policy, terms, limit, terms.price.rate_ppm, term_months, bound_by, lender)


def make_random_offer(
    policy: Policy, stream: RandomApproval, terms: Terms, amount_fen: int, term_months: int, lender: str
) -> Offer | NoOffer:
    """The offer of the random stream: small, capped and priced."""
    limits = policy.limits
    limit = min(amount_fen, stream.max_limit_fen, terms.limit_cap.value) // limits.step_fen * limits.step_fen
    bound_by = "requested" if limit >= amount_fen // limits.step_fen * limits.step_fen else "grade"
    if limit < limits.min_limit_fen:
        return NoOffer(limit, bound_by)
    return _priced(policy, terms, limit, stream.rate_ppm, term_months, bound_by, lender)


def instalment(principal_fen: int, annual_rate_ppm: int, months: int) -> int:
    """Fen a month of equal instalments, rounded half up to the fen."""
    if annual_rate_ppm == 0:
        return -(-principal_fen // months)
    rate = _PRECISE.divide(Decimal(annual_rate_ppm), Decimal(12_000_000))
    growth = _PRECISE.power(1 + rate, months)
    amount = _PRECISE.divide(_PRECISE.multiply(_PRECISE.multiply(principal_fen, rate), growth), growth - 1)
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _priced(
    policy: Policy, terms: Terms, limit: int, rate_ppm: int, months: int, bound_by: str, lender: str
) -> Offer:
    rate = min(rate_ppm, terms.rate_cap.value)
    each = instalment(limit, rate, months)
    return Offer(
        limit_fen=limit,
        annual_rate_ppm=rate,
        all_in_annual_ppm=rate,
        term_months=months,
        repayment="equal_instalments",
        instalment_fen=each,
        total_interest_fen=max(each * months - limit, 0),
        bound_by=bound_by,
        limit_cap=terms.limit_cap.id,
        rate_cap=terms.rate_cap.id,
        lender=lender,
        disclosure=policy.document.disclosure,
    )
