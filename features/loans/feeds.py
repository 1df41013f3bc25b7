"""The book as the bank's own feeds tell it: datasets ``loan``, ``loan_instalment`` and ``loan_payment``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from features.calendar import NULL
from features.canonical import code_of
from features.loans.book import Position, position
from features.loans.model import Event, Instalment, Kind, Loan, day_of
from features.timeline.events import EventTable

_CHARGED_OFF = code_of("charged_off")
Rows = dict[int, list[dict[str, int]]]


def positions(
    loans: EventTable, instalments: EventTable, payments: EventTable, as_of: int
) -> Iterator[tuple[int, Position]]:
    """Each drawn loan that was known at ``as_of``: the code of its ``loan_id``, and where it stands."""
    due, paid = _by_loan(instalments, as_of), _by_loan(payments, as_of)
    for code, versions in _by_loan(loans, as_of).items():
        for row in versions:
            if row["drawn_at"] != NULL:
                loan = Loan(str(code), row["granted_at"], row["principal"])
                events = [*_of_loan(row, due.get(code, [])), *map(_payment, paid.get(code, []))]
                yield code, position(loan, events, as_of)


def _by_loan(table: EventTable, as_of: int) -> Rows:
    seen = table.visible(as_of)
    names = ["known_from", "known_to", *seen.columns]
    columns = [seen.known_from, seen.known_to, *seen.columns.values()]
    rows: Rows = defaultdict(list)
    for values in zip(*(column.tolist() for column in columns), strict=True):
        row = dict(zip(names, values, strict=True))
        rows[row["loan_id"]].append(row)
    return rows


def _of_loan(row: dict[str, int], due: list[dict[str, int]]) -> Iterator[Event]:
    """The drawdown and, where the state says so, the charge-off; of a restructuring the feed has no terms."""
    known, until = row["known_from"], row["known_to"]
    schedule = _split(row["principal"], sorted(due, key=lambda one: one["number"]))
    yield Event("drawdown", Kind.DRAWDOWN, row["drawn_at"], known, until, row["principal"], schedule=schedule)
    if row["state"] == _CHARGED_OFF and row["ended_at"] != NULL:
        yield Event("charge_off", Kind.CHARGE_OFF, row["ended_at"], known, until)


def _split(principal: int, due: list[dict[str, int]]) -> tuple[Instalment, ...]:
    """The feed gives what is due, not of what: principal in equal parts, the last takes the rest; else interest."""
    each = principal // max(len(due), 1)
    lines = []
    for place, row in enumerate(due, start=1):
        part = each if place < len(due) else principal - each * (place - 1)
        lines.append(Instalment(day_of(row["due_on"]), part, row["due_amount"] - part))
    return tuple(lines)


def _payment(row: dict[str, int]) -> Event:
    known, until = row["known_from"], row["known_to"]
    return Event(f"payment {row['number']}", Kind.PAYMENT, row["paid_at"], known, until, row["amount"])
