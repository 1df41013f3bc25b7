"""The loan book as of a moment: who owes what, and how late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.canonical import code_of
from features.contracts.model import Contract
from features.loans.rows import BOOK, PLAIN, Int64
from features.loans.whole import WholeBook, whole_book
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.store.session import Connection

GRANTED = "SELECT loan_id FROM loan_account"


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


def datasets(contracts: Mapping[str, Contract]) -> tuple[str, ...]:
    """Those of the book that have a contract: what was approved before the others were there has the plain ones only."""
    return (*PLAIN, *(name for name in BOOK if name in contracts and name not in PLAIN))


def names(lake: Lake, connection: Connection) -> dict[int, str]:
    """Each loan's text by its code: the bank's own number, or the id that it was given here by the tenant's call."""
    return _granted(connection) | _of_feeds(lake)


def _granted(connection: Connection) -> dict[int, str]:
    return {code_of(name): name for name in (str(row[0]) for row in connection.execute(GRANTED).fetchall())}


def _of_feeds(lake: Lake) -> dict[int, str]:
    return lake.names("loan_grant", "loan_id") | lake.names("loan", "loan_id")


def own_loans(connection: Connection, lake: Lake, *, feeds: bool) -> Int64:
    """The codes of the tenant's own loans: those granted by its calls and, for the tenant of the bank's ``feeds``, theirs."""
    known = _granted(connection) | (_of_feeds(lake) if feeds else {})
    return np.array(sorted(known), dtype=np.int64)


def open_book(tables: Mapping[str, EventTable], as_of: int) -> Book:
    """The open loans as they were known at ``as_of``; a payment is spent in the order that the loans page states."""
    book = whole_book(tables, as_of)
    found = book.take(book.open)
    return Book(found.loan, found.subject, found.dpd, found.overdue, found)
