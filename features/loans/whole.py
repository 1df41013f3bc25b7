"""The whole book as of a moment, loans by the ten thousand.

A loan of the common kind (one drawdown, a schedule that adds up, payments) is replayed by compiled code; a loan with
anything rarer (fees, extensions, restructurings, charge-offs, several drawdowns, a record that must be refused for more
than its date or amount) by the engine, one by one. Both give the same, which the tests hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index
from features.loans import replay
from features.loans.book import Position, position
from features.loans.feeds import histories
from features.loans.model import Bucket, Kind, State, day_of
from features.loans.rows import BOOK, KINDS, Events, Int64, Lines, Loans, Records, places
from features.timeline.events import EventTable

Flags = NDArray[np.bool_]
STATES, BUCKETS = tuple(State), tuple(Bucket)
_DRAWDOWN, _PAYMENT = KINDS.index(Kind.DRAWDOWN), KINDS.index(Kind.PAYMENT)
_UPPER = np.array([0, 30, 60, 90])
_SAFE = 2.0**60
"""Products of interest and principal beyond it might not fit: the engine's integers have no end."""


@dataclass(frozen=True, slots=True)
class WholeBook:
    """Arrays [loans], sorted by the loan's code: each loan of which a drawdown is known, or for which one was refused.

    ``state`` and ``bucket`` are places in ``STATES`` and ``BUCKETS``; ``overdue``, ``balance`` and ``owed`` fen; ``mob``
    calendar months since the first drawdown, -1 before it. ``refused`` counts records that the book did not take.
    ``ended``: the bank's feed says that the loan has ended, whatever is owed.
    """

    as_of: int
    loan: Int64
    subject: Int64
    state: Int64
    dpd: Int64
    bucket: Int64
    overdue: Int64
    balance: Int64
    owed: Int64
    mob: Int64
    first_payment_default: Flags
    times_late: Int64
    refused: Int64
    ended: Flags

    @property
    def open(self) -> Flags:
        """What a bank has to look after: something is owed, or the records do not say how it stands; not ended."""
        unclear = (self.state == STATES.index(State.UNDRAWN)) & (self.refused > 0)
        found: Flags = ~self.ended & ((self.state == STATES.index(State.ACTIVE)) | unclear)
        return found

    def take(self, rows: Flags | NDArray[np.intp]) -> WholeBook:
        """The chosen loans."""
        return WholeBook(self.as_of, *(getattr(self, name)[rows] for name in self.__slots__[1:]))


def whole_book(tables: Mapping[str, EventTable], as_of: int) -> WholeBook:
    """Every drawn loan as it was known at ``as_of``, from the datasets of the book that are there."""
    drawn = _drawn(tables, as_of)
    records, rows, chosen = drawn.records, drawn.rows, drawn.chosen
    found = np.zeros((len(rows), _WIDTH), dtype=np.int64)
    found[chosen] = _replayed(drawn.take(chosen), np.array([as_of]))[0]
    rare = np.flatnonzero(~chosen)
    told = histories(records, records.loans.loan[rows[rare]])
    for place, (_, loan, life) in zip(rare.tolist(), told, strict=True):
        found[place] = _row(position(loan, life, as_of))
    return _book(as_of, records.loans, rows, found)


def whole_books(tables: Mapping[str, EventTable], moments: Sequence[int]) -> list[WholeBook]:
    """The book at each of several moments, as ``whole_book`` tells it.

    Loans of the common kind are replayed once for all of them, where what was known of them only grew, and in the order in
    which it happened; the others at each.
    """
    if not moments:
        return []
    points = np.unique(np.array(moments, dtype=np.int64))
    drawn = _drawn(tables, int(points[-1]))
    steady = drawn.take(drawn.chosen & _only_grew(tables, drawn, int(points[-1])))
    loans, codes = drawn.records.loans, drawn.records.loans.loan[steady.rows]
    rest = {
        name: tables[name].take(places(codes, tables[name].columns["loan_id"]) < 0)
        for name in BOOK
        if name in tables
    }
    books = []
    for point, found in zip(points.tolist(), _replayed(steady, points), strict=True):
        there = steady.since[steady.drawn] <= point
        books.append(_both(_book(point, loans, steady.rows[there], found[there]), whole_book(rest, point)))
    return [books[place] for place in np.searchsorted(points, moments).tolist()]


