"""What a book did from month to month: bands, rolls, cures, vintages, concentration; from one view of it a month.

Each view is the book as it was known at that moment (``whole.whole_book``), so that a figure of a month is what that
month's report said. What came and went within a month is not seen, but for what ``times_late`` counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index
from features.loans.model import Bucket, State
from features.loans.rows import Int64
from features.loans.whole import BUCKETS, STATES, WholeBook

Flags = NDArray[np.bool_]
ENDS = ("settled", "charged_off", "gone")
"""Where a loan may roll to beside the bands; ``gone``: its records were taken back."""
TO = (*(band.value for band in BUCKETS), *ENDS)
BAD = BUCKETS.index(Bucket.OVER_90)
_SETTLED, _CHARGED_OFF, _GONE = (len(BUCKETS) + place for place in range(len(ENDS)))
_WRITTEN_OFF = STATES.index(State.CHARGED_OFF)


@dataclass(frozen=True, slots=True)
class Month:
    """The open book at a moment: loans and balance (fen) by band, what is overdue (fen)."""

    as_of: int
    loans: Int64
    balance: Int64
    overdue: int

    @property
    def total(self) -> int:
        """Open loans."""
        return int(self.loans.sum())

    @property
    def npl(self) -> float | None:
        """The share of the balance that is more than 90 days past due; None where nothing is owed."""
        whole = int(self.balance.sum())
        return int(self.balance[BAD]) / whole if whole else None


@dataclass(frozen=True, slots=True)
class Roll:
    """Where the loans that were open at one moment stood at the next, [bands, ``TO``]: loans, and their balance before (fen)."""

    before: int
    after: int
    loans: Int64
    balance: Int64

    @property
    def rates(self) -> NDArray[np.float64]:
        """Shares of the loans of each band; NaN where it had none."""
        whole = self.loans.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):
            return np.asarray(self.loans / np.where(whole, whole, np.nan))

    @property
    def cured(self) -> tuple[int, int]:
        """Of the loans that were late, how many were late no more, and how many there were."""
        late = self.loans[1:]
        return int(late[:, 0].sum() + late[:, _SETTLED].sum()), int(late.sum())


@dataclass(frozen=True, slots=True)
class Vintages:
    """Loans by the month (counted from 1970) of their first drawdown: ``share`` [vintages, months on book] seen more than
    ``over`` days past due or written off by then, NaN where that is to come; ``loans`` [vintages].
    """

    over: int
    month: Int64
    loans: Int64
    share: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the book: its label, loans, balance (fen), and of it more than 90 days past due (fen)."""

    label: str
    loans: int
    balance: int
    bad_balance: int


def month_of(book: WholeBook) -> Month:
    """The open loans of a view by band."""
    held = book.take(book.open)
    return Month(
        book.as_of, np.bincount(held.bucket, minlength=len(BUCKETS)).astype(np.int64),
        _sums(held.bucket, held.balance, len(BUCKETS)), int(held.overdue.sum()),
    )  # fmt: skip


def roll_of(before: WholeBook, after: WholeBook) -> Roll:
    """How the open loans of a view moved until the next one."""
    held = before.take(before.open)
    place = np.minimum(np.searchsorted(after.loan, held.loan), max(len(after.loan) - 1, 0))
    to = np.full(len(held.loan), _GONE)
    if len(after.loan):
        there = after.loan[place] == held.loan
        to[there] = _standing(after)[place[there]]
    cell, size = held.bucket * len(TO) + to, len(BUCKETS) * len(TO)
    shape = (len(BUCKETS), len(TO))
    return Roll(
        before.as_of, after.as_of, np.bincount(cell, minlength=size).astype(np.int64).reshape(shape),
        _sums(cell, held.balance, size).reshape(shape),
    )  # fmt: skip


