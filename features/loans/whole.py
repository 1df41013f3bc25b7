"""The whole book as of a moment, loans by the ten thousand.

A loan of the common kind (one drawdown, a schedule that adds up, payments) is replayed by compiled code; a loan with
anything rarer (fees, extensions, restructurings, charge-offs, several drawdowns, a record that must be refused for more
than its date or amount) by the engine, one by one. Both give the same, which the tests hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index
from features.loans import replay
from features.loans.book import Position, position
from features.loans.feeds import histories
from features.loans.model import Bucket, Kind, State, day_of
from features.loans.rows import KINDS, Events, Int64, Lines, Loans, Records, places
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
    records = Records(tables, as_of)
    events = records.events
    events = events.take(events.at <= as_of)
    loans = records.loans
    rows = np.flatnonzero(np.isin(loans.loan, events.loan[events.kind == _DRAWDOWN]))
    found = np.zeros((len(rows), _WIDTH), dtype=np.int64)
    common = _common(records, events, rows)
    chosen = common.chosen
    found[chosen, : replay.COLUMNS] = _replayed(loans, events, rows[chosen], common.take(chosen), as_of)
    found[chosen, _STATE] = np.where(found[chosen, replay.OWED] > 0, _ACTIVE, _SETTLED)
    found[chosen, _MOB] = _months(events.at[common.drawn[chosen]], as_of)
    rare = np.flatnonzero(~chosen)
    told = histories(records, loans.loan[rows[rare]])
    for place, (_, loan, life) in zip(rare.tolist(), told, strict=True):
        found[place] = _row(position(loan, life, as_of))
    dpd = found[:, replay.DPD]
    return WholeBook(
        as_of, loans.loan[rows], loans.subject[rows], found[:, _STATE], dpd, np.searchsorted(_UPPER, dpd),
        found[:, replay.OVERDUE], found[:, replay.BALANCE], found[:, replay.OWED], found[:, _MOB],
        found[:, replay.FIRST_LATE] > 0, found[:, replay.TIMES_LATE], found[:, replay.REFUSED], loans.ended[rows],
    )  # fmt: skip


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
    """Which loans compiled code may replay (``chosen``), the row of each one's drawdown, and its lines."""

    chosen: Flags
    drawn: Int64
    lines: Lines
    first: Int64

    def take(self, rows: Flags) -> _Drawn:
        """The chosen loans with their lines."""
        count = np.diff(self.first)
        lines = self.lines.take(np.repeat(rows, count))
        return _Drawn(self.chosen[rows], self.drawn[rows], lines, _firsts(count[rows]))


def _common(records: Records, events: Events, rows: NDArray[np.intp]) -> _Drawn:
    loans = records.loans
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
    return _Drawn(fits, drawn, lines, first)


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
    pairs = zip(heads.loan.tolist(), heads.event.tolist(), strict=True)
    known = {pair: place for place, pair in enumerate(pairs)}
    wanted = zip(events.loan[drawn].tolist(), events.id[drawn].tolist(), strict=True)
    at = np.array([known.get(pair, -1) for pair in wanted], dtype=np.int64)
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


def _replayed(loans: Loans, events: Events, rows: NDArray[np.intp], drawn: _Drawn, as_of: int) -> Int64:
    codes, lines = loans.loan[rows], drawn.lines
    paying = events.take((events.kind == _PAYMENT) & (places(codes, events.loan) >= 0))
    first_payment = np.append(np.searchsorted(paying.loan, codes), len(paying.loan)).astype(np.int64)
    due = np.ascontiguousarray(np.stack([lines.fee, lines.interest, lines.principal], axis=1))
    found: Int64 = replay.replay(
        events.at[drawn.drawn], loans.granted_at[rows], drawn.first, first_payment, lines.day, due, paying.at,
        paying.amount, day_of(as_of),
    )  # fmt: skip
    return found


def _months(start: Int64, end: int) -> Int64:
    return np.asarray(month_index(np.array([end])) - month_index(start), dtype=np.int64)
