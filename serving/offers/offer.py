"""Limit, price and repayment from a grade: integers all the way, each with what set it."""

from __future__ import annotations

import msgspec

from features.calendar import DAY, local_date
from features.contracts.model import Text
from serving.offers.bounds import PPM, REQUESTED, Bound, Facts, Wanted, binding
from serving.offers.schedule import all_in_of, instalment, interest_and_last
from serving.policy.lending import LimitPolicy, OfferRules
from serving.policy.model import RandomApproval
from serving.policy.policy import Policy
from serving.policy.terms import Caps, Terms

PERSON = "person"
"""Bounds what a person granted below what was asked."""


class Offer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bank would lend, and the seven things that it must disclose (REG-IL-16).

    ``bound_by`` says what set the limit: requested, income or another support, unverified, debt_service, grade, cap,
    exposure, or the person who granted it. ``all_in_annual_ppm`` counts interest and fee, as twelve times the monthly internal rate of return.
    ``last_instalment_fen`` takes what rounding left. A ``counter_offer`` is for less than was asked. It can be
    accepted until the end of the day ``valid_to`` in China. Policies without offer rules leave these out. ``priced_by``
    says what set a rate that is made from a cost: the least of its row, the cost, or the cap, which may lie below it.
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
    fee_fen: int = 0
    last_instalment_fen: int = 0
    counter_offer: bool = False
    valid_to: str = ""
    priced_by: str = ""


class NoOffer(msgspec.Struct, frozen=True):
    """What is left is less than the least that is granted."""

    limit_fen: int
    bound_by: str


def make_offer(
    policy: Policy, terms: Terms, wanted: Wanted, facts: Facts, lender: str, at: int
) -> Offer | NoOffer:
    """The offer of an approved case, decided at ``at`` (µs)."""
    least = binding(policy.limits, terms, wanted, facts)
    found = _offered(policy, terms, wanted, least, terms.price.rate_ppm, lender, at)
    if isinstance(found, Offer) and terms.priced_by:
        return msgspec.structs.replace(found, priced_by=terms.priced_by)
    return found


def too_little(policy: Policy, terms: Terms, wanted: Wanted, facts: Facts) -> Bound | None:
    """The bound for which ``make_offer`` would make no offer; None where it would make one."""
    least = binding(policy.limits, terms, wanted, facts)
    return least if _limit(policy.limits, least) < policy.limits.min_limit_fen else None


def make_random_offer(
    policy: Policy, stream: RandomApproval, terms: Terms, wanted: Wanted, lender: str, at: int
) -> Offer | NoOffer:
    """The offer of the random stream: small, capped and priced."""
    step = policy.limits.step_fen
    most = min(stream.max_limit_fen, terms.limit_cap.value)
    found = [Bound(wanted.amount_fen // step * step, REQUESTED), Bound(most, "grade")]
    if terms.exposure_cap is not None:
        found.append(Bound(max(terms.exposure_cap.value - wanted.promised_fen, 0), "exposure"))
    least = min(found, key=lambda bound: bound.most_fen)
    return _offered(policy, terms, wanted, least, stream.rate_ppm, lender, at)


def _limit(limits: LimitPolicy, least: Bound) -> int:
    """Whole steps, in fen."""
    return max(least.most_fen, 0) // limits.step_fen * limits.step_fen


def _offered(
    policy: Policy,
    terms: Terms,
    wanted: Wanted,
    least: Bound,
    rate_ppm: int,
    lender: str,
    at: int,
) -> Offer | NoOffer:
    limits = policy.limits
    limit = _limit(limits, least)
    if limit < limits.min_limit_fen:
        return NoOffer(limit, least.name)
    bound = Bound(limit, least.name)
    return _priced(policy, terms.caps, bound, rate_ppm, wanted.term_months, lender, at)


def person_offer(
    policy: Policy, caps: Caps, wanted: Wanted, limit_fen: int, rate_ppm: int, lender: str, at: int
) -> Offer:
    """The offer of what a person granted at ``at`` (µs), within the bounds that were checked before."""
    name = REQUESTED if limit_fen == wanted.amount_fen else PERSON
    return _priced(policy, caps, Bound(limit_fen, name), rate_ppm, wanted.term_months, lender, at)


def _priced(
    policy: Policy, caps: Caps, bound: Bound, rate_ppm: int, months: int, lender: str, at: int
) -> Offer:
    limit, rate = bound.most_fen, min(rate_ppm, caps.rate_cap.value)
    each = instalment(limit, rate, months)
    offer = Offer(
        limit_fen=limit,
        annual_rate_ppm=rate,
        all_in_annual_ppm=rate,
        term_months=months,
        repayment="equal_instalments",
        instalment_fen=each,
        total_interest_fen=max(each * months - limit, 0),
        bound_by=bound.name,
        limit_cap=caps.limit_cap.id,
        rate_cap=caps.rate_cap.id,
        lender=lender,
        disclosure=policy.document.disclosure,
    )
    rules = policy.document.offers
    return offer if rules is None else _by_rules(offer, rules, caps.rate_cap.value, at)


def _by_rules(offer: Offer, rules: OfferRules, cap_ppm: int, at: int) -> Offer:
    """The offer with its schedule to the fen. A fee that would lift the all-in rate over the cap is not charged."""
    limit, rate, months = offer.limit_fen, offer.annual_rate_ppm, offer.term_months
    fee = limit * rules.fee_ppm // PPM
    cost = max(all_in_of(limit, rate, months, fee), rate) if fee else rate
    if cost > cap_ppm:
        fee, cost = 0, rate
    interest, last = interest_and_last(limit, rate, months, fee)
    return msgspec.structs.replace(
        offer,
        all_in_annual_ppm=cost,
        total_interest_fen=interest,
        fee_fen=fee,
        last_instalment_fen=last,
        counter_offer=offer.bound_by != REQUESTED,
        valid_to=local_date(at + rules.valid_days * DAY).isoformat(),
    )
