"""Weights of booster and scorecard on the log-odds scale, from out-of-fold scores, never negative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from training.validation import log_loss

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds = ``shift + scores @ weights``; losses are out of fold, before and after."""

    weights: tuple[float, ...]
    shift: float
    before: float
    after: float


def fit_weights(target: NDArray[np.int8], scores: Floats) -> Weights:
    """Non-negative weights of score columns [n, k] and a shift that minimise log loss."""
    start = np.array([1.0] + [0.0] * (scores.shape[1] - 1) + [0.0])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        raw = scores @ parameters[:-1] + parameters[-1]
        p = 1.0 / (1.0 + np.exp(-raw))
        error = p - target
        value = float(np.mean(np.logaddexp(0.0, raw) - target * raw))
        return value, np.append(scores.T @ error, error.sum()) / len(target)

    bounds = [(0.0, None)] * scores.shape[1] + [(None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    before = log_loss(target, 1.0 / (1.0 + np.exp(-scores[:, 0])))
    return Weights(tuple(found.x[:-1].tolist()), float(found.x[-1]), before, float(found.fun))
