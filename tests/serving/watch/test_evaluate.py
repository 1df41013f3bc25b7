"""Whole columns against a plain reading row by row, for every shape that a signal may have."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import instant
from features.contracts.model import Text
from serving.watch.document import Clause, Condition, Level, Name, Operator, Signal, SignalsDocument, Trigger
from serving.watch.evaluate import Values, evaluate, raised, sentence
from tests.serving.watch.rows import columns, level_of

NAMES = ["a", "b", "c", "a@1m", "b@1m", "a@grant"]
FEW = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """A condition on few values, so that rows meet thresholds exactly."""
    other, how = draw(st.sampled_from(NAMES)), draw(st.sampled_from(["", "times", "plus"]))
    told = {how: other} if how else {}
    return Condition(draw(st.sampled_from(NAMES)), draw(st.sampled_from(Operator)), draw(FEW), **told)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """A signal of one to three levels, with clauses and over one month or two."""
    levels = draw(st.lists(st.sampled_from(Level), min_size=1, max_size=3, unique=True))
    levels.sort(key=list(Level).index, reverse=True)
    some = st.lists(conditions(), min_size=1, max_size=3).map(tuple)
    triggers = []
    for level in levels:
        clauses = tuple(Clause(each) for each in draw(st.lists(some, max_size=3)))
        triggers.append(Trigger(level, draw(some) if not clauses or draw(st.booleans()) else (), clauses))
    text = Text("甲", "a")
    return Signal("s", "甲", "s", "bank", tuple(triggers), text, text, months=draw(st.sampled_from([1, 2])))


ROWS = st.lists(st.fixed_dictionaries({n: st.none() | FEW for n in [*NAMES, "c@1m", "a@2m", "b@2m"]}), min_size=1, max_size=8)  # fmt: skip


@given(signals(), ROWS)
def test_columns_say_what_a_plain_reading_of_each_row_says(signal: Signal, rows) -> None:
    found = raised(signal, columns(rows, list(rows[0])))
    said = [
        "skipped" if skipped else signal.levels[place].level.value if place >= 0 else "none"
        for place, skipped in zip(found.level.tolist(), found.skipped.tolist(), strict=True)
    ]
    assert said == [level_of(signal, row) for row in rows]


@given(signals(), ROWS)
def test_what_an_unknown_value_could_be_never_changes_what_was_told(signal: Signal, rows) -> None:
    told = [level_of(signal, row) for row in rows]
    for filling in (-1.0, 0.0, 1.0):
        known = [{name: filling if value is None else value for name, value in row.items()} for row in rows]
        for before, row in zip(told, known, strict=True):
            after = level_of(signal, row)
            graver = (
                before in set(Level)
                and after in set(Level)
                and list(Level).index(after) >= list(Level).index(before)
            )
            assert before in {"skipped", after} or graver


def test_a_value_that_may_not_be_read_is_counted_apart() -> None:
    signal = Signal(
        "s", "甲", "s", "b", (Trigger(Level.RED, (Condition("a", Operator.GE, 1),)),), Text("甲", "a")
    )
    values = columns([{"a": 1}, {"a": None}, {"a": None}], ["a"], [frozenset(), frozenset("a"), frozenset()])
    outcome = evaluate(SignalsDocument(2, (signal,)), values)
    assert (outcome.skipped, outcome.not_authorised) == ({"s": 1}, {"s": 1})
    assert outcome.blind["s"].tolist() == [False, True, True]


def test_a_signal_holds_from_its_first_day_until_its_last() -> None:
    one = Signal("s", "甲", "s", "b", (Trigger(Level.RED, (Condition("a", Operator.GE, 1),)),), Text("甲", "a"),
                 effective_from="2026-01-01", effective_to="2026-02-01")  # fmt: skip
    two = msgspec.structs.replace(
        one, effective_from="2026-02-01", effective_to="", levels=(Trigger(Level.YELLOW, one.levels[0].all),)
    )
    document = SignalsDocument(2, (one, two))

    def levels(day: str) -> list[str]:
        values = Values({"a": np.array([1.0])}, {"a": np.array([True])}, {}, instant(day))
        return [hit.level.value for hit in evaluate(document, values).hits]

    assert [levels(day) for day in ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01")] == [
        [], ["red"], ["red"], ["yellow"],
    ]  # fmt: skip


def test_evidence_tells_amounts_shares_and_the_day() -> None:
    values = Values(
        {"a@1m": np.array([1234.5]), "b": np.array([-0.312])},
        {"a@1m": np.array([True]), "b": np.array([True])}, {}, instant("2026-03-31"),
    )  # fmt: skip
    trigger = Trigger(Level.RED, (Condition("b", Operator.LT, 0),))
    signal = Signal(
        "s", "甲", "s", "b", (trigger,), Text("{a@1m}", "{a@1m} yuan, {b:pct}, {none} as of {as_of}")
    )
    (hit,) = evaluate(SignalsDocument(2, (signal,)), values).hits
    assert hit.evidence_en == "1,234.5 yuan, -31%, – as of 2026-03-31"


@pytest.mark.parametrize(
    ("text", "name", "before"),
    [
        ("a", Name("a"), "a@1m"),
        ("a@1m", Name("a", 1), "a@2m"),
        ("a@grant", Name("a", 0, True), "a@grant"),
        ("a@0m", Name("a@0m"), "a@0m@1m"),
    ],
)
def test_a_name_says_when_its_value_is_asked(text, name, before) -> None:
    assert (Name.parse(text), Name.parse(text).before(), str(name)) == (name, before, text)


@pytest.mark.parametrize(
    ("value", "told"),
    [(2744.04, "2,744"), (2744.0, "2,744"), (2744.06, "2,744.1"), (-0.25, "-0.2"), (0.0, "0"), (None, "–")],
)
def test_an_amount_is_told_without_a_nought_after_the_point(value: float | None, told: str) -> None:
    assert sentence("It is {a} yuan.", columns([{"a": value}], ["a"]), 0) == f"It is {told} yuan."
