"""The access model: rules over history, and the number of sources below which a score says nothing."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, NEVER
from features.matrix import Column, FeatureMatrix
from features.timeline.events import RawEvents
from serving.backtest import (
    FEW,
    History,
    NoSufficiencyRule,
    sources_with_record,
    sufficient_sources,
    train_access,
    with_limit,
)
from serving.policy.evaluate import FactColumn
from serving.policy.load import load_policy
from tests.serving.policy.documents import CITY_POLICY, plain, policy_of, rule

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(0, 3)), max_size=12
)  # (subject, known on day, key)


def table(events: list[tuple[int, int, int]]) -> Any:
    rows = np.array(events, dtype=np.int64).reshape(-1, 3)
    days = rows[:, 1] * DAY
    versions = np.arange(len(rows), dtype=np.int64)
    return RawEvents(rows[:, 0], days, np.full(len(rows), NEVER), days, versions, rows[:, 2], {}).resolve()


@given(
    st.lists(EVENTS, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 31)), max_size=6),
)
def test_sources_over_history_are_counted_as_a_single_decision_counts_them(
    drawn: list[list[tuple[int, int, int]]], asked: list[tuple[int, int]]
) -> None:
    tables = {f"d{k}": table(events) for k, events in enumerate(drawn)}
    pairs = np.array(asked, dtype=np.int64).reshape(-1, 2)
    found = sources_with_record(tables, list(tables), pairs[:, 0], pairs[:, 1] * DAY)
    for (subject, day), count in zip(asked, found, strict=True):
        known = [t.take(t.subject == subject).visible(day * DAY) for t in tables.values()]
        assert count == sum(len(rows) > 0 for rows in known)


def history(sources: list[int], outcome: list[int]) -> History:
    count = len(sources)
    matrix = FeatureMatrix((Column("x", "d"),), np.zeros((count, 1)), np.zeros((count, 1), dtype=np.uint8))
    facts = {"age_years": FactColumn(np.full(count, 40.0), np.zeros(count, dtype=np.uint8))}
    return History(matrix, np.array(sources), facts, np.array(outcome, dtype=np.int8))


def test_the_limit_rises_over_the_few_sources_at_which_the_score_says_nothing() -> None:
    generator = np.random.default_rng(5)
    sources = [1] * 60 + [2] * 60 + [3] * 3000
    outcome = (generator.random(len(sources)) < 0.2).astype(int)
    blind = generator.random(len(sources)) * 0.4
    sharp = np.where(outcome == 1, 0.6, 0.1)
    pd = np.where(np.array(sources) < 3, blind, sharp)
    least, gains = sufficient_sources(history(sources, outcome.tolist()), pd)
    assert least == 3
    assert [number for number, _, _ in gains] == [0, 1, 2, 3]
    assert gains[3][2] > 0.1


def test_the_limit_never_refers_more_than_its_share_and_is_nothing_where_all_are_informed() -> None:
    generator = np.random.default_rng(6)
    outcome = (generator.random(400) < 0.2).astype(int)
    sharp = np.where(outcome == 1, 0.6, 0.1)
    blind = generator.random(400)
    assert sufficient_sources(history([0] * 200 + [1] * 200, outcome.tolist()), blind)[0] == 0
    assert sufficient_sources(history([0] * 15 + [1] * 385, outcome.tolist()), sharp)[0] == 1, (
        f"{FEW} rows prove it"
    )
    assert sufficient_sources(history([0] * 40 + [1] * 360, outcome.tolist()), sharp)[0] == 0


def test_the_trained_policy_is_the_shipped_one_with_another_limit() -> None:
    data = with_limit(CITY_POLICY, 6)
    limit = [r for r in load_policy(data).rules if r.code == "TOO_FEW_SOURCES"]
    assert [c.value for r in limit for c in r.when.conditions] == [6]
    assert with_limit(load_policy(data), 3) == CITY_POLICY.data
    with pytest.raises(NoSufficiencyRule):
        with_limit(policy_of(rule("A", "refer", "any", ("x", "ge", 1))), 3)


def test_each_rule_is_recorded_with_the_outcomes_of_those_it_struck() -> None:
    first = plain()["gates"][0]["rules"]
    policy = policy_of(
        *first,
        rule("AGE", "decline", "any", ("age_years", "ge", 40)), rule("FEW", "refer", "any", ("sources_with_record", "lt", 9))
    )  # fmt: skip
    outcome = [1, 0, 0, -1]
    data, report = train_access(policy, history([1, 1, 1, 1], outcome), np.array([0.5, 0.5, 0.5, np.nan]))
    record = {one.id: one for one in report.rules}
    assert (record["AGE"].struck, record["AGE"].struck_labelled) == (4, 3)
    assert record["AGE"].struck_bad_rate == pytest.approx(1 / 3, abs=1e-6)
    assert record["AGE"].passed_bad_rate is None
    assert (report.rows, report.labelled, report.declined) == (4, 3, 4)
    assert msgspec.json.decode(data)["policy"] == "city"
