"""The loan book as a panel: one row a borrower and month's end, and when the borrower first defaulted after it.

A row holds what the bank knew at the end of its month: a loan counts as open, an instalment as due and a
payment as made only once it was known. A window that has not ended has no outcome, whatever happened in it
so far: its good neighbours cannot be known yet. Who leaves the book within a window without a default is
good. Rows from the first default on are no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, month_index, month_start, months_before
from features.errors import Invalid
from features.loans.remaining import last_due, longest, months_left
from features.matrix import Missing
from features.timeline.door import Door
from features.timeline.events import EventTable
from training.futures import check_future
from training.horizons import WarningPanel
from training.labels import Outcome, fraudulent, loan_history, settled_at
from training.population import Rows, as_of_value, last_known, needed_datasets
from training.portfolio import PerformanceLabel, Portfolio

Int64 = NDArray[np.int64]
Floats = NDArray[np.float64]
TERM = "term_months"
"""The request's term: the warning model reads it as if what is still to run were asked for now."""


class NoPanel(Invalid):
    """A portfolio that does not say what its panel is."""

    def __init__(self, portfolio: str) -> None:
        super().__init__(
            f"portfolio {portfolio} has no panel to warn from.",
            place="portfolio.yaml",
            remedy="Add `warning: {months: 12, curve: [3, 6]}`: over a loan book (`label: {kind: performance}`), or "
            "over rows that are a panel already, with `period_months` and a label of each period.",
        )


@dataclass(frozen=True, slots=True)
class Panel:
    """Arrays [rows]: ``days_past_due`` as of the row, ``default_at`` the first default after it or ``NEVER``.

    ``seen_to`` is the instant up to which defaults are known; ``fraud`` marks rows whose default is a fraud's.
    """

    subject: Int64
    as_of: Int64
    days_past_due: Int64
    default_at: Int64
    fraud: NDArray[np.bool_]
    seen_to: int

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Panel:
        """The chosen rows."""
        return Panel(
            self.subject[rows], self.as_of[rows], self.days_past_due[rows], self.default_at[rows], self.fraud[rows],
            self.seen_to,
        )  # fmt: skip

    def within(self, months: int) -> NDArray[np.bool_]:
        """Whether the first default comes within so many months of the row, its own instant left out."""
        return np.asarray(self.default_at <= ends(self.as_of, months))

    def outcome(self, months: int) -> NDArray[np.int8]:
        """``Outcome`` [rows] of the window of so many months; immature where it has not ended."""
        out = np.where(self.within(months), Outcome.BAD, Outcome.GOOD).astype(np.int8)
        out[self.fraud] = Outcome.FRAUD
        out[ends(self.as_of, months) > self.seen_to] = Outcome.IMMATURE
        return out


def ends(as_of: Int64, months: int) -> Int64:
    """The same day ``months`` calendar months later."""
    moments, place = np.unique(as_of, return_inverse=True)
    return np.array([months_before(int(one), -months) for one in moments], dtype=np.int64)[place]


def book_rows(portfolio: Portfolio, door: Door, observed_to: int | None = None) -> tuple[Rows, Panel]:
    """The rows of a loan book with their features, in the order of time, and their panel.

    Relatives of borrowers agreed to no watch: as there, what their records would tell is not authorised.

    Raises:
        NoPanel: the portfolio has no `warning`, or its label is not of a loan book.
        NotAllowed: the book may not be read for this purpose.
        Invalid: no loan is open at the end of any month.
    """
    file = portfolio.file
    if file.warning is None or not isinstance(file.label, PerformanceLabel):
        raise NoPanel(portfolio.name)
    read = door.whole(portfolio.contracts, portfolio.contracts, needed=needed_datasets(portfolio))
    until = last_known(read.tables, file.label.payments) if observed_to is None else observed_to
    panel = book_panel(file.label, read.tables, until)
    if not len(panel.subject):
        raise Invalid("no loan is open at any month's end.", place=f"portfolio {portfolio.name}",
                      remedy="Ingest the loan book first.")  # fmt: skip
    kin = {name: Missing.NOT_AUTHORISED for name, view in portfolio.plan.views.items() if view.relatives}
    views = sorted(set(portfolio.plan.datasets) - set(portfolio.contracts) - set(kin))
    more = door.whole(portfolio.contracts, views, np.unique(panel.subject))
    tables, left_out = read.tables | more.tables, read.left_out | more.left_out | kin
    masked = {name: left_out[name] for name in portfolio.plan.datasets if name in left_out}
    asked = {TERM: _months_left(file.label, tables, panel)}
    matrix = portfolio.plan.build(tables, panel.subject, panel.as_of, masked, asked)
    dataset, _, field = file.population.group.partition(".")
    group = as_of_value(tables[dataset], field, panel.subject, panel.as_of) if field else panel.subject
    outcome = panel.outcome(file.warning.own)
    future = check_future(portfolio.plan, tables, masked, panel.subject, panel.as_of, asked, matrix)
    return Rows(matrix, panel.subject, panel.as_of, group, outcome, panel.subject, None, future), panel


