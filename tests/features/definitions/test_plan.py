"""Composites, requests, masks, views and windows of small plans."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import NEVER, instant
from features.canonical import code_of
from features.contracts.model import Contract
from features.definitions.composites import Composite, Composites
from features.definitions.model import Composition, DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan, SnapshotTooEarly
from features.matrix import ColumnKind, FeatureMatrix, Missing
from features.timeline.events import EventTable, empty_table
from features.timeline.views import sights, through
from tests.features.worlds import WAGES, plan_of

REASONS = {"R": {"zh": "测", "en": "test"}}
SINGLE = {"zh": "测", "en": "test", "rationale": "test", "reason": "R"}


def feature(name: str, aggregate: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "aggregate": aggregate, **SINGLE, **more}


def composed() -> FeaturePlan:
    files = (
        {"schema": 1, "dataset": "wages", "reasons": REASONS, "features": [
            feature("total", "sum", column="amount"), feature("cnt", "count"), feature("kind", "last", column="kind")]},
        {"schema": 1, "dataset": "request", "features": [feature("req", "value", column="amount", unit="yuan")]},
        {"schema": 1, "features": [
            feature("per_slip", "ratio", of=["total", "cnt"]), feature("gap", "difference", of=["total", "req"]),
            feature("all", "total", of=["total", "cnt", "req"]), feature("twice", "total", of=["all", "all"])]},
    )  # fmt: skip
    parsed = tuple(msgspec.convert(file, DefinitionFile) for file in files)
    return FeaturePlan(PlanDocument(1, (msgspec.convert(WAGES, Contract),), parsed))


def wages(*amounts: int) -> EventTable:
    n = len(amounts)
    start = np.full(n, instant("2024-01-10"))
    columns = {
        name: np.zeros(n, dtype=np.int64)
        for name in plan_of([feature("c", "count")]).contracts["wages"].names
    }
    columns |= {"amount": np.array(amounts, dtype=np.int64), "kind": np.full(n, code_of("gift"))}
    return EventTable(
        np.zeros(n, dtype=np.int64),
        start,
        np.full(n, NEVER),
        start,
        np.full(n, NEVER),
        np.ones(n, dtype=np.int64),
        columns,
    )


ONE = np.zeros(1, dtype=np.int64)
THEN = np.array([instant("2024-02-01")])


def row(matrix: FeatureMatrix) -> dict[str, float | Missing]:
    return {
        name: float(value) if kind == Missing.PRESENT else Missing(int(kind))
        for name, value, kind in zip(matrix.names, matrix.values[0], matrix.missing[0], strict=True)
    }


def test_composites_are_computed_from_columns_and_from_one_another() -> None:
    found = row(composed().build({"wages": wages(30, 12)}, ONE, THEN, request={"amount": np.array([100.0])}))
    assert found["per_slip"] == 21
    assert found["gap"] == -58
    assert found["all"] == 144
    assert found["twice"] == 288
    assert found["kind"] == code_of("gift")


def test_a_composite_lacks_what_its_parts_lack_most_gravely() -> None:
    plan = composed()
    assert row(plan.build({"wages": wages(30)}, ONE, THEN))["gap"] is Missing.NO_RECORD
    assert (
        row(plan.build({"wages": wages()}, ONE, THEN))["per_slip"] is Missing.NO_RECORD
    )  # nothing over nothing
    for kind in (Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED):
        found = row(plan.build({"wages": wages(30)}, ONE, THEN, {"wages": kind}))
        assert {found[name] for name in ("total", "cnt", "kind", "per_slip", "gap", "all", "twice")} == {kind}
        assert found["req"] is Missing.NO_RECORD


PART = st.tuples(st.floats(-1e9, 1e9), st.sampled_from(list(Missing)))
LOOKS_AT_WHAT_IS_THERE = {
    Composition.MINIMUM,
    Composition.MAXIMUM,
    Composition.BREADTH,
    Composition.AGREEMENT,
}


def agreement(there: list[float]) -> float:
    if len(there) < 2:
        return math.nan
    middle = float(np.median(there))
    return sum(abs(value - middle) <= 0.3 * abs(middle) for value in there) / len(there)


PLAIN = {
    Composition.RATIO: lambda v: v[0] / v[1] if v[1] else math.nan, Composition.DIFFERENCE: lambda v: v[0] - v[1],
    Composition.TOTAL: sum, Composition.PRODUCT: math.prod, Composition.MINIMUM: min, Composition.MAXIMUM: max,
    Composition.BREADTH: len, Composition.AGREEMENT: agreement,
}  # fmt: skip


@given(st.lists(st.tuples(PART, PART, PART), min_size=1), st.sampled_from(list(Composition)))
def test_every_composition_equals_plain_arithmetic(rows, composition) -> None:
    width = 2 if composition in {Composition.RATIO, Composition.DIFFERENCE} else 3
    values = np.array([[*(value for value, _ in parts), 7.0] for parts in rows])
    missing = np.array([[*(kind for _, kind in parts), 0] for parts in rows], dtype=np.uint8)
    Composites.make([Composite(composition, tuple(range(width)), 3)]).fill(values, missing)
    for place, parts in enumerate(rows):
        kinds = [kind for _, kind in parts[:width]]
        there = [value for value, kind in parts[:width] if kind == Missing.PRESENT]
        gravest = max(kinds)
        passes = composition in LOOKS_AT_WHAT_IS_THERE and gravest == Missing.NO_RECORD
        if passes and (there or composition is Composition.BREADTH):
            gravest = Missing.PRESENT
        expected = PLAIN[composition](there) if gravest == Missing.PRESENT else 0.0
        if not math.isfinite(expected):
            gravest, expected = Missing.NO_RECORD, 0.0
        assert missing[place, 3] == gravest
        assert values[place, 3] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        ((100, 130, 70), 1.0),
        ((100, 131, 70), 2 / 3),
        ((100, 130, 69), 2 / 3),
        ((100, 100, 1000), 2 / 3),
        ((-10, -13, -7), 1.0),
    ],
)
def test_parts_agree_up_to_thirty_hundredths_of_their_median(parts, share) -> None:
    values, missing = np.array([[*map(float, parts), 0.0]]), np.zeros((1, 4), dtype=np.uint8)
    Composites.make([Composite(Composition.AGREEMENT, (0, 1, 2), 3)]).fill(values, missing)
    assert values[0, 3] == pytest.approx(share)


def test_what_is_asked_for_is_a_column_known_from_nowhere_else() -> None:
    plan = composed()
    column = plan.columns[plan.columns.index(next(c for c in plan.columns if c.name == "req"))]
    assert (column.dataset, column.unit) == ("request", "yuan")
    assert row(plan.build({"wages": wages()}, ONE, THEN, request={"amount": np.array([5.0])}))["req"] == 5
    assert plan.sources("gap") == ("request", "wages")


def test_a_last_category_is_a_category_with_its_texts() -> None:
    column = next(c for c in composed().columns if c.name == "kind")
    assert column.kind is ColumnKind.CATEGORY
    assert dict(column.labels) == {code_of("salary"): "salary", code_of("gift"): "gift"}


def test_windows_stand_in_names_and_titles() -> None:
    plan = plan_of([feature("n", "count", windows=["6m", "90d", "all"], unit="slips")])
    assert [(c.name, c.zh, c.en, c.unit) for c in plan.columns] == [
        ("n_6m", "测 (6m)", "test (6m)", "slips"), ("n_90d", "测 (90d)", "test (90d)", "slips"), ("n", "测", "test", "slips"),
    ]  # fmt: skip


def test_a_column_takes_the_field_s_unit_where_its_aggregate_keeps_it() -> None:
    contract = WAGES | {
        "fields": [f | ({"unit": "yuan"} if f["name"] == "amount" else {}) for f in WAGES["fields"]]
    }
    features = [
        feature("s", "sum", column="amount"),
        feature("v", "variation", column="amount", windows=["6m"]),
    ]
    assert [c.unit for c in plan_of(features, [contract]).columns] == ["yuan", ""]


def test_a_snapshot_says_nothing_of_the_time_before_it() -> None:
    plan = plan_of([feature("n", "count")], [WAGES | {"history": "snapshot"}])
    with pytest.raises(
        SnapshotTooEarly, match=r"first taken 2024-01-10; its state as of 2024-01-09 was overwritten"
    ):
        plan.build({"wages": wages(1)}, ONE, np.array([instant("2024-01-09")]))
    assert row(plan.build({"wages": wages(1)}, ONE, THEN)) == {"n": 1}
    assert row(plan.build({"wages": empty_table(wages().columns)}, ONE, ONE)) == {"n": 0}


FIRMS: dict[str, Any] = WAGES | {
    "dataset": "firms", "subject": "legal_person", "subject_field": "uscc",
    "fields": [*WAGES["fields"], {"name": "owner", "type": "id_number"}],
    "links": [{"kind": "owner", "to": "person", "field": "owner"}],
}  # fmt: skip


def test_a_firm_counts_for_its_owner_from_when_that_is_known() -> None:
    document = PlanDocument(
        1, (msgspec.convert(FIRMS, Contract),),
        (msgspec.convert({"schema": 1, "dataset": "firms@owner", "reasons": REASONS,
                          "features": [feature("firms", "count", windows=["now"])]}, DefinitionFile),),
    )  # fmt: skip
    plan = FeaturePlan(document)
    told, sold = instant("2024-01-05"), instant("2024-03-01")
    columns = {name: np.zeros(3, dtype=np.int64) for name in plan.contracts["firms"].names}
    columns["owner"] = np.array([7, 7, 8])
    table = EventTable(
        np.array([100, 101, 100]), np.array([told, told, sold]), np.array([sold, NEVER, NEVER]),
        np.array([told, told, sold]), np.full(3, NEVER), np.ones(3, dtype=np.int64), columns,
    )  # fmt: skip
    tables = {"firms@owner": through(sights(plan.views["firms@owner"], table), table, lasting=True)}
    owners = np.array([7, 8, 7, 8, 7], dtype=np.int64)
    moments = [instant(day) for day in ("2024-02-01", "2024-02-01", "2024-03-02", "2024-03-02", "2024-01-04")]
    assert plan.datasets == ("firms@owner",)
    assert plan.build(tables, owners, np.array(moments)).values[:, 0].tolist() == [2, 0, 1, 1, 0]
