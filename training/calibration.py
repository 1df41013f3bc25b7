"""Log-odds that keep their promise: a shift and slopes, kept only where held-out rows are told better.

The learners predict each row out of fold; weights fitted on four parts of those predictions are judged on
the fifth. So a sample too small to say how to mend its scores leaves them as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.blend import Weights, fit_weights
from training.sample import Rows
from training.validation import log_loss

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds = ``shift + scores @ weights``; losses are of held-out rows, before and after."""

    weights: tuple[float, ...]
    shift: float
    before: float
    after: float

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return self.after < self.before


def calibrate(target: NDArray[np.int8], scores: Floats, splits: list[tuple[Rows, Rows]]) -> Calibration:
    """Weights of out-of-fold score columns [n, k], or the first column alone where that is no worse.

    ``splits`` are (train, test) rows of ``training.sample.folds``; no group stands on both sides.
    """
    held_out = np.empty(len(target))
    for train, test in splits:
        held_out[test] = _apply(fit_weights(target[train], scores[train]), scores[test])
    before = log_loss(target, sigmoid(scores[:, 0]))
    after = log_loss(target, sigmoid(held_out))
    if after < before:
        fitted = fit_weights(target, scores)
        return Calibration(fitted.weights, fitted.shift, before, after)
    return Calibration((1.0, *[0.0] * (scores.shape[1] - 1)), 0.0, before, before)


def sigmoid(scores: Floats) -> Floats:
    """Probability of log-odds, without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -scores)))


def _apply(fitted: Weights, scores: Floats) -> Floats:
    return np.asarray(scores @ np.array(fitted.weights) + fitted.shift)
