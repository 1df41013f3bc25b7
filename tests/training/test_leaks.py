"""The looks for a leak find what was leaked, and nothing in honest data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.training.samples import made_sample
from training.leaks import LeakCheck, check_leaks
from training.sample import Sample, folds
from training.validation import Interval


def checked(sample: Sample) -> LeakCheck:
    return check_leaks(sample, folds(sample, 5, 7))


def test_honest_rows_raise_no_warning() -> None:
    found = checked(made_sample(800))
    assert found.suspects == ()
    assert found.afterwards == ()
    assert 0.42 < found.shuffled.value < 0.58
    assert found.warnings == ()


def test_a_feature_that_is_the_outcome_is_named() -> None:
    sample = made_sample(800)
    values = sample.matrix.values.copy()
    values[:, 5] = sample.target + np.random.default_rng(0).normal(0, 0.1, 800)
    found = checked(replace(sample, matrix=replace(sample.matrix, values=values)))
    assert [one.name for one in found.suspects] == ["noise"]
    assert found.suspects[0].auc > 0.99
    assert "Feature noise alone reaches AUC" in found.warnings[0]


def test_an_outcome_hidden_in_what_is_missing_is_found_too() -> None:
    sample = made_sample(800)
    missing = sample.matrix.missing.copy()
    missing[:, 5] = sample.target
    found = checked(replace(sample, matrix=replace(sample.matrix, missing=missing)))
    assert [one.name for one in found.suspects] == ["noise"]


def test_shuffled_outcomes_that_can_be_ranked_are_told() -> None:
    warnings = LeakCheck(Interval(0.60, 0.57, 0.63), ()).warnings
    assert len(warnings) == 1
    assert "rows are not independent" in warnings[0]
    assert LeakCheck(Interval(0.52, 0.49, 0.55), ()).warnings == ()


def test_what_is_recorded_for_some_bads_only_is_named_though_it_ranks_little() -> None:
    sample = made_sample(2000)
    recovered = (sample.target == 1) & (np.random.default_rng(1).random(2000) < 0.2)
    absent, zero = sample.matrix.missing.copy(), sample.matrix.values.copy()
    absent[:, 5] = ~recovered
    zero[:, 5] = np.where(recovered, 50.0 + np.arange(2000) % 7, 0.0)
    for changed in (replace(sample.matrix, missing=absent), replace(sample.matrix, values=zero)):
        found = checked(replace(sample, matrix=changed))
        assert found.suspects == ()
        assert [one.name for one in found.afterwards] == ["noise"]
        assert found.afterwards[0].bads > 0.8 * recovered.sum()
        assert "is it recorded after the default?" in found.warnings[0]


def test_a_handful_of_bads_with_a_value_of_their_own_is_no_proof() -> None:
    sample = made_sample(2000)
    missing = sample.matrix.missing.copy()
    missing[:, 5] = 1
    missing[np.flatnonzero(sample.target)[:29], 5] = 0
    assert checked(replace(sample, matrix=replace(sample.matrix, missing=missing))).afterwards == ()
