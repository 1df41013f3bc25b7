"""What classes and losses need of the book beside days past due: restructurings, rates, schedules, conduct, roll rates. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, local_date, month_index, months_before
from features.loans.book import Position, position
from features.loans.feeds import histories
from features.loans.model import Bucket, Kind, State, day_of, start_of
from features.loans.rows import KINDS, Events, Records, places
from features.loans.whole import BUCKETS, STATES, WholeBook, whole_books
from features.timeline.events import EventTable
from serving.classes.tiers import Conduct, Flags

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Tables = Mapping[str, EventTable]
_RESTRUCTURING = KINDS.index(Kind.RESTRUCTURING)
DEFAULT = BUCKETS.index(Bucket.OVER_90)
"""The state that roll rates do not leave."""
_PRIOR = 0.5
"""Loans that are thought to stay in their band, and to roll to the next, before any was seen."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Arrays in the order of a book's loans: ``restructured_months`` whole months (NaN: never), ``rate`` ppm a year
    (``NULL``: not told), and of the schedule to come ``first`` [loans + 1], ``month`` (0: the coming one), ``principal`` fen.
    """

    restructured_months: Floats
    rate: Int64
    first: Int64
    month: Int64
    principal: Int64


def standing(tables: Tables, loans: Int64, as_of: int) -> Standing:
    """Of loans by their sorted codes, as it was known at ``as_of``."""
    records = Records(tables, as_of)
    events = records.events
    again = events.take((events.kind == _RESTRUCTURING) & (events.at <= as_of))
    months = np.full(len(loans), np.nan)
    row = places(loans, again.loan)
    for place, at in zip(row[row >= 0].tolist(), again.at[row >= 0].tolist(), strict=True):
        months[place] = _whole_months(at, as_of)  # ascending, so that the last stands
    return Standing(months, _rates(tables, loans, as_of), *_schedule(records, again, loans, as_of))


def _whole_months(since: int, until: int) -> int:
    """Calendar months of China that have passed in full."""
    months = int(month_index(np.array([until]))[0] - month_index(np.array([since]))[0])
    return months - (months_before(until, months) < since)


def _rates(tables: Tables, loans: Int64, as_of: int) -> Int64:
    found = np.full(len(loans), NULL)
    for name in ("loan", "loan_grant"):
        if name in tables and "annual_rate_ppm" in tables[name].columns:
            seen = tables[name].visible(as_of)
            seen = seen.take(np.argsort(seen.known_from, kind="stable"))
            row, told = places(loans, seen.columns["loan_id"]), seen.columns["annual_rate_ppm"]
            good = (row >= 0) & (told != NULL)
            found[row[good]] = told[good]
    return found


def _schedule(records: Records, again: Events, loans: Int64, as_of: int) -> tuple[Int64, Int64, Int64]:
    """Lines to come: those of the last restructuring, else of all drawdowns."""
    lines = records.lines
    row = places(loans, lines.loan)
    last = dict(zip(again.loan.tolist(), again.id.tolist(), strict=True))
    mine = np.fromiter(last.keys(), np.int64, len(last))
    order = np.argsort(mine)
    of = places(mine[order], lines.loan)
    ids = np.fromiter(last.values(), np.int64, len(last))[order]
    kept = (row >= 0) & (lines.day >= day_of(as_of)) & (lines.principal > 0)
    if len(ids):
        kept &= (of < 0) | (lines.event == ids[of])
    month = lines.day[kept].astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    count = np.bincount(row[kept], minlength=len(loans))
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return first, month - month_index(np.array([as_of]))[0], lines.principal[kept]


def bad_share(book: WholeBook, over_dpd: float) -> Floats:
    """Of what each loan's borrower owes here, the share that is more than so many days past due."""
    _, place = np.unique(book.subject, return_inverse=True)
    owed = np.bincount(place, book.balance).astype(float)
    bad = np.bincount(place, np.where(book.dpd > over_dpd, book.balance, 0))
    return np.asarray(np.divide(bad, owed, out=np.zeros_like(owed), where=owed > 0)[place])


def conduct(tables: Tables, book: WholeBook, chosen: Flags, restructured: Flags, as_of: int) -> Conduct:
    """What the chosen loans have shown, replayed from all that is known now; of others nothing is asked and 0 told."""
    months = np.zeros(len(book.loan), dtype=np.int64)
    periods = np.zeros(len(book.loan), dtype=np.int64)
    if chosen.any():
        records = Records(tables, as_of)
        rows = np.flatnonzero(chosen).tolist()
        for row, (_, loan, events) in zip(rows, histories(records, book.loan[chosen]), strict=True):
            again = [
                day_of(one.at) for one in events if one.kind is Kind.RESTRUCTURING and one.visible(as_of)
            ]
            months[row], periods[row] = shown(position(loan, events, as_of), again)
    return Conduct(months, periods, restructured)


def shown(found: Position, restructured: Sequence[int]) -> tuple[int, int]:
    """Whole months since the last arrears ended or the loan was restructured (days of China), and due dates kept since."""
    today = day_of(found.as_of)
    if found.dpd:
        return 0, 0
    ended = [line.settled_day for line in found.lines if line.late(today) and line.settled_day is not None]
    begun = [line.due_day for line in found.lines]
    clean = max([*ended, *restructured], default=min(begun, default=today))
    kept = [line for line in found.lines if clean < line.due_day < today and any(line.due)]
    return max(_whole_months(start_of(clean), start_of(today)), 0), len(kept)


def roll_rates(books: Sequence[WholeBook]) -> Floats:
    """Chances [bands, bands] to go from one band to another in a month, from books of successive months.

    A loan that was repaid counts as one at 0 days, a charged-off one as more than 90; from there nothing goes back.
    """
    count = np.zeros((len(BUCKETS), len(BUCKETS)))
    for before, after in pairwise(books):
        live = before.take(before.open)
        row = places(after.loan, live.loan)
        band = np.where(row >= 0, _band(after)[row], 0)
        np.add.at(count, (live.bucket, band), 1.0)
    for place in range(DEFAULT):
        count[place, place : place + 2] += _PRIOR
    count[DEFAULT] = 0.0
    count[DEFAULT, DEFAULT] = 1.0
    return np.asarray(count / count.sum(axis=1, keepdims=True))


def _band(book: WholeBook) -> Int64:
    gone = book.state == STATES.index(State.CHARGED_OFF)
    return np.where(gone, DEFAULT, np.where(book.open, book.bucket, 0))


def hazard_of_rolls(rolls: Floats, months: int) -> Floats:
    """Monthly chances [bands, months] to default, by the band of today."""
    found = np.ones((len(rolls), months))
    state = np.eye(len(rolls))
    for month in range(months):
        survived = 1.0 - state[:, DEFAULT]
        state = state @ rolls
        entered = survived - (1.0 - state[:, DEFAULT])
        np.divide(entered, survived, out=found[:, month], where=survived > 0)
    return np.clip(found, 0.0, 1.0)


def past_books(tables: Tables, as_of: int, months: int) -> list[WholeBook]:
    """The book now and at so many months before, the oldest first."""
    return whole_books(tables, [months_before(as_of, back) for back in range(months, -1, -1)])


def month_name(point: int) -> str:
    """The month whose end a point is: 2026-11 of the first instant of December."""
    return local_date(point - 1).isoformat()[:7]
