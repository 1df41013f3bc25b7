"""What became of a borrower: computed from the loan book, never delivered in a feed.

Bad is, at borrower level and from the borrower's first drawdown on the application: more than
``over_days`` past due above a material amount, charge-off, distressed restructuring, or refinancing to
repay. The window ends ``months`` after the drawdown or ``days_after_last_due`` after the last due date,
whichever is later (REG-IRB-01 says what else would count). Who is over ``indeterminate_days`` past due within the
window and never bad is indeterminate, neither good nor bad. An undrawn line has no label; one whose window
has not ended is immature and left out, also where it is bad already: its good neighbours cannot be known
yet, and among the newest rows only bads would be left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, NULL, months_before
from features.canonical import code_of
from features.timeline.events import EventTable
from training.portfolio import PerformanceLabel

Int64 = NDArray[np.int64]


class Outcome(IntEnum):
    """What is known of a row's performance."""

    GOOD = 0
    BAD = 1
    UNDRAWN = 2
    IMMATURE = 3
    FRAUD = 4
    INDETERMINATE = 5


@dataclass(frozen=True, slots=True)
class LoanHistory:
    """One row a loan, arrays [loans]: the borrower, the application, the clock's start and the first bad day."""

    subject: Int64
    application: Int64
    loan: Int64
    drawn_at: Int64
    last_due: Int64
    bad_at: Int64


def outcomes(
    label: PerformanceLabel,
    tables: Mapping[str, EventTable],
    subjects: Int64,
    applications: Int64,
    observed_to: int,
) -> NDArray[np.int8]:
    """``Outcome`` of each (subject, application) pair, seen from ``observed_to``.

    Any loan of the borrower that turns bad inside the window makes the row bad.
    """
    book = loan_history(label, tables, observed_to)
    fraud = fraudulent(label, tables, observed_to)
    first_draw: dict[int, int] = {}
    for row in np.argsort(book.drawn_at, kind="stable"):
        first_draw.setdefault(int(book.application[row]), int(row))
    bad_days: dict[int, list[int]] = {}
    for row in np.flatnonzero(book.bad_at != NEVER):
        bad_days.setdefault(int(book.subject[row]), []).append(int(book.bad_at[row]))
    doubtful = _doubtful(label, tables, observed_to, book)
    out = np.empty(len(subjects), dtype=np.int8)
    for place, (subject, application) in enumerate(
        zip(subjects.tolist(), applications.tolist(), strict=True)
    ):
        if application in fraud:
            out[place] = Outcome.FRAUD
        elif application not in first_draw:
            out[place] = Outcome.UNDRAWN
        else:
            row = first_draw[application]
            out[place] = _judge(
                label, book, row, bad_days.get(subject, []), doubtful.get(subject, []), observed_to
            )
    return out


def window_end(label: PerformanceLabel, drawn_at: int, last_due: int) -> int:
    """End of the performance window of a loan."""
    return max(months_before(drawn_at, -label.months), last_due + label.days_after_last_due * DAY)


def loan_history(label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int) -> LoanHistory:
    """Every drawn loan with the first instant at which it was bad (``NEVER`` if it was not)."""
    loans = tables[label.loans].visible(observed_to)
    drawn = loans.take(loans.valid_from < np.minimum(loans.valid_to, NEVER))
    drawn = drawn.take(_last_versions(drawn.columns["loan_id"]))
    loan = drawn.columns["loan_id"]
    overdue = first_overdue(label, tables, observed_to)
    state_bad = _first_bad_state(label, tables[label.loans], observed_to)
    last_due = _last_due(tables[label.instalments].visible(observed_to))
    ids = loan.tolist()
    bad = [min(overdue.get(one, NEVER), state_bad.get(one, NEVER)) for one in ids]
    return LoanHistory(
        drawn.subject,
        drawn.columns[label.application],
        loan,
        drawn.valid_from,
        np.array([last_due.get(one, int(start)) for one, start in zip(ids, drawn.valid_from, strict=True)]),
        np.array(bad, dtype=np.int64),
    )


