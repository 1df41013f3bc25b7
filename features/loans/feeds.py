"""Loans one by one, by the engine, from the datasets of the book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from features.canonical import code_of
from features.loans.book import Position, position
from features.loans.model import Event, Instalment, Kind, Loan
from features.loans.rows import KINDS, Int64, Records, places
from features.timeline.events import EventTable

_CURRENCIES = {code_of(text): text for text in ("CNY", "USD", "EUR", "HKD", "JPY")}
_SCHEDULED = {KINDS.index(kind) for kind in (Kind.DRAWDOWN, Kind.RESTRUCTURING)}


def positions(tables: Mapping[str, EventTable], as_of: int) -> Iterator[tuple[int, Position]]:
    """Each drawn loan that was known at ``as_of``: the code of its ``loan_id``, and where it stands."""
    records = Records(tables, as_of)
    drawn = set(records.events.loan[records.events.kind == KINDS.index(Kind.DRAWDOWN)].tolist())
    for code, loan, events in histories(records, records.loans.loan):
        if code in drawn:
            yield code, position(loan, events, as_of)


def histories(records: Records, codes: Int64) -> Iterator[tuple[int, Loan, list[Event]]]:
    """The loans of these codes (those that are known, ascending) as the engine takes them."""
    loans = records.loans
    rows = places(loans.loan, codes)
    for row in sorted({row for row in rows.tolist() if row >= 0}):
        code = int(loans.loan[row])
        currency = currency_of(int(loans.currency[row]))
        loan = Loan(str(code), int(loans.granted_at[row]), int(loans.limit[row]), currency)
        yield code, loan, _events(records, code)


def currency_of(code: int) -> str:
    """The text of a currency, or its code where the book has no use for the text."""
    return _CURRENCIES.get(code, str(code))


def event_id(code: int) -> str:
    """The id under which the engine knows an event: texts of one length, so that they sort as the codes do."""
    return f"{code:015d}"


def _events(records: Records, code: int) -> list[Event]:
    rows = records.events
    lo, hi = rows.loan.searchsorted([code, code + 1]).tolist()
    schedules = _schedules(records, code)
    names = ("id", "kind", "at", "known_from", "known_to", "amount", "currency", "days")
    found = []
    for name, kind, at, known, until, amount, currency, days in zip(
        *(getattr(rows, column)[lo:hi].tolist() for column in names), strict=True
    ):
        lines = tuple(schedules.get(name, ())) if kind in _SCHEDULED else ()
        found.append(
            Event(event_id(name), KINDS[kind], at, known, until, amount, currency_of(currency), lines, days)
        )
    return found


def _schedules(records: Records, code: int) -> dict[int, list[Instalment]]:
    lines = records.lines
    lo, hi = lines.loan.searchsorted([code, code + 1]).tolist()
    found: dict[int, list[Instalment]] = {}
    for event, day, principal, interest, fee in zip(
        *(getattr(lines, n)[lo:hi].tolist() for n in ("event", "day", "principal", "interest", "fee")),
        strict=True,
    ):
        found.setdefault(event, []).append(Instalment(day, principal, interest, fee))
    return found
