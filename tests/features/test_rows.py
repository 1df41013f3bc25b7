"""Objects written from arrays are those that ``canonical_bytes`` writes one by one."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.canonical import canonical_bytes, canonical_struct, number_text
from features.errors import Invalid
from features.rows import ABSENT, NUMBER, Objects

NAMES = ("b", "a", "Z", "a_1", "list.deny", "consent.tax")
NUMBERS = (
    st.integers(-(2**53) + 1, 2**53 - 1).map(float)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(-(10**13), 10**13, places=2).map(float)
    | st.decimals(-(10**6), 10**6, places=9).map(float)
    | st.decimals(-1, 1, places=10).map(float)
    | st.sampled_from([0.0, -0.0, 1e-4, 9.99e-5, 2.0**53, 2.0**53 - 1, 1e15 + 0.5, 5e-324])
)
CELLS = NUMBERS | st.text(max_size=4) | st.none()


class Numbers(msgspec.Struct):
    """A document with everything that may look unusual."""

    zh: str
    count: int
    share: float
    of: dict[str, int]
    more: tuple[str, ...]


@given(st.lists(st.tuples(*[CELLS] * len(NAMES)), max_size=5))
@settings(deadline=None)
def test_each_row_is_the_canonical_object_of_its_cells(rows: list[tuple]) -> None:
    texts = sorted({cell for row in rows for cell in row if isinstance(cell, str)})
    values, words = (
        np.zeros((len(rows), len(NAMES))),
        np.full((len(rows), len(NAMES)), NUMBER, dtype=np.int32),
    )
    for at, row in enumerate(rows):
        for place, cell in enumerate(row):
            if isinstance(cell, float):
                values[at, place] = cell
            else:
                words[at, place] = ABSENT if cell is None else texts.index(cell)
    found = Objects(NAMES).write(values, words, [canonical_bytes(text) for text in texts])
    told = [{n: cell for n, cell in zip(NAMES, row, strict=True) if cell is not None} for row in rows]
    assert found == [canonical_bytes(row) for row in told]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_has_no_canonical_form_is_refused(value: float) -> None:
    with pytest.raises(Invalid):
        Objects(("a",)).write(np.array([[value]]), np.full((1, 1), NUMBER, dtype=np.int32))
    with pytest.raises(Invalid):
        number_text(value)


@given(NUMBERS)
def test_the_text_of_a_number_is_the_canonical_one(value: float) -> None:
    assert number_text(value).encode() == canonical_bytes(value)


@given(
    st.builds(
        Numbers,
        st.text(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        NUMBERS,
        st.dictionaries(st.text(max_size=3), st.integers(-9, 9)),
        st.lists(st.text() | st.sampled_from(["x:1.0,", ":1234567890123456"])).map(tuple),
    )
)
@example(Numbers("\ue000", 1, 0.5, {"\ue000": 1, "\U0001f600": 2}, ()))
@settings(deadline=None)
def test_a_struct_written_in_c_has_its_canonical_bytes(document: Numbers) -> None:
    assert canonical_struct(document, [document.share, document.count]) == canonical_bytes(document)


def test_an_integer_that_the_rfc_refuses_is_refused_in_c_too() -> None:
    with pytest.raises(Invalid):
        canonical_struct(Numbers("", 2**53, 0.5, {}, ()), [0.5, 2**53])
