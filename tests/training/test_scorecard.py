"""The scorecard: points that add up, a sign that holds, refusals in plain words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.matrix import Missing
from tests.training.samples import brute_auc, made_sample, matrix_of
from training.bundle import FIXED
from training.sample import Sample, Unlearnable
from training.scorecard import card_parts, fit_scorecard


def test_it_ranks_rows_that_it_has_not_seen() -> None:
    card = fit_scorecard(made_sample(1500))
    test = made_sample(1000, seed=1)
    assert brute_auc(test.target, card.log_odds(test.matrix)) > 0.77


def test_its_mean_prediction_is_the_bad_rate_that_it_learned_from() -> None:
    sample = made_sample(1500)
    pd = 1 / (1 + np.exp(-fit_scorecard(sample).log_odds(sample.matrix)))
    assert pd.mean() == pytest.approx(sample.target.mean(), abs=1e-3)


def test_noise_is_left_out_and_the_rest_stays() -> None:
    names = {column.name for column in fit_scorecard(made_sample(3000)).columns}
    assert {"up", "down", "special", "gaps", "kind"} <= names


def test_points_in_fixed_point_add_up_to_the_log_odds() -> None:
    sample = made_sample()
    card = fit_scorecard(sample)
    base, columns, bins = card_parts(card, scale=0.9, shift=0.1)
    total = np.full(len(sample), base, dtype=np.int64)
    for column, own in zip(columns, bins, strict=True):
        place = sample.matrix.names.index(column.name)
        values, missing = sample.matrix.values[:, place], sample.matrix.missing[:, place]
        points = np.array(own.points)[np.searchsorted(own.edges, values, side="right")]
        for code, value in zip(own.codes, own.code_points, strict=True):
            points = np.where(values == code, value, points)
        total += np.where(missing == Missing.NO_RECORD, own.no_record, points)
    assert total / FIXED == pytest.approx(0.1 + 0.9 * card.log_odds(sample.matrix), abs=1e-7)


def test_points_average_to_nothing_so_that_the_base_is_the_average_applicant() -> None:
    sample = made_sample()
    _, columns, bins = card_parts(fit_scorecard(sample))
    for column, own in zip(columns, bins, strict=True):
        rows = np.array([good + bad for good, bad in own.counts])
        points = np.array([*own.points, own.no_record, *own.code_points])
        assert abs((rows * points).sum() / len(sample)) < FIXED / 1000, column.name


def test_a_column_that_nobody_has_and_one_that_never_varies_are_left_out() -> None:
    g = np.random.default_rng(0)
    good = g.normal(size=400)
    matrix = matrix_of({"good": good, "empty": np.full(400, np.nan), "constant": np.full(400, 3.0)})
    target = (g.random(400) < 1 / (1 + np.exp(-2 * good))).astype(np.int8)
    card = fit_scorecard(Sample(matrix, target, np.arange(400), np.zeros(400, dtype=np.int64)))
    assert [column.name for column in card.columns] == ["good"]


def test_columns_that_tell_nothing_apart_are_refused() -> None:
    matrix = matrix_of({"constant": np.full(400, 3.0)})
    sample = Sample(
        matrix, (np.arange(400) % 3 == 0).astype(np.int8), np.arange(400), np.zeros(400, dtype=np.int64)
    )
    with pytest.raises(Unlearnable, match="no column tells the outcomes apart"):
        fit_scorecard(sample)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_column(value) -> None:
    sample = made_sample(200)
    values = sample.matrix.values.copy()
    values[7, 1] = value
    with pytest.raises(Unlearnable, match="not finite in down"):
        fit_scorecard(replace(sample, matrix=replace(sample.matrix, values=values)))


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_is_refused(outcome) -> None:
    sample = made_sample(200)
    with pytest.raises(Unlearnable, match="bads among 200 rows"):
        fit_scorecard(replace(sample, target=np.full(200, outcome, dtype=np.int8)))


def test_ten_rows_are_refused() -> None:
    with pytest.raises(Unlearnable, match="10 rows are too few"):
        fit_scorecard(made_sample(200).take(np.arange(10)))
