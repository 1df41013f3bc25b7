"""The loan book as a panel, against a plain walk over borrowers, months and days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, instant, month_start, months_before
from features.canonical import code_of
from features.timeline.events import EventTable
from tests.training.samples import made_sample
from tests.training.test_labels import LABEL, START, table
from training.horizons import WarningPanel
from training.labels import Outcome
from training.panel import Panel, book_panel, ends, panel_of_periods
from training.population import Rows

FAR = months_before(START, -30)
LATE = [0, 0, 0, 1, 20, 45, 89, 90, 91, 150, None]
"""Delays of a payment in days; None is never."""


def book(loans: list[list[int | None]], told_after: int = 0) -> dict[str, EventTable]:
    """A loan of equal instalments a borrower, drawn a month after each other; payments are told so many days late."""
    heads, due, paid = [], [], []
    for k, delays in enumerate(loans):
        begun = months_before(START, -k)
        dates = [months_before(begun, -n) for n in range(1, len(delays) + 1)]
        one = {"subject": 10 + k, "known": begun, "loan_id": k, "application_id": 100 + k}
        ended = (
            NEVER
            if None in delays
            else max(d + late * DAY for d, late in zip(dates, delays, strict=True)) + DAY
        )
        state = {"state": code_of("active"), "at": begun}
        heads.append(one | state | {"known_to": ended})
        if ended != NEVER:
            heads.append(
                one | {"at": begun, "until": ended, "known": ended, "version": 1, "state": code_of("settled")}
            )
        for n, (day, late) in enumerate(zip(dates, delays, strict=True), start=1):
            due.append(one | {"at": day, "number": n, "due_amount": 50_000})
            if late is not None:
                at = day + late * DAY
                paid.append(one | {"at": at, "known": at + told_after * DAY, "number": n, "amount": 50_000})
    return {
        "loan": table(heads, ("loan_id", "application_id", "state")),
        "loan_instalment": table(due, ("loan_id", "number", "due_amount")),
        "loan_payment": table(paid, ("loan_id", "number", "amount")),
    }


def walk(loans: list[list[int | None]], observed_to: int) -> dict[tuple[int, int], tuple[int, int]]:
    """(borrower, month's end) -> (days past due, first default), borrower by borrower and day by day."""
    found = {}
    for k, delays in enumerate(loans):
        begun = months_before(START, -k)
        dates = [months_before(begun, -n) for n in range(1, len(delays) + 1)]
        settled = [NEVER if late is None else d + late * DAY for d, late in zip(dates, delays, strict=True)]
        ended = NEVER if None in delays else max(settled) + DAY
        default = NEVER
        for day in range(begun, observed_to + 1, DAY):
            owing = [d for d, s in zip(dates, settled, strict=True) if d < day and s >= day]
            if any((day - d) // DAY > 90 for d in owing) and 50_000 * len(owing) > 10_000:
                default = day
                break
        for month in range(600, 700):
            moment = int(month_start(month))
            if begun < moment < ended and moment <= observed_to and moment < default:
                owing = [d for d, s in zip(dates, settled, strict=True) if d < moment and s > moment]
                found[10 + k, moment] = ((moment - min(owing)) // DAY if owing else 0, default)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(LATE), min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(40, 900),
)
def test_the_panel_is_that_of_a_plain_walk(loans, days) -> None:
    observed_to = START + days * DAY
    panel = book_panel(LABEL, book(loans), observed_to)
    rows = zip(
        *(a.tolist() for a in (panel.subject, panel.as_of, panel.days_past_due, panel.default_at)),
        strict=True,
    )
    assert {(s, t): (late, default) for s, t, late, default in rows} == walk(loans, observed_to)
    assert len(set(zip(panel.subject.tolist(), panel.as_of.tolist(), strict=True))) == len(panel.subject)


def test_a_payment_that_the_bank_has_not_heard_of_is_not_made_yet() -> None:
    punctual = [[0] * 6]
    assert not book_panel(LABEL, book(punctual), FAR).days_past_due.any()
    panel = book_panel(LABEL, book(punctual, told_after=40), FAR)
    assert panel.days_past_due.max() >= 16


def test_a_window_that_has_not_ended_has_no_outcome_whatever_happened_in_it() -> None:
    loans: list[list[int | None]] = [[0, 0, None], [0] * 12]
    whole = book_panel(LABEL, book(loans), FAR)
    first = whole.as_of == whole.as_of.min()
    assert whole.outcome(12)[first].tolist() == [Outcome.BAD]
    early = book_panel(LABEL, book(loans), months_before(START, -11))
    assert early.default_at[early.as_of == early.as_of.min()] < early.seen_to
    assert set(early.outcome(12).tolist()) == {Outcome.IMMATURE}
    assert set(early.outcome(3).tolist()) >= {Outcome.GOOD, Outcome.IMMATURE}


def test_nobody_is_good_before_the_window_has_ended() -> None:
    panel = book_panel(LABEL, book([[0] * 14]), months_before(START, -14))
    judged = panel.outcome(12) != Outcome.IMMATURE
    assert (ends(panel.as_of, 12)[judged] <= panel.seen_to).all()
    assert (ends(panel.as_of, 12)[~judged] > panel.seen_to).all()
    assert 0 < judged.sum() < len(judged)


def test_longer_windows_hold_the_shorter_ones() -> None:
    panel = book_panel(LABEL, book([[0, 0, 0, 0, None, None], [0, 100, 0]]), FAR)
    for near, far in ((3, 6), (6, 12)):
        assert (panel.within(far) >= panel.within(near)).all()


def test_a_confirmed_frauds_default_is_no_credit_outcome() -> None:
    tables = book([[0, None], [0, None]])
    fraud = table([{"subject": 10, "at": START, "known": START, "application_id": 100}], ("application_id",))
    panel = book_panel(LABEL, tables | {"fraud_confirmed": fraud}, FAR)
    assert set(panel.outcome(12)[panel.subject == 10].tolist()) == {Outcome.FRAUD}
    assert set(panel.outcome(12)[panel.subject == 11].tolist()) == {Outcome.BAD}


def test_an_empty_book_is_an_empty_panel() -> None:
    tables = book([[0]])
    none = {name: one.take(np.zeros(len(one), dtype=bool)) for name, one in tables.items()}
    assert len(book_panel(LABEL, none, FAR).subject) == 0


def _quarters(events: dict[int, int], quarters: int = 8, subjects: int = 6) -> Rows:
    """Rows of every subject and quarter; ``events`` gives the quarter in which a subject defaults."""
    sample = made_sample(quarters * subjects)
    subject = np.tile(np.arange(subjects), quarters)
    quarter = np.repeat(np.arange(quarters), subjects)
    as_of = np.array([months_before(instant("2020-01-01"), -3 * int(q)) for q in quarter])
    outcome = np.array([events.get(int(s)) == q for s, q in zip(subject, quarter, strict=True)]).astype(
        np.int8
    )
    return Rows(sample.matrix, subject, as_of, subject, outcome, subject)


def test_rows_that_are_a_panel_look_forward_and_end_with_the_first_default() -> None:
    given_rows = _quarters({2: 3, 4: 0, 5: 7})
    rows, panel = panel_of_periods(given_rows, WarningPanel(12, (3, 6), 3))
    of = {s: panel.subject == s for s in range(6)}
    assert [int(of[s].sum()) for s in range(6)] == [8, 8, 4, 8, 1, 8]
    assert rows.outcome[of[2]].tolist() == [Outcome.BAD] * 4
    good, bad, young = Outcome.GOOD, Outcome.BAD, Outcome.IMMATURE
    assert rows.outcome[of[0]].tolist() == [good] * 5 + [young] * 3
    assert rows.outcome[of[5]].tolist() == [good] * 4 + [bad] + [young] * 3
    assert panel.within(3)[of[2]].tolist() == [False, False, False, True]
    assert panel.within(6)[of[2]].tolist() == [False, False, True, True]
    hazard, _ = panel_of_periods(given_rows, WarningPanel(12, (3, 6), 3, learn=3))
    assert hazard.outcome.tolist() == given_rows.outcome[_kept(given_rows, panel)].tolist()


def _kept(rows: Rows, panel: Panel) -> np.ndarray:
    still = set(zip(panel.subject.tolist(), panel.as_of.tolist(), strict=True))
    return np.array([one in still for one in zip(rows.subject.tolist(), rows.as_of.tolist(), strict=True)])


def test_a_panel_is_cut_by_taking_rows() -> None:
    panel = book_panel(LABEL, book([[0, 5], [0, 0, 0]]), FAR)
    some = panel.take(panel.subject == 10)
    assert set(some.subject.tolist()) == {10}
    assert replace(some, seen_to=0).outcome(3).tolist() == [Outcome.IMMATURE] * len(some.subject)
