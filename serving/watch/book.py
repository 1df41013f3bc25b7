"""The loan book as of a moment: who owes what, and how late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.canonical import code_of
from features.contracts.model import Contract
from features.loans.rows import BOOK, PLAIN, Int64
from features.loans.whole import WholeBook, whole_book
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.store.session import Connection

GRANTED = "SELECT loan_id FROM loan_account WHERE %s::bigint[] IS NULL OR subject_id = ANY (%s)"


@dataclass(frozen=True, slots=True)
class Book:
    """Loans that are drawn and not ended, arrays [loans]: ``dpd`` in days, ``overdue`` in fen.

    ``standing`` has what else the book tells of the same rows: bucket, balance, months on book and so on.
    """

    loan: Int64
    subject: Int64
    dpd: Int64
    overdue: Int64
    standing: WholeBook | None = None

    def take(self, rows: NDArray[np.bool_]) -> Book:
        """The chosen loans, bool [loans]."""
        standing = None if self.standing is None else self.standing.take(rows)
        return Book(self.loan[rows], self.subject[rows], self.dpd[rows], self.overdue[rows], standing)


def datasets(contracts: Mapping[str, Contract]) -> tuple[str, ...]:
    """Those of the book that have a contract: what was approved before the others were there has the plain ones only."""
    return (*PLAIN, *(name for name in BOOK if name in contracts and name not in PLAIN))


def names(lake: Lake, connection: Connection, *, feeds: bool) -> dict[int, str]:
    """Each loan of the tenant by its code: the bank's own number where the ``feeds`` are the tenant's, or the id that it
    was given here by the tenant's call. Loans without a name here are others'.
    """
    return granted(connection) | (fed(lake) if feeds else {})


def own_loans(connection: Connection, lake: Lake, *, feeds: bool) -> Int64:
    """The codes of the tenant's own loans: those granted by its calls and, for the tenant of the bank's ``feeds``, theirs."""
    return np.array(sorted(names(lake, connection, feeds=feeds)), dtype=np.int64)


def granted(connection: Connection, subjects: Int64 | None = None) -> dict[int, str]:
    """Loans that the tenant granted here, to these borrowers or to all."""
    asked = None if subjects is None else subjects.tolist()
    rows = connection.execute(GRANTED, (asked, asked)).fetchall()
    return {code_of(name): name for name in (str(row[0]) for row in rows)}


def fed(lake: Lake) -> dict[int, str]:
    """Loans of the feeds."""
    return lake.names("loan_grant", "loan_id") | lake.names("loan", "loan_id")


def open_book(tables: Mapping[str, EventTable], as_of: int) -> Book:
    """The open loans as they were known at ``as_of``; a payment is spent in the order that the loans page states."""
    book = whole_book(tables, as_of)
    found = book.take(book.open)
    return Book(found.loan, found.subject, found.dpd, found.overdue, found)
