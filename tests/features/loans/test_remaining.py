"""How long loans still run, against a plain walk over their due dates."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, NULL, instant, months_before
from features.loans.remaining import MONTH, last_due, longest, months_left
from tests.training.test_labels import table

NOW = instant("2024-06-01")
DUES = st.lists(st.tuples(st.integers(0, 4), st.integers(-400, 900), st.integers(-500, 60)), max_size=12)


@given(DUES, st.lists(st.integers(0, 5), unique=True, max_size=6))
def test_the_last_due_date_is_that_of_a_plain_walk(rows, loans) -> None:
    told = [
        {"subject": 1, "at": NOW + day * DAY, "known": NOW + known * DAY, "loan_id": loan, "number": n}
        for n, (loan, day, known) in enumerate(rows)
    ]
    wanted = np.array(sorted(loans), dtype=np.int64)
    found = last_due([table(told, ("loan_id", "number"))] if told else [], wanted, NOW)
    for loan, last in zip(wanted.tolist(), found.tolist(), strict=True):
        known = [NOW + day * DAY for other, day, since in rows if other == loan and since <= 0]
        assert last == max(known, default=NULL)


def test_a_month_that_has_begun_counts_and_what_is_over_is_nothing() -> None:
    last = np.array([NOW, NOW + 1, NOW + MONTH, NOW + MONTH + 1, NOW - DAY, NULL])
    assert months_left(last, NOW)[:5].tolist() == [0, 1, 1, 2, 0]
    assert np.isnan(months_left(last, NOW)[5])


def test_due_on_the_fifth_leaves_as_many_months_as_due_dates_from_each_months_end() -> None:
    for begin in ("2024-01-01", "2024-03-01", "2025-02-01"):
        first = instant(begin)
        last = np.array([months_before(first, -k) + 4 * DAY for k in range(24)])
        assert months_left(last, first).tolist() == list(range(1, 25))


def test_a_borrower_runs_as_long_as_the_longest_loan() -> None:
    subject = np.array([5, 7, 5, 9])
    left = np.array([3.0, 2.0, 8.0, np.nan])
    assert longest(subject, left, np.array([5, 7])).tolist() == [8, 2]
    assert np.isnan(longest(subject, left, np.array([9, 4]))).all()
    assert np.isnan(longest(subject[:0], left[:0], np.array([5]))).all()
