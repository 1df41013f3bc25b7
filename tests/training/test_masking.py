"""Masks withhold whole sources, as often as said, with all that is made of them and with their views."""

from __future__ import annotations

import numpy as np
import pytest

from training.masking import MASKED_ROWS, MASKED_SOURCES, is_optional, reach, silenced, strike, strike_some

DATASETS = ["tax", "tax@owner", "bank", "bank+tax@owner", "court+tax", "request"]


@pytest.mark.parametrize(
    ("source", "silent"),
    [
        ("tax", ["tax", "tax@owner", "bank+tax@owner", "court+tax"]),
        ("tax@owner", ["tax@owner", "bank+tax@owner"]),
        ("court", ["court+tax"]),
        ("nobody", []),
    ],
)
def test_a_source_takes_along_its_views_and_what_is_composed_of_it(source, silent) -> None:
    (reached,) = reach([source], DATASETS)
    assert [name for name, hit in zip(DATASETS, reached, strict=True) if hit] == silent


def test_a_column_is_optional_if_one_of_its_sources_is() -> None:
    assert is_optional("bank+tax@owner", ["tax@owner"])
    assert not is_optional("bank+tax@owner", ["tax"])
    assert not is_optional("bank", [])


def test_sources_are_struck_whole_and_as_often_as_said() -> None:
    some = strike_some(np.random.default_rng(0), 20_000, 8)
    touched = some.any(axis=1)
    assert touched.mean() == pytest.approx(MASKED_ROWS * (1 - (1 - MASKED_SOURCES) ** 8), abs=0.02)
    assert some.mean() == pytest.approx(MASKED_ROWS * MASKED_SOURCES, abs=0.01)
    each = np.array([[0.0], [1.0]])
    assert strike(np.random.default_rng(0), 2, 3, each).tolist() == [[False] * 3, [True] * 3]


def test_a_row_loses_every_column_that_one_of_its_struck_sources_reaches() -> None:
    reached = reach(["tax", "tax@owner", "court", "nobody"], DATASETS)
    struck = strike(np.random.default_rng(3), 200, 4, 0.4)
    assert (silenced(struck, reached) == ((struck.astype(int) @ reached.astype(int)) > 0)).all()
