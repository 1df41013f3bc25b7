"""One loan as of a moment: a pure replay of what was known then.

Nothing is carried over from an earlier answer, so that a record with an old date, whenever it arrives,
changes all that follows it, and only for who asks after it was known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from features.calendar import local_date
from features.loans.checks import Refused, check, refuse_twice
from features.loans.ledger import PRINCIPAL, Ledger, Line
from features.loans.model import (
    Bucket,
    Event,
    Instalment,
    Kind,
    Loan,
    Parts,
    State,
    bucket_of,
    day_of,
)

_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Position:
    """A loan as of a moment, money in fen; for each part ``due`` = ``paid`` + ``owed``.

    ``due`` is all that was ever asked for, less what prepayment or restructuring took back. ``overdue`` is what
    of ``owed`` was due before the day. ``surplus_fen`` was paid beyond all that was owed. ``balance_fen`` is
    the principal on the book, ``charged_off_fen`` the principal that a charge-off took off it. ``dpd`` counts
    days from the oldest due date that is not paid in full; ``mob`` calendar months since the first drawdown,
    None before it. ``times_late`` counts due dates that were not kept, mended or not.
    """

    as_of: int
    state: State
    due: Parts
    paid: Parts
    owed: Parts
    overdue: Parts
    surplus_fen: int
    balance_fen: int
    charged_off_fen: int
    recovered_fen: int
    dpd: int
    bucket: Bucket
    mob: int | None
    first_payment_default: bool
    times_late: int
    lines: tuple[Line, ...]
    refused: tuple[Refused, ...]


def position(loan: Loan, events: Iterable[Event], as_of: int) -> Position:
    """The loan as of an instant, from the events that were known and true then; any order of ``events`` does."""
    replay = _Replay(loan)
    visible = sorted(
        (event for event in events if event.visible(as_of)),
        key=lambda event: (event.known_from, msgspec.json.encode(event)),
    )
    first: dict[str, Event] = {}
    for event in visible:
        if first.setdefault(event.id, event) is not event:
            replay.refused.append(refuse_twice(loan, event))
    for event in sorted(first.values(), key=lambda event: (event.at, _RANK[event.kind], event.id)):
        replay.take(event)
    return replay.position(as_of)


@dataclass(slots=True)
class _Replay:
    loan: Loan
    ledger: Ledger = field(default_factory=Ledger)
    drawn_at: int | None = None
    drawn: int = 0
    charged_off: int | None = None
    recovered: int = 0
    first: Line | None = None
    refused: list[Refused] = field(default_factory=list)

    def take(self, event: Event) -> None:
        try:
            check(self.loan, event, self.ledger, self.state, self.drawn)
        except Refused as error:
            self.refused.append(error)
        else:
            self._apply(event, day_of(event.at))

    @property
    def state(self) -> State:
        if self.charged_off is not None:
            return State.CHARGED_OFF
        if self.drawn_at is None:
            return State.UNDRAWN
        return State.ACTIVE if self.ledger.open else State.SETTLED

    def _apply(self, event: Event, day: int) -> None:
        match event.kind:
            case Kind.DRAWDOWN:
                self._draw(event, day)
            case Kind.FEE:
                self.ledger.add([Instalment(day + event.days, fee_fen=event.amount_fen)], day)
            case Kind.EXTENSION:
                self.ledger.extend(day, event.days, event.amount_fen)
            case Kind.RESTRUCTURING:
                self.ledger.restructure(event.schedule, day)
            case Kind.CHARGE_OFF:
                self.charged_off = self.ledger.owed(PRINCIPAL)
            case Kind.PAYMENT | Kind.RECOVERY:
                self.ledger.pay(event.amount_fen, day)
                self.recovered += event.amount_fen if event.kind is Kind.RECOVERY else 0

    def _draw(self, event: Event, day: int) -> None:
        self.ledger.add(event.schedule, day)
        self.drawn += event.amount_fen
        if self.drawn_at is None:
            self.drawn_at = event.at
            self.first = next(line for line in self.ledger.lines if line.group == self.ledger.groups)

    def position(self, as_of: int) -> Position:
        day, ledger = day_of(as_of), self.ledger
        oldest = min((line.due_day for line in ledger.lines if line.open), default=day)
        dpd = max(day - oldest, 0)
        owed = ledger.total(Line.owed)
        return Position(
            as_of=as_of,
            state=self.state,
            due=ledger.total(lambda line, part: line.due[part]),
            paid=ledger.total(lambda line, part: line.paid[part]),
            owed=owed,
            overdue=ledger.total(Line.owed, before=day),
            surplus_fen=ledger.surplus,
            balance_fen=owed.principal_fen if self.charged_off is None else 0,
            charged_off_fen=self.charged_off or 0,
            recovered_fen=self.recovered,
            dpd=dpd,
            bucket=bucket_of(dpd),
            mob=None if self.drawn_at is None else _months(self.drawn_at, as_of),
            first_payment_default=self.first is not None and self.first.late(day),
            times_late=sum(line.late(day) for line in ledger.lines),
            lines=tuple(ledger.lines),
            refused=tuple(self.refused),
        )


def _months(start: int, end: int) -> int:
    """Calendar months of China from one instant's to another's."""
    first, last = local_date(start), local_date(end)
    return (last.year - first.year) * 12 + last.month - first.month
