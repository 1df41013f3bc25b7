"""What the book refuses of an event, with its place and what to do; everything else is kept."""

from __future__ import annotations

from features.calendar import iso
from features.errors import Invalid
from features.loans.ledger import PRINCIPAL, Ledger
from features.loans.model import Event, Kind, Loan, State, day_of
from features.loans.plan import fault_of

_AMOUNTS = {Kind.DRAWDOWN, Kind.FEE, Kind.PAYMENT, Kind.RECOVERY}
_AFTER_CHARGE_OFF = {Kind.FEE, Kind.RECOVERY}


class Refused(Invalid):
    """An event that the book does not take; ``code`` names why."""

    def __init__(self, loan: Loan, event: Event, code: str, why: str, remedy: str) -> None:
        place = f"loan {loan.id}, {event.kind} {event.id} of {iso(event.at)}"
        super().__init__(why, place=place, remedy=remedy, code=code)
        self.event = event


def check(loan: Loan, event: Event, ledger: Ledger, state: State, drawn_fen: int) -> None:
    """Raise unless the loan, as it stands at the event's turn, can take it.

    Raises:
        Refused: with one of the codes that the loans page lists.
    """
    _of_itself(loan, event)
    _of_state(loan, event, ledger, state)
    if event.kind is Kind.DRAWDOWN:
        _drawdown(loan, event, drawn_fen)
    elif event.kind is Kind.RESTRUCTURING:
        _adds_up(loan, event, ledger.owed(PRINCIPAL))
    elif event.kind is Kind.EXTENSION and not ledger.movable(day_of(event.at)):
        why, remedy = "nothing is due from then on.", "Restructure what is overdue."
        raise Refused(loan, event, "nothing_to_extend", why, remedy)


def refuse_twice(loan: Loan, event: Event) -> Refused:
    """The answer to a second record under one id."""
    remedy = "Send a correction, which ends the first record's known time, or give it an id of its own."
    return Refused(loan, event, "twice", "another record with this id is known.", remedy)


def _of_itself(loan: Loan, event: Event) -> None:
    if event.at < loan.granted_at:
        why = f"it lies before the grant of {iso(loan.granted_at)}."
        raise Refused(loan, event, "before_grant", why, "Correct its date, or the grant's.")
    if event.currency != loan.currency:
        why = f"it is in {event.currency}, the loan in {loan.currency}."
        raise Refused(loan, event, "other_currency", why, f"Send the amount booked in {loan.currency}.")
    if event.amount_fen < 0 or (event.kind in _AMOUNTS and event.amount_fen == 0):
        why = f"{event.amount_fen} fen is no amount of it."
        raise Refused(loan, event, "no_amount", why, "Send a positive amount; take back by a correction.")
    if event.days < 0 or (event.kind is Kind.EXTENSION and event.days == 0):
        why = f"{event.days} days move no date forward."
        raise Refused(loan, event, "no_days", why, "Send a positive number of days.")


def _of_state(loan: Loan, event: Event, ledger: Ledger, state: State) -> None:
    kind = event.kind
    if state is State.CHARGED_OFF and kind not in _AFTER_CHARGE_OFF:
        remedy = "Send what is paid now as a recovery." if kind is Kind.PAYMENT else "Correct the charge-off."
        raise Refused(loan, event, "charged_off", "the loan is charged off.", remedy)
    if kind is Kind.RECOVERY and state is not State.CHARGED_OFF:
        why, remedy = "the loan is not charged off.", "Send it as a payment."
        raise Refused(loan, event, "not_charged_off", why, remedy)
    if kind is Kind.DRAWDOWN or ledger.open or (kind is Kind.FEE and state is State.UNDRAWN):
        return
    if state is State.UNDRAWN:
        why, remedy = "nothing is drawn.", "Send the drawdown first, or correct its date."
        raise Refused(loan, event, "nothing_drawn", why, remedy)
    why, remedy = "nothing is owed: the loan is closed.", "Return the money, or book it to another loan."
    raise Refused(loan, event, "closed", why, remedy)


def _drawdown(loan: Loan, event: Event, drawn_fen: int) -> None:
    if drawn_fen + event.amount_fen > loan.limit_fen:
        why = f"with {drawn_fen} fen drawn before, it is over the limit of {loan.limit_fen}."
        raise Refused(loan, event, "over_limit", why, "Draw less, or correct the grant.")
    _adds_up(loan, event, event.amount_fen)


def _adds_up(loan: Loan, event: Event, amount_fen: int) -> None:
    fault = fault_of(event.schedule, amount_fen, day_of(event.at))
    if fault:
        why = f"its schedule does not add up: {fault}."
        remedy = f"Send a schedule whose principal is {amount_fen} fen."
        raise Refused(loan, event, "does_not_add_up", why, remedy)
