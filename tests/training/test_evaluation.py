"""A model is judged on rows that it has not seen, and the base rate is that of everybody who came."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.samples import brute_auc, made_sample
from tests.training.test_bundle import ORIGIN
from training.bundle import Scorer
from training.evaluation import gap, judge, make_split, measure
from training.models import ModelName, predictor
from training.portfolio import Folds, OutOfTime
from training.sample import Sample, cross_predict
from training.validation import evaluate


def test_by_folds_every_row_is_predicted_once_a_repeat_by_models_that_have_not_seen_it() -> None:
    sample = made_sample(300)
    split = make_split(sample, Folds(3, repeats=2, seed=5))
    judged = judge(ModelName.RATING, sample, split, ORIGIN)
    assert judged.pd.shape == (2, 300)
    expected = cross_predict(sample, predictor(ModelName.RATING, ORIGIN), 3, 5)
    assert (judged.pd[0] == expected).all()
    assert (judged.pd[0] != judged.pd[1]).any()
    assert judged.bundle.notes["rows"] == 300


def test_out_of_time_only_later_rows_are_predicted_and_by_the_bundle_that_ships() -> None:
    sample = made_sample(600, groups=250)
    split = make_split(sample, OutOfTime(share=0.3))
    judged = judge(ModelName.RATING, sample, split, ORIGIN)
    learned, held_out = split.parts[0]
    assert np.flatnonzero(~np.isnan(judged.pd[0])).tolist() == held_out.tolist()
    assert judged.bundle.notes["rows"] == len(learned)
    scorer = Scorer(judged.bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    assert (scorer.score(chosen.values, chosen.missing).pd[held_out] == judged.pd[0][held_out]).all()


def returning(rows: int = 4000) -> Sample:
    """Whoever stays good comes again later: leaving returning groups out of the past leaves out goods."""
    g = np.random.default_rng(0)
    sample = made_sample(rows, 1)
    early = np.arange(rows) < rows // 2
    group = np.arange(rows)
    again = np.flatnonzero(early & (sample.target == 0) & (g.random(rows) < 0.6))
    group[rows - len(again) :] = again
    return Sample(sample.matrix, sample.target, group, sample.time)


def test_the_base_rate_is_that_of_all_earlier_rows_not_only_of_those_that_never_came_again() -> None:
    sample = returning()
    split = make_split(sample, OutOfTime(share=0.5))
    learned, held_out = split.parts[0]
    assert sample.target[learned].mean() > 1.3 * sample.target[held_out].mean()
    metrics = measure(sample, judge(ModelName.RATING, sample, split, ORIGIN).pd)
    assert metrics.predicted_over_actual == pytest.approx(1.0, abs=0.1)


def test_one_repeat_is_measured_as_it_is_and_more_are_averaged() -> None:
    sample = made_sample(300)
    pd = np.random.default_rng(0).random((3, 300))
    single = measure(sample, pd[:1])
    assert single == evaluate(sample.target, pd[0], sample.group)
    several = measure(sample, pd)
    assert several.auc.value == pytest.approx(np.mean([brute_auc(sample.target, one) for one in pd]))
    assert several.rows == 300


def test_the_gap_of_two_models_is_paired_over_the_rows_that_both_predicted() -> None:
    sample = made_sample(300)
    pd = np.random.default_rng(0).random((1, 300))
    pd[0, :100] = np.nan
    other = np.where(np.isnan(pd), np.nan, 1 - pd)
    expected = brute_auc(sample.target[100:], pd[0, 100:])
    assert gap(sample, pd, other).value == pytest.approx(2 * expected - 1)
    assert gap(sample, pd, pd).value == 0.0
