"""Weights of score columns on the log-odds scale, never negative: the blend, and the calibration of one score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """Log-odds = ``shift + scores @ weights``."""

    weights: tuple[float, ...]
    shift: float


def fit_weights(target: NDArray[np.int8], scores: Floats) -> Weights:
    """Non-negative weights of score columns [n, k] and a shift that minimise log loss."""
    start = np.array([1.0] + [0.0] * (scores.shape[1] - 1) + [0.0])

    def loss(parameters: Floats) -> tuple[float, Floats]:
        raw = scores @ parameters[:-1] + parameters[-1]
        error = np.exp(-np.logaddexp(0.0, -raw)) - target
        value = float(np.mean(np.logaddexp(0.0, raw) - target * raw))
        return value, np.append(scores.T @ error, error.sum()) / len(target)

    bounds = [(0.0, None)] * scores.shape[1] + [(None, None)]
    with threadpool_limits(1):  # small matrices: threads would wait for each other
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return Weights(tuple(found.x[:-1].tolist()), float(found.x[-1]))
