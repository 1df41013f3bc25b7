"""An offer from its approval to its end, the line that it becomes, and why something of it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from features.calendar import iso
from features.errors import Conflict, Invalid, NotFound

_ANEW = "Send a new application with POST /v1/decisions."


class OfferState(StrEnum):
    """Where an offer stands; from ``open`` it goes to one of the others, and stays."""

    OPEN = "open"
    ACCEPTED = "accepted"
    """A line, of which may be drawn."""
    DECLINED = "declined"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class NewOffer:
    """What is written with the decision that offers; instants in µs, ``valid_to`` excluded."""

    subject_id: int
    holder: int | None
    product: str
    limit_fen: int
    line_months: int
    made_at: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class OfferRow:
    """An offer as it is kept; ``holder`` is whose cap it takes from, None where nothing bounds it.

    ``drawn_fen`` is the principal that is owed, ``held_fen`` what of the cap is held: never less than is owed.
    """

    decision_id: UUID
    subject_id: int
    holder: int | None
    product: str
    limit_fen: int
    drawn_fen: int
    held_fen: int
    line_months: int
    made_at: int
    valid_to: int
    state: OfferState
    settled_at: int | None
    line_until: int | None
    frozen_at: int | None
    frozen_for: tuple[str, ...]

    @property
    def left_fen(self) -> int:
        """What may be drawn still, as far as anything may."""
        return self.limit_fen - self.drawn_fen

    def state_at(self, now: int) -> OfferState:
        """The state at a moment: an offer is over also before anybody has written it down."""
        over = self.state is OfferState.OPEN and now >= self.valid_to
        return OfferState.EXPIRED if over else self.state


@dataclass(frozen=True, slots=True)
class DrawdownRow:
    """What was drawn, and what was left of the line after it."""

    drawdown_id: UUID
    amount_fen: int
    left_fen: int
    linked_id: UUID
    drawn_at: int


@dataclass(frozen=True, slots=True)
class RepaymentRow:
    """Principal that came back, and what was owed after it."""

    repayment_id: UUID
    amount_fen: int
    owed_fen: int
    recorded_at: int


class UnknownOffer(NotFound):
    """No offer of this decision."""

    def __init__(self) -> None:
        super().__init__(
            "there is no offer of this decision.",
            place="decision_id",
            remedy="Compare the id: an approval by the system offers, under a policy with `offers`.",
        )


class OfferEnded(Conflict):
    """It was declined, or its time is over."""

    def __init__(self, state: OfferState, row: OfferRow) -> None:
        when = iso(row.valid_to if state is OfferState.EXPIRED else row.settled_at or row.valid_to)
        super().__init__(
            f"this offer is {state.value} since {when}.",
            place="decision_id",
            remedy=_ANEW,
            code=f"offer_{state.value}",
        )


class NotAccepted(Conflict):
    """Nothing may be drawn of an offer that nobody accepted."""

    def __init__(self) -> None:
        super().__init__(
            "this offer was not accepted yet.",
            place="decision_id",
            remedy="POST /v1/offers/{decision_id}/accept first.",
        )


class AlreadyAccepted(Conflict):
    """A line is not declined any more."""

    def __init__(self) -> None:
        super().__init__(
            "this offer was accepted: it is a line.",
            place="decision_id",
            remedy="Draw nothing of it; at its end it is frozen unless it is approved anew.",
        )


class LineFrozen(Conflict):
    """Nothing may be drawn of it."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(
            f"this line is frozen: {', '.join(reasons)}.",
            place="decision_id",
            remedy="POST /v1/offers/{decision_id}/reapprove decides it anew on today's facts.",
        )


class LineOver(Conflict):
    """It was to be approved anew before."""

    def __init__(self, until: int) -> None:
        super().__init__(
            f"this line ended on {iso(until)[:10]} and was not approved anew.",
            place="decision_id",
            remedy="POST /v1/offers/{decision_id}/reapprove decides it anew on today's facts.",
        )


class WrongAmount(Invalid):
    """More than is left, or less than is lent."""

    def __init__(self, amount: int, least: int, most: int) -> None:
        remedy = f"Draw from {least} to {most} fen." if least <= most else "Nothing can be drawn any more."
        super().__init__(f"{amount} fen cannot be drawn of this line.", place="amount_fen", remedy=remedy)


class WrongRepayment(Invalid):
    """More than is owed."""

    def __init__(self, amount: int, owed: int) -> None:
        remedy = f"Record from 1 to {owed} fen of principal." if owed else "Nothing is owed."
        super().__init__(f"{amount} fen are not owed of this line.", place="amount_fen", remedy=remedy)


class CapTaken(Conflict):
    """What was repaid of the line was promised to somebody else of the household."""

    def __init__(self) -> None:
        super().__init__(
            "the household's cap leaves no room for this drawdown any more; nothing was paid.", place="amount_fen",
            remedy="Draw less, or repay, decline or let expire something else that the household was promised.",
        )  # fmt: skip


class DrawRefused(Conflict):
    """Today's facts speak against it; what declines freezes the line."""

    def __init__(self, linked: UUID, reasons: Sequence[str], *, frozen: bool) -> None:
        line_ = "the line is frozen" if frozen else "nothing was paid, and a person has to look"
        super().__init__(
            f"today's facts refuse this drawdown: {', '.join(reasons)}; {line_}.",
            place="decision_id",
            remedy=f"GET /v1/decisions/{linked}/notice tells why; a wrong record is disputed, then reapprove.",
        )


class OtherApplicant(Invalid):
    """A number of somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "this number is not of the person to whom it was offered.",
            place="id_number",
            remedy="Compare the document.",
        )


def drawable(row: OfferRow, amount: int, least: int, now: int) -> None:
    """Whether so much may be drawn at a moment, as far as the line itself says; ``least`` is the smallest loan.

    Raises:
        OfferEnded, NotAccepted, LineFrozen, LineOver, WrongAmount.
    """
    line(row, now)
    if row.frozen_at is not None:
        raise LineFrozen(row.frozen_for)
    assert row.line_until is not None
    if now >= row.line_until:
        raise LineOver(row.line_until)
    if not least <= amount <= row.left_fen:
        raise WrongAmount(amount, least, row.left_fen)


def line(row: OfferRow, now: int) -> None:
    """Whether it is a line, frozen or not.

    Raises:
        OfferEnded, NotAccepted.
    """
    state = row.state_at(now)
    if state is OfferState.OPEN:
        raise NotAccepted
    if state is not OfferState.ACCEPTED:
        raise OfferEnded(state, row)