def first_overdue(
    label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int
) -> dict[int, int]:
    """For each loan, the first instant at which a material amount is more than ``over_days`` past due."""
    due = tables[label.instalments].visible(observed_to)
    paid = tables[label.payments].visible(observed_to)
    settled = settled_at(due, paid)
    limit = (label.over_days + 1) * DAY
    found: dict[int, int] = {}
    crossing = due.valid_from + limit
    for row in np.flatnonzero((settled >= crossing) & (crossing <= observed_to)):
        loan, moment = int(due.columns["loan_id"][row]), int(crossing[row])
        if moment >= found.get(loan, NEVER):
            continue
        same = due.columns["loan_id"] == loan
        open_then = same & (due.valid_from < moment) & (settled >= moment)
        if int(due.columns["due_amount"][open_then].sum()) > label.material_yuan * 100:
            found[loan] = moment
    return found


def _doubtful(
    label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int, book: LoanHistory
) -> dict[int, list[int]]:
    """For each borrower, when each of the loans was first over ``indeterminate_days`` past due; none where it is 0."""
    if not label.indeterminate_days:
        return {}
    milder = msgspec.structs.replace(label, over_days=label.indeterminate_days)
    late = first_overdue(milder, tables, observed_to)
    found: dict[int, list[int]] = {}
    for subject, loan in zip(book.subject.tolist(), book.loan.tolist(), strict=True):
        if loan in late:
            found.setdefault(subject, []).append(late[loan])
    return found


def _judge(
    label: PerformanceLabel,
    book: LoanHistory,
    row: int,
    bad_days: list[int],
    doubtful: list[int],
    observed_to: int,
) -> Outcome:
    start = int(book.drawn_at[row])
    end = window_end(label, start, int(book.last_due[row]))
    if end > observed_to:
        return Outcome.IMMATURE
    if any(start <= day <= end for day in bad_days):
        return Outcome.BAD
    return Outcome.INDETERMINATE if any(start <= day <= end for day in doubtful) else Outcome.GOOD


def settled_at(due: EventTable, paid: EventTable) -> Int64:
    """When each instalment was paid in full (``NEVER`` if it was not)."""
    payments: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for loan, number, moment, amount in zip(
        paid.columns["loan_id"].tolist(),
        paid.columns["number"].tolist(),
        paid.valid_from.tolist(),
        paid.columns["amount"].tolist(),
        strict=True,
    ):
        payments.setdefault((loan, number), []).append((moment, amount))
    out = np.full(len(due), NEVER)
    keys = zip(due.columns["loan_id"].tolist(), due.columns["number"].tolist(), strict=True)
    for row, (key, owed) in enumerate(zip(keys, due.columns["due_amount"].tolist(), strict=True)):
        total = 0
        for moment, amount in sorted(payments.get(key, [])):
            total += amount
            if total >= owed:
                out[row] = moment
                break
    return out


def _last_due(due: EventTable) -> dict[int, int]:
    latest: dict[int, int] = {}
    for loan, moment in zip(due.columns["loan_id"].tolist(), due.valid_from.tolist(), strict=True):
        latest[loan] = max(latest.get(loan, moment), moment)
    return latest


def _first_bad_state(label: PerformanceLabel, loans: EventTable, observed_to: int) -> dict[int, int]:
    codes = [code_of(state) for state in label.bad_states]
    rows = np.flatnonzero(np.isin(loans.columns["state"], codes) & (loans.known_from <= observed_to))
    found: dict[int, int] = {}
    for row in rows:
        loan, moment = int(loans.columns["loan_id"][row]), int(loans.known_from[row])
        found[loan] = min(found.get(loan, NEVER), moment)
    return found


def fraudulent(label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int) -> set[int]:
    """Applications whose fraud was confirmed."""
    if label.fraud not in tables:
        return set()
    known = tables[label.fraud].visible(observed_to)
    return {application for application in known.columns[label.application].tolist() if application != NULL}


def _last_versions(ids: Int64) -> NDArray[np.intp]:
    """The last row of each id, in the order of first appearance of the rows kept."""
    last = {one: row for row, one in enumerate(ids.tolist())}
    return np.array(sorted(last.values()), dtype=np.intp)