def _only_grew(tables: Mapping[str, EventTable], drawn: _Drawn, last: int) -> Flags:
    """Loans of which no record was corrected by then, whose grant and lines were known from the drawdown on, and whose
    payments were known in their order.
    """
    codes = drawn.records.loans.loan[drawn.rows]
    begun, good = drawn.since[drawn.drawn], np.ones(len(codes), dtype=bool)

    def not_so(loan: Int64) -> None:
        at = places(codes, loan)
        good[at[at >= 0]] = False

    for name in BOOK:
        if name not in tables:
            continue
        table = tables[name].take(tables[name].known_from <= last)
        loan = table.columns["loan_id"]
        not_so(loan[table.known_to <= last])
        if name not in ("loan_payment", "loan_event"):
            at = places(codes, loan)
            own = at >= 0
            not_so(loan[own][table.known_from[own] > begun[at[own]]])
    paying = drawn.events.kind == _PAYMENT
    loan, since = drawn.events.loan[paying], drawn.since[paying]
    not_so(loan[1:][(loan[1:] == loan[:-1]) & (since[1:] < since[:-1])])
    return good


def _book(as_of: int, loans: Loans, rows: NDArray[np.intp], found: Int64) -> WholeBook:
    dpd = found[:, replay.DPD]
    return WholeBook(
        as_of, loans.loan[rows], loans.subject[rows], found[:, _STATE], dpd, np.searchsorted(_UPPER, dpd),
        found[:, replay.OVERDUE], found[:, replay.BALANCE], found[:, replay.OWED], found[:, _MOB],
        found[:, replay.FIRST_LATE] > 0, found[:, replay.TIMES_LATE], found[:, replay.REFUSED], loans.ended[rows],
    )  # fmt: skip


def _both(one: WholeBook, other: WholeBook) -> WholeBook:
    """Two parts of a book."""
    if not len(other.loan):
        return one
    order = np.argsort(np.concatenate([one.loan, other.loan]), kind="stable")
    names = WholeBook.__slots__[1:]
    parts = (np.concatenate([getattr(one, name), getattr(other, name)])[order] for name in names)
    return WholeBook(one.as_of, *parts)


_STATE, _MOB = replay.COLUMNS, replay.COLUMNS + 1
_WIDTH = replay.COLUMNS + 2
_ACTIVE, _SETTLED = STATES.index(State.ACTIVE), STATES.index(State.SETTLED)


