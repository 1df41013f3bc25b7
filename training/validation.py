"""How good a model is, each figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm

Floats = NDArray[np.float64]


class Interval(msgspec.Struct, frozen=True):
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """As ``0.812 (0.790 to 0.834)``."""
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


class Metrics(msgspec.Struct, frozen=True):
    """Discrimination and calibration of one set of predictions."""

    rows: int
    bads: int
    auc: Interval
    ks: Interval
    brier: Interval
    log_loss: float
    ece: float
    predicted_over_actual: float


class GradeTest(msgspec.Struct, frozen=True):
    """Calibration of one grade; ``p_value`` is Jeffreys' that the true rate is at most the mean PD."""

    grade: int
    rows: int
    bads: int
    mean_pd: float
    observed: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve for a picture."""

    x: Floats
    y: Floats


def log_loss(target: NDArray[np.int8], pd: Floats) -> float:
    """Mean negative log likelihood; PD is kept away from 0 and 1 by 1e-12."""
    p = np.clip(pd, 1e-12, 1 - 1e-12)
    return float(-np.mean(np.where(target == 1, np.log(p), np.log1p(-p))))


def auc(target: NDArray[np.int8], score: Floats) -> Interval:
    """Area under the ROC curve with DeLong's interval (DeLong et al. 1988, midranks of Sun and Xu 2014)."""
    bad, good = score[target == 1], score[target == 0]
    m, n = len(bad), len(good)
    if not m or not n:
        return Interval(float("nan"), float("nan"), float("nan"))
    together = _midranks(np.concatenate([bad, good]))
    value = (together[:m].sum() - m * (m + 1) / 2) / (m * n)
    of_bad = (together[:m] - _midranks(bad)) / n
    of_good = 1 - (together[m:] - _midranks(good)) / m
    spread = (of_bad.var(ddof=1) / m if m > 1 else 0.0) + (of_good.var(ddof=1) / n if n > 1 else 0.0)
    half = float(norm.ppf(0.975) * np.sqrt(spread))
    return Interval(float(value), max(float(value) - half, 0.0), min(float(value) + half, 1.0))


def ks(target: NDArray[np.int8], score: Floats) -> float:
    """Greatest gap of the cumulative distributions of goods and bads."""
    order = np.argsort(score, kind="stable")
    ordered, bad = score[order], target[order] == 1
    ends = np.append(ordered[1:] != ordered[:-1], True)
    gap = np.cumsum(bad) / max(bad.sum(), 1) - np.cumsum(~bad) / max((~bad).sum(), 1)
    return float(np.abs(gap[ends]).max())


def ece(target: NDArray[np.int8], pd: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal size."""
    order = np.argsort(pd, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(p) * abs(pd[p].mean() - target[p].mean()) for p in parts) / len(pd))


def evaluate(target: NDArray[np.int8], pd: Floats, group: NDArray[np.int64], *, draws: int = 200) -> Metrics:
    """All metrics; KS and Brier intervals by a bootstrap of groups."""
    sampled = _bootstrap(target, pd, group, draws)
    lows, highs = np.quantile(sampled, 0.025, axis=0), np.quantile(sampled, 0.975, axis=0)
    brier = float(np.mean((pd - target) ** 2))
    return Metrics(
        len(target),
        int(target.sum()),
        auc(target, pd),
        Interval(ks(target, pd), float(lows[0]), float(highs[0])),
        Interval(brier, float(lows[1]), float(highs[1])),
        log_loss(target, pd),
        ece(target, pd),
        float(pd.mean() / target.mean()) if target.any() else float("nan"),
    )


def by_grade(target: NDArray[np.int8], pd: Floats, grade: NDArray[np.int64], grades: int) -> list[GradeTest]:
    """Jeffreys test of each grade (REG-IRB-05)."""
    found = []
    for number in range(1, grades + 1):
        rows = grade == number
        n, bads = int(rows.sum()), int(target[rows].sum())
        mean = float(pd[rows].mean()) if n else 0.0
        p_value = float(beta.cdf(mean, bads + 0.5, n - bads + 0.5)) if n else 1.0
        found.append(GradeTest(number, n, bads, mean, bads / n if n else 0.0, p_value))
    return found


def psi(expected: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Population stability index of two distributions over the same cells (counts or shares)."""
    a = np.maximum(expected / expected.sum(), 1e-4)
    b = np.maximum(actual / actual.sum(), 1e-4)
    return float(((b - a) * np.log(b / a)).sum())


def roc(target: NDArray[np.int8], score: Floats, points: int = 200) -> Curve:
    """False against true positive rate, thinned for a picture."""
    order = np.argsort(-score, kind="stable")
    bad = target[order] == 1
    x = np.concatenate([[0.0], np.cumsum(~bad) / max((~bad).sum(), 1)])
    y = np.concatenate([[0.0], np.cumsum(bad) / max(bad.sum(), 1)])
    keep = np.unique(np.linspace(0, len(x) - 1, points).astype(int))
    return Curve(x[keep], y[keep])


def _midranks(values: Floats) -> Floats:
    order = np.argsort(values, kind="stable")
    _, first, counts = np.unique(values[order], return_index=True, return_counts=True)
    ranks = np.empty(len(values))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    return ranks


def _bootstrap(target: NDArray[np.int8], pd: Floats, group: NDArray[np.int64], draws: int) -> Floats:
    generator = np.random.default_rng(20240601)
    _, at = np.unique(group, return_inverse=True)
    order = np.argsort(at, kind="stable")
    starts = np.searchsorted(at[order], np.arange(at.max() + 2))
    sampled = np.empty((draws, 2))
    for draw in range(draws):
        weights = np.bincount(
            generator.integers(0, len(starts) - 1, len(starts) - 1), minlength=len(starts) - 1
        )
        rows = np.repeat(np.arange(len(at)), weights[at])
        if target[rows].min() == target[rows].max():
            rows = np.arange(len(at))
        sampled[draw] = ks(target[rows], pd[rows]), np.mean((pd[rows] - target[rows]) ** 2)
    return sampled
