"""Pages of the whole book."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec
import numpy as np

from features.calendar import iso
from features.errors import Invalid
from features.loans.model import Bucket, State
from features.loans.whole import BUCKETS, STATES, Flags, WholeBook
from serving.loans.model import BookPage, BookRow

_Choice = TypeVar("_Choice", bound=StrEnum)


class Wanted(msgspec.Struct, frozen=True):
    """Which loans: all where nothing is said, of a bucket, of a state; so ``most`` after one id."""

    as_of: int | None = None
    bucket: Bucket | None = None
    state: State | None = None
    after: str = ""
    most: int = 100


def chosen(kind: type[_Choice], text: str, place: str) -> _Choice | None:
    """The member that a text names; None for no text.

    Raises:
        Invalid: it names none.
    """
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise Invalid(f"{text[:40]!r} is none.", place=place, remedy=f"One of: {', '.join(kind)}.") from None


def page(book: WholeBook, names: Mapping[int, str], wanted: Wanted) -> BookPage:
    """The loans that have a name, by it; the sums are those of all that are wanted, not of the page."""
    named = [names.get(code, "") for code in book.loan.tolist()]
    rows = np.flatnonzero(_wanted(book, wanted) & np.array([bool(name) for name in named], dtype=bool))
    found = sorted((named[row], row) for row in rows.tolist())
    first = next((k for k, (name, _) in enumerate(found) if name > wanted.after), len(found))
    shown = found[first : first + wanted.most]
    more = first + wanted.most < len(found)
    return BookPage(
        iso(book.as_of), len(found), int(book.overdue[rows].sum()), int(book.balance[rows].sum()),
        tuple(_row(book, name, row) for name, row in shown), shown[-1][0] if more else "",
    )  # fmt: skip


def _wanted(book: WholeBook, wanted: Wanted) -> Flags:
    chosen: Flags = np.ones(len(book.loan), dtype=bool)
    if wanted.bucket is not None:
        chosen &= book.open & (book.bucket == BUCKETS.index(wanted.bucket))
    if wanted.state is not None:
        chosen &= book.state == STATES.index(wanted.state)
    return chosen


def _row(book: WholeBook, name: str, row: int) -> BookRow:
    return BookRow(
        name, STATES[book.state[row]], int(book.dpd[row]), BUCKETS[book.bucket[row]], int(book.overdue[row]),
        int(book.balance[row]), int(book.owed[row]), int(book.mob[row]), bool(book.first_payment_default[row]),
        int(book.times_late[row]), int(book.refused[row]),
    )  # fmt: skip