def _row(one: Position) -> list[int]:
    return [
        one.owed.total_fen, one.overdue.total_fen, one.balance_fen, one.dpd, one.times_late,
        one.first_payment_default, len(one.refused), one.paid.total_fen + one.surplus_fen,
        STATES.index(one.state), -1 if one.mob is None else one.mob,
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Loans with a drawdown (``rows`` among all): which of them compiled code may replay (``chosen``), the row of each one's
    drawdown among ``events``, which are there ``since``, and its lines.
    """

    records: Records
    events: Events
    since: Int64
    rows: NDArray[np.intp]
    chosen: Flags
    drawn: Int64
    lines: Lines
    first: Int64

    def take(self, rows: Flags) -> _Drawn:
        """The chosen loans with their lines."""
        count = np.diff(self.first)
        lines, first = self.lines.take(np.repeat(rows, count)), _firsts(count[rows])
        return _Drawn(
            self.records, self.events, self.since, self.rows[rows], self.chosen[rows], self.drawn[rows], lines, first
        )  # fmt: skip


def _drawn(tables: Mapping[str, EventTable], as_of: int) -> _Drawn:
    records = Records(tables, as_of)
    loans, events = records.loans, records.events
    events = events.take(events.at <= as_of)
    rows = np.flatnonzero(np.isin(loans.loan, events.loan[events.kind == _DRAWDOWN]))
    of = places(loans.loan[rows], events.loan)
    drawing, paying = events.kind == _DRAWDOWN, events.kind == _PAYMENT
    drawn = np.zeros(len(rows), dtype=np.int64)
    drawn[of[drawing]] = np.flatnonzero(drawing)
    own = loans.currency[places(loans.loan, events.loan)]
    other = ~(drawing | paying) | (events.currency != own) | _twice(events)
    at, amount = events.at[drawn], events.amount[drawn]
    lines, first = _cut(records.lines, *_spans(records.lines, events, drawn))
    fits: Flags = (at >= loans.granted_at[rows]) & (amount > 0) & (amount <= loans.limit[rows])
    fits &= np.bincount(of[drawing], minlength=len(rows)) == 1
    fits &= _adds_up(lines, first, amount, (at + replay.CHINA_OFFSET) // replay.DAY)
    fits[of[other & (of >= 0)]] = False
    return _Drawn(records, events, np.maximum(events.at, events.known_from), rows, fits, drawn, lines, first)


def _twice(events: Events) -> Flags:
    """Records whose id another record of their loan has too."""
    order = np.lexsort((events.id, events.loan))
    loan, name = events.loan[order], events.id[order]
    same = (loan[1:] == loan[:-1]) & (name[1:] == name[:-1])
    found = np.zeros(len(order), dtype=bool)
    found[order[1:][same]] = True
    return found


def _adds_up(kept: Lines, first: Int64, amount: Int64, start: Int64) -> Flags:
    """As ``plan.fault_of`` finds no fault, and small enough for the compiled integers."""
    good: Flags = np.diff(first) > 0
    if not good.any():
        return good
    bad = (kept.principal < 0) | (kept.interest < 0) | (kept.fee < 0)
    heads = np.zeros(len(bad) + 1, dtype=bool)
    heads[first] = True
    bad[1:] |= (kept.day[1:] <= kept.day[:-1]) & ~heads[1:-1]
    good[good] = ~np.logical_or.reduceat(bad, first[:-1][good])
    ends, begins = np.maximum(first[1:] - 1, 0), np.minimum(first[:-1], len(bad) - 1)
    good &= (kept.day[begins] >= start) & (kept.principal[ends] > 0)
    big = _sums(np.abs(kept.interest), first).astype(float) * np.maximum(amount, 1)
    good &= (_sums(kept.principal, first) == amount) & (big < _SAFE)
    return good


def _spans(lines: Lines, events: Events, drawn: Int64) -> tuple[Int64, Int64]:
    """From where to where the lines of each drawdown stand."""
    change = np.ones(len(lines.loan), dtype=bool)
    change[1:] = (lines.loan[1:] != lines.loan[:-1]) | (lines.event[1:] != lines.event[:-1])
    starts = np.append(np.flatnonzero(change), len(change))
    heads = lines.take(starts[:-1])
    loan, name = events.loan[drawn], events.id[drawn]
    at, past = (np.searchsorted(heads.loan, loan, side=side) for side in ("left", "right"))
    for row in np.flatnonzero(past - at > 1).tolist():  # a loan with several schedules
        at[row] += np.searchsorted(heads.event[at[row] : past[row]], name[row])
    there = at < past
    there[there] = heads.event[at[there]] == name[there]
    at = np.where(there, at, -1)
    lo = np.where(at >= 0, starts[at], 0)
    return lo, np.where(at >= 0, starts[np.minimum(at + 1, len(starts) - 1)], lo)


def _cut(lines: Lines, lo: Int64, hi: Int64) -> tuple[Lines, Int64]:
    """The lines of these spans one after the other, and where each begins [spans + 1]."""
    first = _firsts(hi - lo)
    rows = np.arange(first[-1]) + np.repeat(lo - first[:-1], hi - lo)
    return lines.take(rows), first


def _firsts(count: Int64) -> Int64:
    return np.concatenate([[0], np.cumsum(count)]).astype(np.int64)


def _sums(values: Int64, first: Int64) -> Int64:
    total = _firsts(values)
    return np.asarray(total[first[1:]] - total[first[:-1]], dtype=np.int64)


def _replayed(drawn: _Drawn, points: Int64) -> Int64:
    """Loans at each of these moments, ascending, [moments, loans, _WIDTH]."""
    loans, events, lines = drawn.records.loans, drawn.events, drawn.lines
    codes = loans.loan[drawn.rows]
    chosen = (events.kind == _PAYMENT) & (places(codes, events.loan) >= 0)
    paying, start = events.take(chosen), events.at[drawn.drawn]
    first_payment = np.append(np.searchsorted(paying.loan, codes), len(paying.loan)).astype(np.int64)
    due = np.ascontiguousarray(np.stack([lines.fee, lines.interest, lines.principal], axis=1))
    days = np.array([day_of(point) for point in points.tolist()], dtype=np.int64)
    found = np.zeros((len(points), len(codes), _WIDTH), dtype=np.int64)
    found[:, :, : replay.COLUMNS] = replay.replay(
        start, loans.granted_at[drawn.rows], drawn.first, first_payment, lines.day, due, paying.at, paying.amount,
        drawn.since[chosen], points, days,
    )  # fmt: skip
    found[:, :, _STATE] = np.where(found[:, :, replay.OWED] > 0, _ACTIVE, _SETTLED)
    found[:, :, _MOB] = month_index(points)[:, None] - month_index(start)
    return found
