"""The quick way to canonical bytes and the library that knows every corner of the RFC give the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from features.canonical import canonical_bytes
from features.errors import Invalid

NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-10, 10).map(lambda x: round(x, 4)),
    st.integers(-400, 400).map(lambda e: 10.0 ** (e / 20)),
    st.integers(-(2**60), 2**60).map(float),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(TEXTS, inner, max_size=5)),
    max_leaves=20,
)


@given(VALUES)
@example({"\U0001f600": 1, "\uffee": 2, "b": 3})
@example([-0.0, 1e-5, 1e16, 1e21, 123456.789, 5e-324, 2.0**53])
@example('\x00\x1f\x7f\u2028\\"/é人')
def test_both_ways_write_the_same_bytes(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**70), "\ud800", {"\udfff": 1}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="no canonical form"):
        canonical_bytes({"x": [value]})
