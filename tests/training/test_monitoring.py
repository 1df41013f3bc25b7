"""A model in use: what moved is found, what only scatters is not, and what is not known yet is estimated."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import instant, month_start
from features.errors import Invalid
from features.matrix import FeatureMatrix, Missing
from tests.training.engines import bundle_of
from tests.training.samples import made_sample
from training.bundle import Scorer
from training.estimated import _expected_auc, estimated_auc
from training.labels import Outcome
from training.limits import load_limits
from training.monitoring import Finding, Kind, Monitored, monitor

LIMITS = load_limits()
SINCE = instant("2024-01-01")
ROWS, BEFORE, MONTHS = 3_000, 1_500, 3


@cache
def population() -> tuple[FeatureMatrix, np.ndarray, np.ndarray]:
    """Half of the rows before 2024, the rest in three months of it."""
    sample = made_sample(ROWS, seed=3)
    first = int(month_start(648))
    months = np.repeat(
        [first - 1, *(int(month_start(648 + k)) for k in range(MONTHS))], [BEFORE, *[500] * MONTHS]
    )
    return sample.matrix, np.where(sample.target, Outcome.BAD, Outcome.GOOD).astype(np.int8), months


def look(values=None, missing=None, outcome=None, kind: str = "card", **changes: object) -> Monitored:
    matrix, target, months = population()
    own = FeatureMatrix(
        matrix.columns,
        matrix.values if values is None else values,
        matrix.missing if missing is None else missing,
    )
    limits = msgspec.structs.replace(LIMITS, **changes)
    scorer = Scorer(bundle_of(kind), "b" * 64)
    return monitor(scorer, own, target if outcome is None else outcome, months, SINCE, "2024-01-01", limits)


def kinds(found: Monitored, month: str = "") -> set[tuple[Kind, str]]:
    return {(one.kind, one.about) for one in found.findings if month in {"", one.month}}


@pytest.mark.parametrize("kind", ["card", "booster", "blend"])
def test_where_nothing_moved_nothing_is_found(kind: str) -> None:
    found = look(kind=kind)
    assert found.findings == ()
    assert [month.month for month in found.months] == ["2024-01", "2024-02", "2024-03"]
    assert [month.rows for month in found.months] == [500, 500, 500]
    for month in found.months:
        assert month.auc is not None
        assert month.estimated.low <= month.estimated.value <= month.estimated.high


def test_a_column_that_moved_is_named_with_the_score_that_followed_it() -> None:
    values = population()[0].values.copy()
    values[BEFORE + 500 : BEFORE + 1_000, 0] += 1.5
    found = look(values=values)
    assert kinds(found, "2024-02") >= {(Kind.SCORE_MOVED, "score"), (Kind.FEATURE_MOVED, "up")}
    assert kinds(found, "2024-01") == kinds(found, "2024-03") == set()
    assert next(iter(found.months[1].features)).name == "up"


def test_a_source_that_falls_silent_is_named() -> None:
    missing = population()[0].missing.copy()
    missing[-500:, [2, 3]] = Missing.NO_RECORD
    found = look(missing=missing)
    assert (Kind.SOURCE_SILENT, "two") in kinds(found, "2024-03")
    assert found.months[2].absent["two"] == 1.0


def test_a_month_that_ranks_worse_or_defaults_more_is_found_and_asks_for_no_more_than_a_proposal() -> None:
    outcome = population()[1].copy()
    outcome[BEFORE : BEFORE + 500] = np.random.default_rng(1).permutation(outcome[BEFORE : BEFORE + 500])
    outcome[-500:][np.arange(0, 500, 3)] = Outcome.BAD
    found = look(outcome=outcome)
    assert (Kind.RANKS_WORSE, "AUC") in kinds(found, "2024-01")
    assert (Kind.LEVEL_TOO_LOW, "bad rate") in kinds(found, "2024-03")
    assert all(
        "ropose" in one.todo for one in found.findings if one.kind in {Kind.RANKS_WORSE, Kind.LEVEL_TOO_LOW}
    )


def test_outcomes_that_are_not_known_count_for_nothing_but_the_estimate() -> None:
    outcome = population()[1].copy()
    outcome[-500:] = Outcome.IMMATURE
    last = look(outcome=outcome).months[-1]
    assert (last.known, last.auc, last.level) == (0, None, None)
    assert last.estimated == look().months[-1].estimated
    assert 0.6 < last.estimated.value < 0.95


def test_a_small_month_is_told_and_not_judged() -> None:
    values = population()[0].values + 5.0
    assert look(values=values, rows=501).findings == ()
    assert look(values=values, rows=500).months == look(values=values, rows=501).months


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0.0, 0.02, 0.1, 0.1, 0.35, 0.5, 0.9, 1.0]), min_size=2, max_size=12))
def test_the_estimate_is_the_share_of_pairs_that_would_be_in_order(pds: list[float]) -> None:
    right = whole = 0.0
    for i, bad in enumerate(pds):
        for j, good in enumerate(pds):
            if i != j:
                weight = bad * (1 - good)
                whole += weight
                right += weight * (1.0 if bad > good else 0.5 if bad == good else 0.0)
    assert _expected_auc(np.array(pds)) == pytest.approx(right / whole if whole > 1e-12 else 0.5)


def test_the_estimate_is_the_auc_of_outcomes_that_follow_the_pds() -> None:
    g = np.random.default_rng(2)
    pd = g.beta(1, 8, 4_000)
    from training.validation import auc

    drawn = [auc((g.random(4_000) < pd).astype(np.int8), pd).value for _ in range(20)]
    found = estimated_auc(pd)
    assert found.value == pytest.approx(float(np.mean(drawn)), abs=0.005)
    assert found.low < min(drawn) + 0.02
    assert found.high > max(drawn) - 0.02


def test_limits_are_a_file_that_is_checked(tmp_path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("schema: 1\npsi: big\n")
    with pytest.raises(Invalid, match="psi"):
        load_limits(path)


def test_a_finding_names_figure_limit_and_what_to_do() -> None:
    missing = np.full_like(population()[0].missing, Missing.NO_RECORD)
    missing[:BEFORE] = population()[0].missing[:BEFORE]
    one = next(f for f in look(missing=missing).findings if f.kind is Kind.SOURCE_SILENT)
    assert isinstance(one, Finding)
    assert one.figure > one.limit
    assert one.todo.endswith(".")
