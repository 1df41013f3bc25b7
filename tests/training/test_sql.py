"""A bundle as SQL scores as the bundle does, on every bound, code and kind of missing value."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.engines import KINDS, bundle_of, by_duckdb, check, probes_of, table_of
from training.bounds import grade_bounds, greatest_score
from training.bundle import Bins, Bundle, BundleColumn, MasterScale, probability
from training.models import master_scale
from training.sql import Dialect, NoStatement, bundle_sql

EVERY = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.integers(-(2**40), 2**40)


@pytest.mark.parametrize("kind", KINDS)
def test_duckdb_scores_as_the_bundle_does(kind) -> None:
    bundle = bundle_of(kind)
    probes = probes_of(bundle)
    check(bundle, probes, by_duckdb(bundle, table_of(bundle, probes.values, probes.missing)))


@st.composite
def cards(draw) -> Bundle:
    """A scorecard of two columns with any bounds and codes that floats can have."""
    bins = []
    for _ in range(2):
        edges = tuple(sorted(draw(st.sets(EVERY, max_size=5))))
        codes = tuple(sorted(draw(st.sets(EVERY, max_size=3))))
        points = tuple(draw(POINTS) for _ in range(len(edges) + 1))
        bins.append(Bins(edges, points, draw(POINTS), codes, tuple(draw(POINTS) for _ in codes)))
    columns = tuple(BundleColumn(name, "one", 0, "", "", "R") for name in ("a", "b"))
    return Bundle(1, "m", "m", "scorecard", "aml", 0, columns, master_scale(), "", "", 0, tuple(bins))


@settings(max_examples=25, deadline=None)
@given(cards())
def test_any_bounds_and_codes_are_read_to_the_last_bit(bundle) -> None:
    probes = probes_of(bundle)
    check(bundle, probes, by_duckdb(bundle, table_of(bundle, probes.values, probes.missing)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_the_scorer_refuses_has_no_score(kind, value) -> None:
    bundle = bundle_of(kind)
    values, missing = np.zeros((3, len(bundle.columns))), np.zeros((3, len(bundle.columns)), dtype=np.uint8)
    values[0, 0], missing[1, 0] = value, 4
    found = by_duckdb(bundle, table_of(bundle, values, missing))
    assert found[0] == found[1] == (None, None, None)
    assert None not in found[2]


@pytest.mark.parametrize(
    "scale",
    [master_scale(), MasterScale((0.0004, 0.3, 1.0)), MasterScale((1.0,)), MasterScale((0.5, 0.5, 1.0))],
)
def test_grades_turn_where_the_scorers_do(scale) -> None:
    bounds = np.array(grade_bounds(scale), dtype=np.int64)
    scores = np.concatenate([bounds - 1, bounds, [-70 * 10**9, 0, 70 * 10**9]])
    scores = scores[np.abs(scores) < 100 * 10**9]
    grades = scale.grade(probability(scores, scale.floor))
    assert (1 + (scores[:, None] >= bounds).sum(axis=1)).tolist() == grades.tolist()
    for grade in range(1, len(scale.upper) + 1):
        greatest = greatest_score(scale, grade)
        if abs(greatest) < 2**53:
            both = scale.grade(probability(np.array([greatest, greatest + 1]), scale.floor))
            assert both[0] <= grade < both[1]


@pytest.mark.parametrize("dialect", list(Dialect))
def test_names_that_a_database_would_cut_are_refused(dialect) -> None:
    column = BundleColumn("n" * 60, "one", 0, "", "", "R")
    bundle = msgspec.structs.replace(bundle_of("card"), columns=(column,), bins=(Bins((), (0,), 0),))
    with pytest.raises(NoStatement, match="too long for PostgreSQL"):
        bundle_sql(bundle, dialect)
    with pytest.raises(NoStatement, match="401 columns are more than the 400"):
        bundle_sql(msgspec.structs.replace(bundle, columns=(column,) * 401), dialect)
