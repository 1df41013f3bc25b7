"""A small book in which every kind of loan stands once, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.calendar import instant
from features.loans.feeds import event_id
from features.loans.model import Event, Instalment, Kind, Loan, day_of
from features.loans.whole import whole_book
from features.timeline.events import EventTable
from serving.classes.judging import Judged, Told, judge, nothing_before
from serving.classes.tiers import Before
from tests.features.loans.tables import Tables
from tests.serving.classes.rows import DOCUMENT, values

DRAWN = instant("2024-01-10T10:00:00")
AMOUNT = 1_200_000


def monthly(first: str, count: int, amount: int = AMOUNT) -> tuple[Instalment, ...]:
    """Equal parts on the tenth of each month."""
    year, month = (int(part) for part in first.split("-"))
    found = []
    for number in range(count):
        there = (year * 12 + month - 1 + number) // 12, (month - 1 + number) % 12 + 1
        day = day_of(instant(f"{there[0]}-{there[1]:02d}-10"))
        found.append(Instalment(day, amount // count, 1_000))
    return tuple(found)


def event(
    number: int, kind: Kind, at: str, amount: int = 0, known: str = "", schedule: tuple[Instalment, ...] = ()
) -> Event:
    """Something that happened, known at once or later."""
    moment = instant(at)
    return Event(
        event_id(number),
        kind,
        moment,
        instant(known) if known else moment,
        amount_fen=amount,
        schedule=schedule,
    )


def drawn(count: int = 24) -> Event:
    """A loan of so many monthly parts."""
    return event(1, Kind.DRAWDOWN, "2024-01-10T10:00:00", AMOUNT, schedule=monthly("2024-02", count))


def paid(first: str, count: int, start: int = 100, day: int = 9) -> list[Event]:
    """Payments in time of so many months."""
    each = AMOUNT // 24 + 1_000
    return [
        event(
            start + number,
            Kind.PAYMENT,
            f"{first[:4]}-{int(first[5:]) + number:02d}-{day:02d}T12:00:00",
            each,
        )
        for number in range(count)
    ]


def book_of(lives: Mapping[int, list[Event]]) -> dict[str, EventTable]:
    """Loans by their code."""
    tables = Tables()
    for code, events in lives.items():
        tables.grant(code, Loan(str(code), DRAWN, AMOUNT))
        tables.tell(code, events)
    return tables.tables()


def judged(
    tables: dict[str, EventTable],
    at: str,
    before: tuple[list[int], list[int]] | None = None,
    alerts: list[int] | None = None,
    **known: list[float],
) -> Judged:
    """The open book as of a day, of which nothing is known but the loans."""
    as_of = instant(at)
    whole = whole_book(tables, as_of)
    book = whole.take(whole.open)
    rows = len(book.loan)
    was = (
        nothing_before(rows)
        if before is None
        else Before(*(np.array(each, dtype=np.int8) for each in before))
    )
    told = values(dpd=book.dpd.astype(float).tolist(), limit_yuan=[AMOUNT / 100] * rows, **known)
    ranks = np.array(alerts or [0] * rows, dtype=np.int8)
    return judge(DOCUMENT, tables, Told(book, told, was, ranks), as_of)
