"""A tenant's book at month ends, with what each loan is a part of: segment, village, amount, year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.contracts.load import BUILTIN, load_contracts
from features.definitions.plan import FeaturePlan
from features.loans.rows import BOOK
from features.loans.whole import WholeBook, whole_books
from features.terminal import Step
from features.timeline.lake import Lake
from serving.alerts.neighbours import neighbours
from serving.analytics.model import PortfolioView, labels, month_ends, portfolio
from serving.records.tail import CommandTail
from serving.store.session import Connection
from serving.watch.book import Book, names
from serving.watch.service import Watcher, door_for

SEGMENT, VILLAGE = "segment", "village"
NOT_CLASSED, NOT_KNOWN = "not classed", "not known"
_SEGMENTS = """
SELECT DISTINCT ON (loan) loan, segment FROM class_point WHERE segment <> '' ORDER BY loan, month DESC"""


@dataclass(frozen=True, slots=True)
class Monthly:
    """Views of a book, one a month's end in order; ``labels`` by name are of the loans of the last one."""

    books: tuple[WholeBook, ...]
    labels: Mapping[str, Sequence[str]]

    @property
    def empty(self) -> bool:
        """No loan was known at the last month's end."""
        return not len(self.books[-1].loan)

    def whole(self) -> PortfolioView:
        """The whole book."""
        return portfolio(self.books, self.labels)

    def by(self, name: str) -> Iterator[tuple[str, PortfolioView]]:
        """The book of each segment or village that is on the open book at the end, by label."""
        last, told = self.books[-1], np.asarray(self.labels[name], dtype=object).astype(str)
        for label in np.unique(told[last.open]).tolist():
            yield label, self._of(np.flatnonzero(told == label))

    def _of(self, rows: NDArray[np.intp]) -> PortfolioView:
        loans = self.books[-1].loan[rows]
        books = [book.take(np.flatnonzero(np.isin(book.loan, loans))) for book in self.books]
        chosen = rows.tolist()
        return portfolio(books, {name: [each[row] for row in chosen] for name, each in self.labels.items()})


def monthly(
    connection: Connection, watcher: Watcher, plan: FeaturePlan, lake: Lake, at: int, months: int, clock: int,
    step: Step | None = None,
) -> Monthly:  # fmt: skip
    """The tenant's book at the last month ends at or before a moment, each as it was known then; ``clock`` is that of the
    consents, under which villages are read.
    """
    lake = Lake(lake.root, CommandTail(connection))
    door = door_for(connection, watcher, lake, clock)
    tables = door.whole(load_contracts([BUILTIN]), BOOK, needed=BOOK).tables
    named = names(lake, connection, feeds=watcher.feeds)
    own = np.array(sorted(named), dtype=np.int64)
    if step is not None:
        step("the book month by month", 0, months)
    books = [book.take(np.isin(book.loan, own)) for book in whole_books(tables, month_ends(at, months))]
    if step is not None:
        step("the book month by month", months, months)
    last = books[-1]
    held = Book(last.loan, last.subject, last.dpd, last.overdue)
    villages = neighbours(plan, door, held, last.as_of).villages
    segment: dict[str, str] = dict(connection.execute(_SEGMENTS).fetchall())
    return Monthly(tuple(books), {
        **labels(tables, last),
        SEGMENT: [segment.get(named[code], NOT_CLASSED) for code in last.loan.tolist()],
        VILLAGE: [name or NOT_KNOWN for name in villages],
    })  # fmt: skip
