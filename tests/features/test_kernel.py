"""The kernel against its oracle, and what must hold for every history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, instant, iso, months_before
from features.definitions.online import known_datasets
from features.kernel import months_before as compiled_months_before
from features.matrix import Missing
from features.timeline.events import Pin
from features.timeline.packed import pack, unpack
from tests.features.oracle import feature
from tests.features.worlds import (
    AS_OFS,
    BASE,
    HISTORIES,
    definitions,
    events_of,
    plan_of,
    raw_of,
    stored_conditions,
)

DEFINITIONS = definitions()
PLAN = plan_of(DEFINITIONS)


def build(history: list[dict[str, int]], subjects: list[int], as_of: list[int], pin: Pin | None = None):
    tables = {"wages": raw_of(history).resolve(pin)}
    return PLAN.build(tables, np.array(subjects, dtype=np.int64), np.array(as_of, dtype=np.int64))


def test_the_plan_is_large_enough_to_mean_something() -> None:
    assert len(PLAN.columns) >= 100
    assert {d["aggregate"] for d in DEFINITIONS} >= {"streak", "trend", "concentration", "year_on_year"}


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.lists(AS_OFS, min_size=1, max_size=3))
def test_every_column_equals_the_oracle(history, moments) -> None:
    table = raw_of(history).resolve()
    pairs = [(subject, moment) for subject in range(4) for moment in moments]
    matrix = build(history, [s for s, _ in pairs], [m for _, m in pairs])
    for row, (subject, moment) in enumerate(pairs):
        events = events_of(table, subject)
        for place, definition in enumerate(DEFINITIONS):
            against = definition["against"]
            expected = feature(
                events, moment, definition["aggregate"], definition["windows"][0], column=definition["column"],
                where=stored_conditions(definition["where"]), weight=definition["weight"],
                against=None if against is None else stored_conditions(against),
            )  # fmt: skip
            name = PLAN.columns[place].name
            if expected is None:
                assert matrix.missing[row, place] == Missing.NO_RECORD, name
            else:
                assert matrix.missing[row, place] == Missing.PRESENT, name
                assert matrix.values[row, place] == pytest.approx(expected, rel=1e-12, abs=1e-12), name


def test_months_that_cancel_out_exactly_have_no_variation() -> None:
    """Their running mean in floating point is not quite zero."""
    event = {"subject": 0, "valid_to": NEVER, "slip": 0, "payer": 11, "born_on": BASE, "kind": 0}
    days = [(BASE - DAY, 500), (BASE - DAY, -250), (instant("2023-11-29"), -250)]
    history = [
        event | {"valid_from": day, "known_from": day, "amount": amount, "slip": slip}
        for slip, (day, amount) in enumerate(days)
    ]
    matrix = build(history, [0], [BASE])
    assert matrix.missing[0, matrix.names.index("variation_0_6m")] == Missing.NO_RECORD


@settings(max_examples=150, deadline=None)
@given(HISTORIES, AS_OFS)
def test_one_packed_subject_gives_the_bytes_of_the_training_set(history, moment) -> None:
    table = raw_of(history).resolve()
    everyone = build(history, [0, 1, 2], [moment] * 3)
    for subject in range(3):
        packed = unpack(pack({"wages": table.take(table.subject == subject)}))
        one = PLAN.build(packed, np.array([subject]), np.array([moment]))
        assert one.values[0].tobytes() == everyone.values[subject].tobytes()
        assert one.missing[0].tobytes() == everyone.missing[subject].tobytes()
        known = bool(len(table.take(table.subject == subject).visible(moment)))
        assert known_datasets(packed, ["wages"], moment) == known
        assert known_datasets(dict(packed), ["wages"], moment) == known


@settings(max_examples=150, deadline=None)
@given(HISTORIES, HISTORIES, AS_OFS)
def test_what_is_known_after_as_of_is_never_seen(past, future, as_of) -> None:
    past = [row for row in past if row["known_from"] <= as_of]
    later = [
        row | {"known_from": max(row["known_from"], as_of + 1), "version": 1000 + k}
        for k, row in enumerate(future)
    ]
    before = build(past, [0, 1, 2], [as_of] * 3)
    after = build(past + later, [0, 1, 2], [as_of] * 3)
    assert before.values.tobytes() == after.values.tobytes()
    assert before.missing.tobytes() == after.missing.tobytes()


@settings(max_examples=150, deadline=None)
@given(HISTORIES, st.integers(0, 29), AS_OFS, st.integers(1, 300))
def test_a_correction_known_later_changes_nothing_earlier(history, which, as_of, days) -> None:
    if not history:
        return
    corrected = history[which % len(history)]
    correction = corrected | {"amount": 77, "known_from": as_of + days * DAY, "version": 1000}
    assert (
        build(history, [0, 1, 2], [as_of] * 3).values.tobytes()
        == build([*history, correction], [0, 1, 2], [as_of] * 3).values.tobytes()
    )


@settings(max_examples=100, deadline=None)
@given(HISTORIES, HISTORIES, AS_OFS)
def test_rows_above_the_pinned_version_are_as_if_they_had_never_arrived(history, late, as_of) -> None:
    arrived = [row | {"version": 500 + k} for k, row in enumerate(late)]
    pinned = build(history + arrived, [0, 1, 2], [as_of] * 3, pin=Pin(499))
    assert pinned.values.tobytes() == build(history, [0, 1, 2], [as_of] * 3).values.tobytes()


@settings(max_examples=60, deadline=None)
@given(HISTORIES, st.permutations(range(30)), AS_OFS)
def test_the_order_of_arrival_in_one_version_does_not_matter(history, order, as_of) -> None:
    rows = [row | {"version": 1, "slip": k} for k, row in enumerate(history)]
    shuffled = [rows[k] for k in order if k < len(rows)]
    one, other = build(rows, [0, 1, 2], [as_of] * 3), build(shuffled, [0, 1, 2], [as_of] * 3)
    ordered = [k for k, d in enumerate(DEFINITIONS) if d["aggregate"] not in {"last", "months_since_value"}]
    assert one.values[:, ordered].tobytes() == other.values[:, ordered].tobytes()


def test_a_subject_without_events_counts_zero_and_has_no_mean() -> None:
    matrix = build([], [7], [instant("2024-01-01")])
    at = {column.name: place for place, column in enumerate(PLAN.columns)}
    assert matrix.missing[0, at["count_0"]] == Missing.PRESENT
    assert matrix.values[0, at["count_0"]] == 0.0
    assert matrix.missing[0, at["mean_0"]] == Missing.NO_RECORD


@pytest.mark.parametrize(
    ("born", "works"),
    [("2008-03-31", 1.0), ("2008-04-01", 0.0), ("1964-04-01", 1.0), ("1964-03-31", 0.0)],
)
def test_working_age_is_from_the_sixteenth_birthday_to_the_sixtieth(born, works) -> None:
    row = {
        "subject": 0,
        "valid_from": BASE - DAY,
        "valid_to": NEVER,
        "known_from": BASE - DAY,
        "slip": 1,
        "born_on": instant(born),
    }
    matrix = build([row], [0], [BASE])
    at = {column.name: place for place, column in enumerate(PLAN.columns)}
    assert matrix.values[0, at["working_age_share_0"]] == works


@given(st.integers(instant("1950-01-01"), instant("2100-01-01")), st.integers(0, 400))
def test_month_edges_in_the_kernel_are_those_of_the_calendar(moment, months) -> None:
    assert compiled_months_before(moment, months) == months_before(moment, months)


def test_a_month_before_the_31st_of_march_is_the_leap_day() -> None:
    assert iso(int(compiled_months_before(instant("2024-03-31"), 1))) == "2024-02-29"


def test_a_source_that_was_not_asked_is_not_no_record() -> None:
    tables = {"wages": raw_of([]).resolve()}
    one = np.array([1], dtype=np.int64)
    matrix = PLAN.build(tables, one, one, {"wages": Missing.SOURCE_DOWN})
    assert set(np.unique(matrix.missing)) == {Missing.SOURCE_DOWN}
    assert not matrix.values.any()
