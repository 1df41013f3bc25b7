"""Histories of loans as the tables of the timeline that would have told them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from features.calendar import NEVER, NULL
from features.canonical import code_of
from features.loans.feeds import event_id
from features.loans.model import Event, Kind, Loan, start_of
from features.loans.rows import BOOK
from features.timeline.events import EventTable

COLUMNS = {
    "loan": ("loan_id", "granted_at", "drawn_at", "due_on", "ended_at", "principal", "state"),
    "loan_instalment": ("loan_id", "number", "due_on", "due_amount"),
    "loan_payment": ("loan_id", "number", "paid_at", "amount"),
    "loan_grant": ("loan_id", "granted_at", "limit", "currency"),
    "loan_event": ("loan_id", "event_id", "kind", "happened_at", "amount", "currency", "days"),
    "loan_schedule": ("loan_id", "event_id", "number", "due_on", "principal", "interest", "fee"),
}


class Tables:
    """Rows are added, tables are taken. The subject of a loan is its code and one."""

    def __init__(self) -> None:
        self._rows: dict[str, list[list[int]]] = {name: [] for name in BOOK}

    def add(self, dataset: str, loan: int, known: int, until: int = NEVER, **values: int) -> None:
        """One row of a dataset; what is not given is absent."""
        columns = [{"loan_id": loan, **values}.get(name, NULL) for name in COLUMNS[dataset]]
        number = len(self._rows[dataset])
        self._rows[dataset].append([loan + 1, known, NEVER, known, until, number, *columns])

    def grant(self, code: int, loan: Loan) -> None:
        """A grant, known when it was given."""
        currency = code_of(loan.currency)
        self.add("loan_grant", code, loan.granted_at, granted_at=loan.granted_at, limit=loan.limit_fen, currency=currency)  # fmt: skip

    def tell(self, code: int, events: Iterable[Event]) -> None:
        """What happened to a loan; the events' ids are those of ``event_id``."""
        for one in events:
            name = int(one.id)
            self.add(
                "loan_event", code, one.known_from, one.known_to, event_id=name, kind=code_of(one.kind), happened_at=one.at,
                amount=one.amount_fen, currency=code_of(one.currency), days=one.days,
            )  # fmt: skip
            for number, line in enumerate(one.schedule, start=1):
                self.add(
                    "loan_schedule", code, one.known_from, one.known_to, event_id=name, number=number,
                    due_on=start_of(line.due_day), principal=line.principal_fen, interest=line.interest_fen,
                    fee=line.fee_fen,
                )  # fmt: skip

    def tables(self) -> dict[str, EventTable]:
        """All that was added."""
        return {name: self._table(name) for name in BOOK}

    def _table(self, name: str) -> EventTable:
        width = 6 + len(COLUMNS[name])
        matrix = np.array(self._rows[name], dtype=np.int64).reshape(-1, width)
        fields = {field: matrix[:, 6 + place] for place, field in enumerate(COLUMNS[name])}
        return EventTable(*matrix[:, :6].T, fields)


def renamed(events: Iterable[Event]) -> list[Event]:
    """The same events under ids that the book of the feeds could give them; who has a schedule has an id of its own."""
    found = []
    for number, one in enumerate(events):
        text = f"{number}" if one.kind in {Kind.DRAWDOWN, Kind.RESTRUCTURING} else f"id {one.id}"
        values = {name: getattr(one, name) for name in one.__struct_fields__}
        found.append(Event(**{**values, "id": event_id(code_of(text))}))
    return found
