"""The book at the end of each of many months: which loans went bad, when it began, and what each signal said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, month_index, month_start
from features.canonical import code_of
from features.timeline.events import EventTable
from serving.watch.book import open_book
from serving.watch.combining import told
from serving.watch.document import SignalsDocument
from serving.watch.values import Given, Reading, Sources, values_of

Int64 = NDArray[np.int64]
DEFAULT_DPD = 90
_BAD_ENDS = ("charged_off", "restructured", "refinanced")
"""States of a loan that ended without being repaid as it was agreed."""


def month_ends(first: int, last: int) -> list[int]:
    """The ends of months (the first instant of the next) from one instant to another, both included."""
    begin, end = (int(month_index(np.array([moment]))[0]) for moment in (first - 1, last))
    return [int(month_start(month)) for month in range(begin + 1, end + 1)]


def month_of(moment: int) -> int:
    """The first instant of the month of a moment, which is the end of the month before."""
    return int(month_start(month_index(np.array([moment]))[0]))


@dataclass(frozen=True, slots=True)
class Onset:
    """A default: the loan's code, the first due date that was missed, and when it was a default (µs)."""

    loan: int
    missed: int
    since: int


def onsets(book: Mapping[str, EventTable], ends: Sequence[int]) -> list[Onset]:
    """Every default that can be seen at these month ends: 90 days past due, or an end that was no repayment."""
    began: dict[int, int] = {}
    found: dict[int, Onset] = {}
    for end in ends:
        now = open_book(book, end)
        late = now.dpd > 0
        began |= zip(now.loan[late].tolist(), (end - now.dpd[late] * DAY).tolist(), strict=True)
        for loan in now.loan[now.dpd >= DEFAULT_DPD].tolist():
            found.setdefault(loan, Onset(loan, began[loan], end))
        for loan in now.loan[~late].tolist():
            began.pop(loan, None)
    for loan, ended in _bad_ends(book["loan"], ends[-1] if ends else 0):
        found.setdefault(loan, Onset(loan, began.get(loan, ended), ended))
    return sorted(found.values(), key=lambda onset: (onset.missed, onset.loan))


def _bad_ends(loans: EventTable, now: int) -> list[tuple[int, int]]:
    seen = loans.visible(now)
    bad = np.isin(seen.columns["state"], [code_of(state) for state in _BAD_ENDS])
    return sorted(zip(seen.columns["loan_id"][bad].tolist(), seen.known_from[bad].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Month:
    """What signals said at one month's end: ``loan`` and ``dpd`` [loans]; ``rank`` [signals, loans], 0 where none was
    raised; ``skipped`` [signals] loans of which a signal could not be told.
    """

    end: int
    loan: Int64
    dpd: Int64
    rank: NDArray[np.int8]
    skipped: Int64


def said(
    document: SignalsDocument,
    reading: Reading,
    sources: Sources,
    ends: Sequence[int],
    given: Given | None = None,
) -> Iterator[Month]:
    """Every signal at every month's end, whole columns at a time; a signal that did not hold yet raised nothing."""
    places = {code: place for place, code in enumerate(codes(document))}
    for end in ends:
        book = open_book(sources.book, end)
        values = values_of(reading, sources, book, end, given)
        rank = np.zeros((len(places), len(book.loan)), dtype=np.int8)
        skipped = np.zeros(len(places), dtype=np.int64)
        for one in told(document, values, end - 1)[0]:
            place = places[one.signal.code]
            rank[place] = one.rank
            skipped[place] = int((one.skipped | one.not_authorised).sum())
        yield Month(end, book.loan, book.dpd, rank, skipped)


def codes(document: SignalsDocument) -> list[str]:
    """The codes of a document's signals, each once, in order."""
    return list(dict.fromkeys(signal.code for signal in document.signals))
