"""Outcomes from the loan book, against a day-by-day oracle, and to the day at every limit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, instant, months_before
from features.canonical import code_of
from features.timeline.events import EventTable, sort_events
from training.labels import Outcome, first_overdue, outcomes
from training.portfolio import PerformanceLabel

START = instant("2022-01-15")
LABEL = PerformanceLabel()
FAR = START + 2000 * DAY


def table(rows: list[dict[str, int]], columns: tuple[str, ...]) -> EventTable:
    def column(name: str, default: int = 0):
        return np.array([row.get(name, default) for row in rows], dtype=np.int64)

    times = (
        column("subject"),
        column("at"),
        column("until", NEVER),
        column("known"),
        column("known_to", NEVER),
    )
    return sort_events(EventTable(*times, column("version"), {name: column(name) for name in columns}))


def book(
    paid_late: list[int | None],
    *,
    principal: int = 6_000_000,
    state: str = "active",
    drawn: bool = True,
    subject: int = 7,
) -> dict[str, EventTable]:
    """One loan of equal monthly instalments; ``paid_late`` is the delay in days of each, None for never."""
    due = [months_before(START, -k) for k in range(1, len(paid_late) + 1)]
    loan = {"subject": subject, "at": START if drawn else NEVER, "known": START, "loan_id": 1, "application_id": 5,
            "principal": principal, "state": code_of(state)}  # fmt: skip
    instalments = [
        {
            "subject": subject,
            "at": day,
            "known": START,
            "loan_id": 1,
            "number": k,
            "due_amount": principal // len(due),
        }
        for k, day in enumerate(due, start=1)
    ]
    payments = [
        {"subject": subject, "at": day + late * DAY, "known": day + late * DAY, "loan_id": 1, "number": k,
         "amount": principal // len(due)}
        for k, (day, late) in enumerate(zip(due, paid_late, strict=True), start=1)
        if late is not None
    ]  # fmt: skip
    return {
        "loan": table([loan], ("loan_id", "application_id", "principal", "state")),
        "loan_instalment": table(instalments, ("loan_id", "number", "due_amount")),
        "loan_payment": table(payments, ("loan_id", "number", "amount")),
    }


def outcome(tables: dict[str, EventTable], observed_to: int = FAR) -> Outcome:
    one = np.array([7], dtype=np.int64)
    return Outcome(int(outcomes(LABEL, tables, one, np.array([5]), observed_to)[0]))


@pytest.mark.parametrize(
    ("days", "expected"), [(0, Outcome.GOOD), (90, Outcome.GOOD), (91, Outcome.BAD), (92, Outcome.BAD)]
)
def test_bad_is_more_than_ninety_days_past_due(days, expected) -> None:
    assert outcome(book([0, days, *[0] * 10])) == expected


@pytest.mark.parametrize(("principal", "expected"), [(12 * 10_000, Outcome.GOOD), (12 * 10_001, Outcome.BAD)])
def test_a_small_amount_is_not_material(principal, expected) -> None:
    assert outcome(book([0, 120, *[0] * 10], principal=principal)) == expected


@pytest.mark.parametrize("state", ["charged_off", "restructured", "refinanced"])
def test_charge_off_restructuring_and_refinancing_are_bad(state) -> None:
    assert outcome(book([0] * 12, state=state)) == Outcome.BAD


def test_an_undrawn_line_has_no_label() -> None:
    assert outcome(book([0] * 12, drawn=False)) == Outcome.UNDRAWN


def test_a_window_that_has_not_ended_is_immature_even_if_it_is_bad_already() -> None:
    assert outcome(book([0] * 12), months_before(START, -14)) == Outcome.IMMATURE
    assert outcome(book([None] * 12), months_before(START, -14)) == Outcome.IMMATURE
    assert outcome(book([None] * 12), months_before(START, -16)) == Outcome.BAD


def test_the_window_lasts_until_ninety_days_after_the_last_due_date() -> None:
    late_in_the_life_of_a_long_loan = book([0] * 23 + [None])
    assert (
        outcome(late_in_the_life_of_a_long_loan) == Outcome.GOOD
    )  # crosses on the 91st day after the last due date
    assert outcome(book([0] * 22 + [None, None])) == Outcome.BAD


def test_what_happens_after_the_window_is_not_its_own() -> None:
    assert outcome(book([0] * 12, state="charged_off") | {"loan": _known_later()}) == Outcome.GOOD


def _known_later() -> EventTable:
    row = {"subject": 7, "at": START, "loan_id": 1, "application_id": 5, "principal": 1}
    late = months_before(START, -20)
    rows = [
        row | {"known": START, "known_to": late, "state": code_of("active")},
        row | {"known": late, "state": code_of("charged_off"), "version": 1},
    ]
    return table(rows, ("loan_id", "application_id", "principal", "state"))


def test_confirmed_fraud_is_no_credit_outcome() -> None:
    fraud = table([{"subject": 7, "at": START, "known": START, "application_id": 5}], ("application_id",))
    assert outcome(book([None] * 12) | {"fraud_confirmed": fraud}) == Outcome.FRAUD


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 45, 89, 90, 91, 150, None]), min_size=3, max_size=12))
def test_the_first_bad_day_is_that_of_a_day_by_day_walk(paid_late) -> None:
    tables = book(paid_late, principal=50_000 * len(paid_late))
    assert first_overdue(LABEL, tables, FAR).get(1) == _walk(tables)


def _walk(tables: dict[str, EventTable]) -> int | None:
    due, paid = tables["loan_instalment"], tables["loan_payment"]
    payments = dict(zip(paid.columns["number"].tolist(), paid.valid_from.tolist(), strict=True))
    for day in range(START, START + 900 * DAY, DAY):
        open_now = [
            (at, amount)
            for number, at, amount in zip(
                due.columns["number"].tolist(),
                due.valid_from.tolist(),
                due.columns["due_amount"].tolist(),
                strict=True,
            )
            if at < day and payments.get(number, NEVER) >= day
        ]
        if any((day - at) // DAY > 90 for at, _ in open_now) and sum(a for _, a in open_now) > 10_000:
            return day
    return None


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0, Outcome.GOOD),
        (30, Outcome.GOOD),
        (31, Outcome.INDETERMINATE),
        (90, Outcome.INDETERMINATE),
        (91, Outcome.BAD),
    ],
)
def test_between_good_and_bad_is_neither(days, expected) -> None:
    label = msgspec.structs.replace(LABEL, indeterminate_days=30)
    one = np.array([7], dtype=np.int64)
    found = outcomes(label, book([0, days, *[0] * 10]), one, np.array([5]), FAR)
    assert Outcome(int(found[0])) == expected
