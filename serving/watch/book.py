"""The loan book as of a moment: who owes what, and how late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY
from features.canonical import code_of
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Book:
    """Loans that are drawn and not ended, arrays [loans].

    ``dpd`` is the age in days of the oldest instalment that was not paid on its day (0 if none);
    ``overdue`` is in fen.
    """

    loan: Int64
    subject: Int64
    dpd: Int64
    overdue: Int64


def open_book(tables: Mapping[str, EventTable], as_of: int) -> Book:
    """The open loans as they were known at ``as_of``; payments go to the instalment that they name."""
    loans = tables["loan"].visible(as_of)
    drawn = loans.take((loans.valid_from < as_of) & (loans.columns["state"] == code_of("active")))
    due = tables["loan_instalment"].visible(as_of)
    due = due.take(due.valid_from <= as_of - DAY)  # the whole day is there to pay on
    paid = _paid(tables["loan_payment"].visible(as_of), as_of)
    oldest: dict[int, int] = {}
    overdue: dict[int, int] = {}
    columns = (due.columns["loan_id"], due.columns["number"], due.columns["due_amount"], due.valid_from)
    for loan, number, amount, moment in zip(*(column.tolist() for column in columns), strict=True):
        open_amount = amount - paid.get((loan, number), 0)
        if open_amount > 0:
            oldest[loan] = min(oldest.get(loan, moment), moment)
            overdue[loan] = overdue.get(loan, 0) + open_amount
    ids = drawn.columns["loan_id"]
    dpd = [(as_of - oldest[loan]) // DAY if loan in oldest else 0 for loan in ids.tolist()]
    amounts = [overdue.get(loan, 0) for loan in ids.tolist()]
    return Book(ids, drawn.subject, np.array(dpd, dtype=np.int64), np.array(amounts, dtype=np.int64))


def _paid(payments: EventTable, as_of: int) -> dict[tuple[int, int], int]:
    seen = payments.take(payments.valid_from < as_of)
    total: dict[tuple[int, int], int] = {}
    columns = (seen.columns["loan_id"], seen.columns["number"], seen.columns["amount"])
    for loan, number, amount in zip(*(column.tolist() for column in columns), strict=True):
        total[loan, number] = total.get((loan, number), 0) + amount
    return total