def flow_to_bad(rolls: Sequence[Roll]) -> float | None:
    """The share of current loans that would pass through every band to over 90 days, at the mean rates of these rolls;
    None where some band was never left.
    """
    if not rolls:
        return None
    loans = np.sum([roll.loans for roll in rolls], axis=0)
    share = 1.0
    for band in range(BAD):
        whole = int(loans[band].sum())
        if not whole:
            return None
        share *= int(loans[band, band + 1 : len(BUCKETS)].sum() + loans[band, _CHARGED_OFF]) / whole
    return share


def vintages(books: Sequence[WholeBook], over: int) -> Vintages:
    """What became of the loans by the month in which they were first drawn, from views of month after month.

    Only vintages whose whole life lies in the views are told.
    """
    if not books:
        return Vintages(over, np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0)))
    first, last = (_month(book.as_of) for book in (books[0], books[-1]))
    born = {
        int(loan): int(month)
        for book in books
        for loan, month, mob in zip(book.loan, _month(book.as_of) - book.mob, book.mob, strict=True)
        if month >= first and mob >= 0
    }
    bad_at = _first_over(books, over)
    loans = np.zeros(last - first + 1, dtype=np.int64)
    hits = np.zeros((last - first + 1, last - first + 1), dtype=np.int64)
    for loan, month in born.items():
        loans[month - first] += 1
        if loan in bad_at:
            hits[month - first, bad_at[loan] - month] += 1
    share = hits.cumsum(axis=1) / np.maximum(loans, 1)[:, None]
    at = np.arange(len(loans))
    share[at[:, None] + at[None, :] > last - first] = np.nan
    kept = loans > 0
    return Vintages(over, first + at[kept], loans[kept], share[kept])


def shares(book: WholeBook, labels: Sequence[str]) -> list[Share]:
    """The open book by label (one a loan of the view), the largest balance first."""
    held = book.open
    names, place = np.unique(np.asarray(labels, dtype=object)[held].astype(str), return_inverse=True)
    balance, bad = book.balance[held], book.bucket[held] == BAD
    loans = np.bincount(place, minlength=len(names))
    whole, lost = _sums(place, balance, len(names)), _sums(place[bad], balance[bad], len(names))
    rows = [
        Share(*each)
        for each in zip(names.tolist(), loans.tolist(), whole.tolist(), lost.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda one: (-one.balance, one.label))


def herfindahl(parts: Sequence[int]) -> float | None:
    """The Herfindahl-Hirschman index of these amounts, from 1 / n (even) to 1 (all in one); None where they are nothing."""
    whole = sum(parts)
    return sum((part / whole) ** 2 for part in parts) if whole else None


def largest(book: WholeBook, borrowers: int) -> float | None:
    """The share of the balance that so many borrowers owe, the largest; None where nothing is owed."""
    held = book.take(book.open)
    whole = int(held.balance.sum())
    _, place = np.unique(held.subject, return_inverse=True)
    each = np.sort(_sums(place, held.balance, int(place.max(initial=-1)) + 1))[::-1]
    return int(each[:borrowers].sum()) / whole if whole else None


def _standing(book: WholeBook) -> Int64:
    """The place in ``TO`` of each loan."""
    found = np.where(book.open, book.bucket, _SETTLED)
    found[book.state == _WRITTEN_OFF] = _CHARGED_OFF
    return np.asarray(found, dtype=np.int64)


def _first_over(books: Sequence[WholeBook], over: int) -> dict[int, int]:
    """The month of the first view in which each loan was later than that, or written off."""
    found: dict[int, int] = {}
    for book in books:
        late = (book.open & (book.dpd > over)) | (book.state == _WRITTEN_OFF)
        for loan in book.loan[late].tolist():
            found.setdefault(loan, _month(book.as_of))
    return found


def _month(moment: int) -> int:
    return int(month_index(np.array([moment]))[0])


def _sums(place: Int64 | NDArray[np.intp], amounts: Int64, size: int) -> Int64:
    """Whole numbers summed by place, exactly."""
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, place, amounts)
    return found
