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
from training.validation import clearly_less, log_loss, log_losses

Floats = NDArray[np.float64]
SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Of the first learner in a plain mix of two."""
EQUAL = (0.5, 0.5)
FEW_BADS = 100
"""With fewer bads even the share would be chosen by chance: the two learners count alike."""


LEAST_SLOPE = 0.1
"""Under this the fitted score would tell everybody the same; what a small sample cannot see is left to the gates."""


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
    """Weights of out-of-fold score columns [n, k]: fitted, where held-out rows say clearly so, else the best mix.

    A mix has nothing to fit but its share, so that a few hundred rows can choose it; of one column it is the column.
    ``splits`` are (train, test) rows of ``training.sample.folds``; no group stands on both sides.
    """
    held_out = np.empty(len(target))
    for train, test in splits:
        held_out[test] = _apply(fit_weights(target[train], scores[train]), scores[test])
    before = log_loss(target, sigmoid(scores[:, 0]))
    after = log_loss(target, sigmoid(held_out))
    mixes = {mix: log_loss(target, sigmoid(scores @ np.array(mix))) for mix in _mixes(scores.shape[1])}
    best = EQUAL if EQUAL in mixes and target.sum() < FEW_BADS else min(mixes, key=lambda mix: mixes[mix])
    plain = log_losses(target, sigmoid(scores @ np.array(best)))
    fitted = fit_weights(target, scores)
    ranks = sum(fitted.weights) >= LEAST_SLOPE
    if ranks and clearly_less(log_losses(target, sigmoid(held_out)), plain):
        return Calibration(fitted.weights, fitted.shift, before, after)
    return Calibration(best, 0.0, before, mixes[best])


def _mixes(columns: int) -> list[tuple[float, ...]]:
    """Shares of the first column and of the second; the first alone comes first."""
    if columns != 2:
        return [(1.0, *[0.0] * (columns - 1))]
    return [(one, 1.0 - one) for one in SHARES]


def sigmoid(scores: Floats) -> Floats:
    """Probability of log-odds, without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -scores)))


def _apply(fitted: Weights, scores: Floats) -> Floats:
    return np.asarray(scores @ np.array(fitted.weights) + fitted.shift)
