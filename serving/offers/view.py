"""An offer as it is told: where it stands, the seven disclosures of REG-IL-16, every payment."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from features.calendar import iso
from features.contracts.model import Text
from features.loans.plan import Repayment as Repay
from features.loans.plan import Terms
from serving.cases.opening import Opened
from serving.offers.model import DrawdownRow, OfferRow
from serving.offers.offer import Offer
from serving.offers.schedule import Payment, schedule


class Repayment(msgspec.Struct, frozen=True):
    """How the whole limit is paid back, if it is drawn at once: ``payments`` month by month, in fen."""

    kind: str
    term_months: int
    total_interest_fen: int
    fee_fen: int
    payments: tuple[Payment, ...]


class Disclosure(msgspec.Struct, frozen=True):
    """What a lender must disclose, in the order of REG-IL-16."""

    lender: str
    annual_rate_ppm: int
    all_in_annual_ppm: int
    repayment: Repayment
    collection: Text
    complaint: Text
    liability: Text


class Drawn(msgspec.Struct, frozen=True):
    """A drawdown with its own payments; ``linked_id`` is the decision that was made for it."""

    drawdown_id: UUID
    amount_fen: int
    left_fen: int
    drawn_at: str
    linked_id: UUID
    payments: tuple[Payment, ...]


class OfferView(msgspec.Struct, frozen=True):
    """An offer; ``valid_to`` is its last day. What is not yet, or not at all, is null."""

    decision_id: UUID
    state: str
    product: str
    limit_fen: int
    drawn_fen: int
    left_fen: int
    counter_offer: bool
    bound_by: str
    made_at: str
    valid_to: str
    settled_at: str | None
    line_until: str | None
    frozen_at: str | None
    frozen_for: tuple[str, ...]
    disclosure: Disclosure
    drawdowns: tuple[Drawn, ...]


def view_of(row: OfferRow, opened: Opened, drawn: Sequence[DrawdownRow], now: int) -> OfferView:
    """An offer with its decision, at a moment."""
    offer = offer_of(opened)
    return OfferView(
        decision_id=row.decision_id,
        state=row.state_at(now).value,
        product=row.product,
        limit_fen=row.limit_fen,
        drawn_fen=row.drawn_fen,
        left_fen=row.left_fen,
        counter_offer=offer.counter_offer,
        bound_by=offer.bound_by,
        made_at=iso(row.made_at),
        valid_to=offer.valid_to,
        settled_at=_moment(row.settled_at),
        line_until=_moment(row.line_until),
        frozen_at=_moment(row.frozen_at),
        frozen_for=row.frozen_for,
        disclosure=_disclosure(offer),
        drawdowns=tuple(drawn_of(each, opened) for each in drawn),
    )


def drawn_of(drawn: DrawdownRow, opened: Opened) -> Drawn:
    """A drawdown at the offer's rate and term; it bears its part of the fee."""
    terms = terms_of(opened, drawn.amount_fen)
    return Drawn(
        drawn.drawdown_id,
        drawn.amount_fen,
        drawn.left_fen,
        iso(drawn.drawn_at),
        drawn.linked_id,
        schedule(drawn.amount_fen, terms.annual_rate_ppm, terms.months, terms.fee_fen),
    )


def terms_of(opened: Opened, amount_fen: int) -> Terms:
    """How a drawdown of so many fen is paid back: at the offer's rate and term, with its part of the fee."""
    offer = offer_of(opened)
    fee = offer.fee_fen * amount_fen // offer.limit_fen
    return Terms(Repay.EQUAL, offer.annual_rate_ppm, offer.term_months, fee)


def offer_of(opened: Opened) -> Offer:
    """The offer in a decision's answer."""
    return msgspec.convert(opened.receipt.answer["offer"], Offer)


def _disclosure(offer: Offer) -> Disclosure:
    payments = schedule(offer.limit_fen, offer.annual_rate_ppm, offer.term_months, offer.fee_fen)
    plan = Repayment(offer.repayment, offer.term_months, offer.total_interest_fen, offer.fee_fen, payments)
    told = offer.disclosure
    return Disclosure(
        offer.lender, offer.annual_rate_ppm, offer.all_in_annual_ppm, plan, told["collection"],
        told["complaint"], told["liability"],
    )  # fmt: skip


def _moment(moment: int | None) -> str | None:
    return None if moment is None else iso(moment)
