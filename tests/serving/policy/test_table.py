"""The lookup against a plain look at every row, and what it says of gaps and overlaps against every point."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from serving.policy.days import date_text, first_day
from serving.policy.load import draft
from serving.policy.table import NONE, Axis, covers, make_table, meet
from tests.serving.policy.documents import plain

AXES = (Axis("kind", 0, 2), Axis("grade", 1, 4), Axis("day", 10, 16))
POINTS = list(product(*(range(axis.first, axis.last + 1) for axis in AXES)))


def ranges(axis: Axis) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    """One range of an axis that may reach beyond it, or two single values."""
    ends = st.integers(axis.first - 2, axis.last + 2)
    one = st.tuples(ends, ends).map(sorted).map(lambda pair: ((pair[0], pair[1]),))
    two = st.sets(st.integers(axis.first, axis.last), min_size=1, max_size=2)
    return one | two.map(lambda values: tuple((value, value) for value in sorted(values)))


BOXES = st.lists(st.tuples(*(ranges(axis) for axis in AXES)), min_size=1, max_size=6)


def holding(boxes: list[Any], point: tuple[int, ...]) -> list[int]:
    """The places of the rows that hold at a point, by looking at each."""
    return [k for k, box in enumerate(boxes) if covers(box, point)]


@given(BOXES)
def test_a_lookup_finds_the_row_that_a_look_at_each_finds_for_one_and_for_many(boxes) -> None:
    table = make_table(range(len(boxes)), boxes, AXES)
    many = table.places([np.array(column) for column in zip(*POINTS, strict=True)])
    for point, found in zip(POINTS, many.tolist(), strict=True):
        held = holding(boxes, point)
        assert found == table.place(point) == (held[-1] if held else NONE)
        assert table.find(point) == (held[-1] if held else None)


@given(BOXES)
def test_of_caps_the_lowest_that_holds_is_found(boxes) -> None:
    values = [7 * (k % 3) for k in range(len(boxes))]
    table = make_table(values, boxes, AXES, lambda value: value)
    for point in POINTS:
        held = [values[k] for k in holding(boxes, point)]
        assert table.find(point) == min(held, default=None)


@given(BOXES)
def test_gaps_and_overlaps_are_told_iff_a_point_has_none_or_two(boxes) -> None:
    table = make_table(range(len(boxes)), boxes, AXES)
    count = {point: len(holding(boxes, point)) for point in POINTS}
    gaps = [cell.ranges for cell in table.gaps(10, 16)]
    overlaps = [cell.ranges for cell in table.overlaps()]
    for point, held in count.items():
        assert any(covers(tuple((r,) for r in cell), point) for cell in gaps) == (held == 0)
        assert any(covers(tuple((r,) for r in cell), point) for cell in overlaps) == (held > 1)


@given(BOXES)
def test_boxes_meet_iff_they_have_a_point_in_common(boxes) -> None:
    first, last = boxes[0], boxes[-1]
    wide = product(*(range(axis.first - 2, axis.last + 3) for axis in AXES))
    assert meet(first, last) == any(covers(first, point) and covers(last, point) for point in wide)


@pytest.mark.parametrize("point", [(3, 1, 10), (-1, 1, 10), (0, 0, 10), (0, 5, 10), (0, 1, 9), (0, 1, 17)])
def test_outside_of_its_axes_a_table_has_no_row(point) -> None:
    table = make_table(["all"], [(((0, 2),), ((1, 4),), ((10, 16),))], AXES)
    assert table.place(point) == NONE
    assert table.places([np.array([value]) for value in point]).tolist() == [NONE]


DAYS = ["2025-01-01", "2025-01-02", "2025-01-04"]
ROWS = st.lists(
    st.tuples(
        st.tuples(st.integers(1, 10), st.integers(1, 10)).map(sorted),
        st.sampled_from([[], ["consumer"], ["business"], ["consumer", "business"]]),
        st.sampled_from([[], ["thin_file"], ["firm_owner", "farmer", "general"]]),
        st.sampled_from([(DAYS[0], ""), (DAYS[0], DAYS[1]), (DAYS[1], ""), (DAYS[1], DAYS[2])]),
    ),
    max_size=3,
)  # fmt: skip
WHOLE = [((1, 10), [], [], (DAYS[0], ""))]
"""A row for everything, so that some of the drawn tables have neither gap nor overlap."""


def cutoff(place: int, drawn: Any) -> dict[str, Any]:
    grades, products, segments, (since, end) = drawn
    row = {"id": f"r{place}", "effective_from": since, "grades": list(grades), "outcome": "approve"}
    return {**row, "effective_to": end, "products": products, "segments": segments}


def rows_at(rows: list[Any], grade: int, name: str, segment: str, day: str) -> int:
    return sum(
        grades[0] <= grade <= grades[1]
        and name in (products or [name])
        and segment in (segments or [segment])
        and since <= day < (end or "9999")
        for grades, products, segments, (since, end) in rows
    )


@given(ROWS, st.booleans())
def test_a_table_of_cutoffs_is_accepted_iff_every_case_has_exactly_one_row(drawn, whole) -> None:
    rows = [*drawn, *(WHOLE if whole or not drawn else [])]
    document = plain() | {"effective_from": DAYS[0], "limits": plain()["limits"] | {"min_limit_fen": 0}}
    document["tables"]["cutoffs"] = [cutoff(k, row) for k, row in enumerate(rows)]
    ends = [end for *_, (_, end) in rows]
    last = first_day(max(ends)) - 1 if all(ends) else first_day(DAYS[2])
    days = [date_text(day) for day in range(first_day(DAYS[0]), last + 1)]
    segments = ("thin_file", "firm_owner", "farmer", "general")
    cases = product(range(1, 11), ("consumer", "business"), segments, days)
    exact = all(rows_at(rows, *case) == 1 for case in cases)
    told = {found.code for found in draft(canonical_bytes(document))[1] if found.place == "tables.cutoffs"}
    assert (not told & {"gap", "overlap"}) == exact
