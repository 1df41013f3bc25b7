"""What is asked of the loan book and what it answers."""

from __future__ import annotations

import msgspec

from features.calendar import iso
from features.errors import Conflict, Invalid, NotFound
from features.loans.book import Position
from features.loans.checks import Refused
from features.loans.ledger import FEE, INTEREST, PRINCIPAL, Line
from features.loans.model import Event, Instalment, Kind, Loan, Parts, start_of
from features.loans.plan import Terms

_FIELDS = {
    "before_grant": "at", "other_currency": "currency", "no_amount": "amount_fen", "no_days": "days",
    "over_limit": "amount_fen", "does_not_add_up": "schedule", "nothing_to_extend": "at",
}  # fmt: skip
"""The field of a request to which a refusal of the book points; the others are about the loan."""


class Given(msgspec.Struct, frozen=True):
    """A grant that was made elsewhere."""

    id_number: str
    granted_at: int
    limit_fen: int
    currency: str = "CNY"
    repayment: str = ""
    annual_rate_ppm: int | None = None
    term_months: int | None = None


class Told(msgspec.Struct, frozen=True):
    """Something that happened to a loan. A ``reference`` is the bank's own name of it; without one the key of the call is.

    Of a drawdown or a restructuring the ``schedule`` is told, or the ``terms`` from which it follows.
    """

    kind: Kind
    at: int
    reference: str = ""
    amount_fen: int = 0
    currency: str = ""
    days: int = 0
    schedule: tuple[Instalment, ...] = ()
    terms: Terms | None = None


class LineView(msgspec.Struct, frozen=True):
    """One due date; ``settled_on`` is the day on which nothing of it was owed any more."""

    due_on: str
    due: Parts
    paid: Parts
    owed: Parts
    settled_on: str | None


class EventView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened, and since when it is known."""

    event_id: str
    kind: Kind
    at: str
    known_from: str
    amount_fen: int = 0
    currency: str = "CNY"
    days: int = 0


class RefusalView(msgspec.Struct, frozen=True):
    """A record that is known and that the book did not take, with what to do."""

    event_id: str
    code: str
    why: str
    remedy: str


class LoanView(msgspec.Struct, frozen=True):
    """Where a loan stands as of a moment; see ``features.loans.book.Position``."""

    loan_id: str
    as_of: str
    state: str
    currency: str
    granted_at: str
    limit_fen: int
    due: Parts
    paid: Parts
    owed: Parts
    overdue: Parts
    surplus_fen: int
    balance_fen: int
    charged_off_fen: int
    recovered_fen: int
    dpd: int
    bucket: str
    mob: int | None
    first_payment_default: bool
    times_late: int
    lines: tuple[LineView, ...]
    events: tuple[EventView, ...]
    refused: tuple[RefusalView, ...]


class Recorded(msgspec.Struct, frozen=True):
    """What was recorded, and where the loan stood when it became known: again gives the same."""

    loan_id: str
    event_id: str
    loan: LoanView


class BookRow(msgspec.Struct, frozen=True):
    """One loan of the book."""

    loan_id: str
    state: str
    dpd: int
    bucket: str
    overdue_fen: int
    balance_fen: int
    owed_fen: int
    mob: int
    first_payment_default: bool
    times_late: int
    refused: int


class BookPage(msgspec.Struct, frozen=True):
    """A page of the book; ``after`` leads to the next one and is empty on the last."""

    as_of: str
    loans: int
    overdue_fen: int
    balance_fen: int
    rows: tuple[BookRow, ...]
    after: str


class UnknownLoan(NotFound):
    """No loan of this id in the tenant's book."""

    def __init__(self) -> None:
        super().__init__("there is no such loan.", place="loan_id", remedy="Compare the id.")


class Reused(Conflict):
    """A key or reference under which something else is recorded."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"this {what} stands for another record.",
            place=what,
            remedy="Repeat the same record under it, or take another one.",
            code="recorded_otherwise",
        )


class InTheFuture(Invalid):
    """Something that has not happened yet."""

    def __init__(self, place: str, at: int, now: int) -> None:
        super().__init__(
            f"{iso(at)} is after now, {iso(now)}.",
            place=place,
            remedy="Tell it once it has happened, or correct its date or your clock.",
        )


class BookRefuses(Invalid):
    """The book does not take a record; the code is the book's own."""

    def __init__(self, refused: Refused) -> None:
        place = _FIELDS.get(refused.code, "loan_id")
        super().__init__(refused.message, place=place, remedy=refused.remedy, code=refused.code)


def view(loan_id: str, loan: Loan, events: list[Event], found: Position) -> LoanView:
    """What is told of a loan."""
    seen = sorted(
        (one for one in events if one.visible(found.as_of)), key=lambda one: (one.at, one.known_from, one.id)
    )
    return LoanView(
        loan_id, iso(found.as_of), found.state, loan.currency, iso(loan.granted_at), loan.limit_fen, found.due,
        found.paid, found.owed, found.overdue, found.surplus_fen, found.balance_fen, found.charged_off_fen,
        found.recovered_fen, found.dpd, found.bucket, found.mob, found.first_payment_default, found.times_late,
        tuple(map(_line, found.lines)), tuple(map(_event, seen)),
        tuple(RefusalView(one.event.id, one.code, one.message, one.remedy) for one in found.refused),
    )  # fmt: skip


def _line(line: Line) -> LineView:
    owed = [line.owed(part) for part in (FEE, INTEREST, PRINCIPAL)]
    settled = None if line.settled_day is None else iso(start_of(line.settled_day))
    return LineView(iso(start_of(line.due_day)), Parts(*line.due), Parts(*line.paid), Parts(*owed), settled)


def _event(one: Event) -> EventView:
    return EventView(
        one.id, one.kind, iso(one.at), iso(one.known_from), one.amount_fen, one.currency, one.days
    )