def panel_of_periods(rows: Rows, rule: WarningPanel) -> tuple[Rows, Panel]:
    """Rows that are a panel already, one a subject and period, whose label says what happened in the period.

    A bad row defaults at the end of its own period; rows after it are left out. The last period that anybody
    has is as far as defaults are known.
    """
    end = ends(rows.as_of, rule.period_months)
    first: dict[int, int] = {}
    for subject, at, outcome in zip(rows.subject.tolist(), end.tolist(), rows.outcome.tolist(), strict=True):
        if outcome == Outcome.BAD:
            first[subject] = min(at, first.get(subject, NEVER))
    default_at = np.array([first.get(one, NEVER) for one in rows.subject.tolist()], dtype=np.int64)
    zero = np.zeros(len(default_at), dtype=np.int64)
    panel = Panel(rows.subject, rows.as_of, zero, default_at, zero.astype(bool), int(end.max()))
    kept = (default_at > rows.as_of) & (rows.outcome <= Outcome.BAD)
    rows = Rows(
        rows.matrix.take(kept), rows.subject[kept], rows.as_of[kept], rows.group[kept],
        panel.take(kept).outcome(rule.own), rows.identifier[kept], None, rows.future,
    )  # fmt: skip
    return rows, panel.take(kept)


def book_panel(label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int) -> Panel:
    """The panel of a loan book up to ``observed_to``, in the order of time and subject."""
    default_at, fraud = _first_defaults(label, tables, observed_to)
    loans = tables[label.loans]
    drawn = loans.valid_from[loans.valid_from < observed_to]
    first = int(month_index(drawn.min(keepdims=True))[0]) + 1 if len(drawn) else 0
    last = int(month_index(np.array([observed_to]))[0]) if len(drawn) else -1
    debts = _Debts.of(label, tables, observed_to)
    subjects, moments, days = [], [], []
    for moment in month_start(np.arange(first, last + 1)).tolist():
        found = _open(loans, moment)
        late = debts.days_past_due(found.columns["loan_id"], moment)
        borrowers, place = np.unique(found.subject, return_inverse=True)
        worst = np.zeros(len(borrowers), dtype=np.int64)
        np.maximum.at(worst, place, late)
        subjects.append(borrowers)
        moments.append(np.full(len(borrowers), moment, dtype=np.int64))
        days.append(worst)
    subject, as_of, late = (np.concatenate([*a, np.empty(0, np.int64)]) for a in (subjects, moments, days))
    when = np.array([default_at.get(one, NEVER) for one in subject.tolist()], dtype=np.int64)
    panel = Panel(
        subject, as_of, late, when, np.isin(subject, np.array(sorted(fraud), dtype=np.int64)), observed_to
    )
    return panel.take(when > as_of)


def _months_left(label: PerformanceLabel, tables: Mapping[str, EventTable], panel: Panel) -> Floats:
    """Months that the open loans of each row still run, the longest of a borrower's."""
    out = np.full(len(panel.subject), np.nan)
    for moment in np.unique(panel.as_of).tolist():
        found = _open(tables[label.loans], moment)
        loans, place = np.unique(found.columns["loan_id"], return_index=True)
        left = months_left(last_due([tables[label.instalments]], loans, moment), moment)
        rows = np.flatnonzero(panel.as_of == moment)
        out[rows] = longest(found.subject[place], left, panel.subject[rows])
    return out


def _open(loans: EventTable, moment: int) -> EventTable:
    """The loans that were known to be drawn and not ended."""
    known = loans.visible(moment)
    return known.take((known.valid_from < moment) & (known.valid_to > moment))


def _first_defaults(
    label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int
) -> tuple[dict[int, int], set[int]]:
    """First default of each borrower who has one, and the borrowers whose first default is a confirmed fraud's."""
    book = loan_history(label, tables, observed_to)
    frauds = fraudulent(label, tables, observed_to)
    first: dict[int, int] = {}
    fraud: set[int] = set()
    for row in np.argsort(book.bad_at, kind="stable"):
        subject, at = int(book.subject[row]), int(book.bad_at[row])
        if at != NEVER and subject not in first:
            first[subject] = at
            if int(book.application[row]) in frauds:
                fraud.add(subject)
    return first, fraud


@dataclass(frozen=True, slots=True)
class _Debts:
    """Instalments sorted by loan, arrays [instalments]: due, known and settled as the bank came to know it."""

    loan: Int64
    due: Int64
    known: Int64
    settled: Int64

    @staticmethod
    def of(label: PerformanceLabel, tables: Mapping[str, EventTable], observed_to: int) -> _Debts:
        due = tables[label.instalments].visible(observed_to)
        paid = tables[label.payments].visible(observed_to)
        told = replace(paid, valid_from=np.maximum(paid.valid_from, paid.known_from))
        settled = settled_at(due, told)
        order = np.argsort(due.columns["loan_id"], kind="stable")
        return _Debts(
            due.columns["loan_id"][order], due.valid_from[order], due.known_from[order], settled[order]
        )

    def days_past_due(self, loans: Int64, moment: int) -> Int64:
        """Whole days since the oldest instalment of each loan that was due and not paid; 0 where there is none."""
        owed = (self.due < moment) & (self.settled > moment) & (self.known <= moment)
        names, place = np.unique(self.loan[owed], return_inverse=True)
        oldest = np.full(len(names), NEVER)
        np.minimum.at(oldest, place, self.due[owed])
        found = dict(zip(names.tolist(), ((moment - oldest) // DAY).tolist(), strict=True))
        return np.array([found.get(one, 0) for one in loans.tolist()], dtype=np.int64)
