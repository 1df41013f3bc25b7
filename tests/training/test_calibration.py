"""Blend and calibration: never negative, kept only where held-out rows are told better."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from training.blend import fit_weights
from training.calibration import calibrate, sigmoid
from training.sample import Rows
from training.validation import log_loss


def scores_and_target(rows: int, slope: float, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    score = g.normal(size=rows)
    return score, (g.random(rows) < sigmoid(slope * score + shift)).astype(np.int8)


def splits(rows: int, count: int = 5) -> list[tuple[Rows, Rows]]:
    fold = np.arange(rows) % count
    return [(np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(count)]


def test_weights_are_those_of_the_least_log_loss() -> None:
    score, target = scores_and_target(3000, 1.7, -0.8)
    found = fit_weights(target, score[:, None])
    free = minimize(lambda p: log_loss(target, sigmoid(p[0] * score + p[1])), [1.0, -0.5], method="BFGS")
    assert (found.weights[0], found.shift) == pytest.approx(tuple(free.x), abs=2e-3)


def test_a_score_that_points_the_wrong_way_weighs_nothing() -> None:
    score, target = scores_and_target(3000, 1.0, -1.0)
    noisy, against = np.random.default_rng(1).normal(0, 0.5, (2, 3000)) + [[1], [-1]] * score
    weights = fit_weights(target, np.column_stack([noisy, against])).weights
    assert weights[0] > 0.5
    assert weights[1] == 0.0


def test_two_scores_of_the_same_thing_are_blended() -> None:
    g = np.random.default_rng(1)
    truth, target = scores_and_target(6000, 1.5, -1.0)
    both = truth[:, None] + g.normal(0, 0.8, (6000, 2))
    found = fit_weights(target, both)
    assert found.weights[0] == pytest.approx(found.weights[1], rel=0.3)
    assert log_loss(target, sigmoid(both @ np.array(found.weights) + found.shift)) < min(
        log_loss(
            target,
            sigmoid(
                fit_weights(target, both[:, [k]]).weights[0] * both[:, k]
                + fit_weights(target, both[:, [k]]).shift
            ),
        )
        for k in (0, 1)
    )


def test_a_score_that_is_too_bold_and_too_high_is_mended() -> None:
    score, target = scores_and_target(4000, 0.5, -1.5)
    found = calibrate(target, score[:, None], splits(4000))
    assert found.changes
    assert found.weights[0] == pytest.approx(0.5, abs=0.1)
    assert found.shift == pytest.approx(-1.5, abs=0.1)
    mended = sigmoid(found.weights[0] * score + found.shift)
    assert mended.mean() == pytest.approx(target.mean(), abs=1e-4)


def test_a_score_that_is_right_is_left_alone_where_rows_are_few() -> None:
    kept = [
        calibrate(t, s[:, None], splits(60))
        for s, t in (scores_and_target(60, 1.0, 0.0, seed) for seed in range(30))
    ]
    alone = [one for one in kept if not one.changes]
    assert len(alone) > 15
    assert all((one.weights, one.shift) == ((1.0,), 0.0) for one in alone)


def test_a_score_that_a_small_sample_speaks_against_is_not_made_a_constant() -> None:
    score, target = scores_and_target(400, -1.0, -1.0)
    found = calibrate(target, score[:, None], splits(400))
    assert (found.weights, found.shift) == ((1.0,), 0.0)


def test_the_loss_after_is_of_rows_that_the_weights_have_not_seen() -> None:
    score, target = scores_and_target(200, 0.7, -1.0)
    found = calibrate(target, score[:, None], splits(200))
    own = log_loss(
        target,
        sigmoid(
            fit_weights(target, score[:, None]).weights[0] * score + fit_weights(target, score[:, None]).shift
        ),
    )
    assert own < found.after


def test_a_probability_does_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-800.0, 0.0, 800.0])).tolist() == [0.0, 0.5, 1.0]
