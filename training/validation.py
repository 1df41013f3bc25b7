"""How good a model is, each figure with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from training.scale import LEVEL, holm, jeffreys, power, rate_interval

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
    """Discrimination and calibration of one set of predictions.

    ``ece_by_chance`` is the calibration error that perfectly calibrated predictions would show on so many rows.
    """

    rows: int
    bads: int
    auc: Interval
    ks: Interval
    brier: Interval
    log_loss: float
    ece: float
    ece_by_chance: float
    predicted_over_actual: float


class Verdict(StrEnum):
    """What the tests of all grades say of one."""

    HOLDS = "holds"
    TOO_LOW = "PD too low"
    CANNOT_TELL = "cannot tell"
    """Not refuted by a test that would more often than not have missed a rate half as large again."""


class GradeTest(msgspec.Struct, frozen=True):
    """Calibration of one grade (0: of all); ``p_value`` is Jeffreys' that the true rate is at most the mean PD.

    ``p_adjusted`` is Holm's over all grades with rows, and ``verdict`` follows it; ``power`` the chance that the test
    would have seen a true rate half as large again as the mean PD. ``downturn_pd`` is the mean PD with the stated
    margin, ``upper`` the PD that few defaults do not refute. An empty grade has no interval and no verdict, nor has
    one in a report of before.
    """

    grade: int
    rows: int
    bads: int
    mean_pd: float
    observed: float
    p_value: float
    p_adjusted: float = 1.0
    power: float = 0.0
    share: float = 0.0
    downturn_pd: float = 0.0
    interval: Interval | None = None
    verdict: Verdict | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve for a picture."""

    x: Floats
    y: Floats


def log_loss(target: NDArray[np.int8], pd: Floats) -> float:
    """Mean negative log likelihood; PD is kept away from 0 and 1 by 1e-12."""
    return float(log_losses(target, pd).mean())


def log_losses(target: NDArray[np.int8], pd: Floats) -> Floats:
    """Negative log likelihood of each row; see ``log_loss``."""
    p = np.clip(pd, 1e-12, 1 - 1e-12)
    return -np.where(target == 1, np.log(p), np.log1p(-p))


def clearly_less(one: Floats, other: Floats) -> bool:
    """Whether the mean of ``one`` is under that of ``other`` by more than a standard error of the paired rows."""
    apart = other - one
    return bool(apart.mean() > apart.std() / np.sqrt(len(apart)))


def auc(target: NDArray[np.int8], score: Floats) -> Interval:
    """Area under the ROC curve with DeLong's interval (DeLong et al. 1988, midranks of Sun and Xu 2014)."""
    if target.min(initial=1) == target.max(initial=0):
        return Interval(float("nan"), float("nan"), float("nan"))
    of_bad, of_good = _placements(target, score)
    value, half = float(of_bad.mean()), _half_width(of_bad, of_good)
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def auc_difference(target: NDArray[np.int8], one: Floats, other: Floats) -> Interval:
    """AUC of ``one`` minus that of ``other`` on the same rows, with DeLong's paired interval."""
    if target.min(initial=1) == target.max(initial=0):
        return Interval(float("nan"), float("nan"), float("nan"))
    first, second = _placements(target, one), _placements(target, other)
    of_bad, of_good = first[0] - second[0], first[1] - second[1]
    value, half = float(of_bad.mean()), _half_width(of_bad, of_good)
    return Interval(value, value - half, value + half)


def ks(target: NDArray[np.int8], score: Floats) -> float:
    """Greatest gap of the cumulative distributions of goods and bads."""
    order = np.argsort(score, kind="stable")
    ordered, bad = score[order], target[order] == 1
    ends = np.append(ordered[1:] != ordered[:-1], True)
    gap = np.cumsum(bad) / max(bad.sum(), 1) - np.cumsum(~bad) / max((~bad).sum(), 1)
    return float(np.abs(gap[ends]).max())


def ece(target: NDArray[np.int8], pd: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal size."""
    return float(sum(len(p) * abs(pd[p].mean() - target[p].mean()) for p in _tenths(pd, bins)) / len(pd))


def ece_by_chance(pd: Floats, bins: int = 10) -> float:
    """Mean ECE of predictions that are exactly right: outcomes still scatter about them."""
    spreads = (np.sqrt((pd[p] * (1 - pd[p])).sum()) for p in _tenths(pd, bins))
    return float(sum(spreads) * np.sqrt(2 / np.pi) / len(pd))


def psi_by_chance(expected_rows: int, rows: int, cells: int, level: float = 0.99) -> float:
    """PSI that so few rows of the same population exceed only in 1 - ``level`` of all samples."""
    return float(chi2.ppf(level, cells - 1) * (1 / expected_rows + 1 / rows))


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
        ece_by_chance(pd),
        float(pd.mean() / target.mean()) if target.any() else float("nan"),
    )


def by_grade(target: NDArray[np.int8], pd: Floats, grade: NDArray[np.int64], grades: int) -> list[GradeTest]:
    """Jeffreys test of each grade (REG-IRB-05)."""
    found = []
    for number in range(1, grades + 1):
        rows = grade == number
        found.append(_tested(number, target[rows], pd[rows], len(target)))
    adjusted = iter(holm([one.p_value for one in found if one.rows]))
    tests = sum(one.rows > 0 for one in found)
    return [_judged(one, next(adjusted), tests) if one.rows else one for one in found]


def book_test(target: NDArray[np.int8], pd: Floats) -> GradeTest:
    """The same test of all rows together."""
    one = _tested(0, target, pd, len(target))
    return _judged(one, one.p_value, 1)


def _tested(number: int, target: NDArray[np.int8], pd: Floats, total: int) -> GradeTest:
    n, bads = len(target), int(target.sum())
    if not n:
        return GradeTest(number, 0, 0, 0.0, 0.0, 1.0)
    mean = float(pd.mean())
    seen = Interval(bads / n, *rate_interval(bads, n))
    return GradeTest(number, n, bads, mean, bads / n, jeffreys(bads, n, mean), share=n / total, interval=seen)


def _judged(one: GradeTest, adjusted: float, tests: int) -> GradeTest:
    sees = power(one.rows, one.mean_pd, tests)
    verdict = Verdict.HOLDS if sees >= 0.5 else Verdict.CANNOT_TELL
    verdict = Verdict.TOO_LOW if adjusted < LEVEL else verdict
    return msgspec.structs.replace(one, p_adjusted=adjusted, power=sees, verdict=verdict)


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


def _tenths(pd: Floats, bins: int) -> list[NDArray[np.intp]]:
    return [part for part in np.array_split(np.argsort(pd, kind="stable"), bins) if len(part)]


def _placements(target: NDArray[np.int8], score: Floats) -> tuple[Floats, Floats]:
    """For each bad the share of goods below it, for each good the share of bads above it; ties are halves."""
    bad, good = score[target == 1], score[target == 0]
    together = _midranks(np.concatenate([bad, good]))
    of_bad = (together[: len(bad)] - _midranks(bad)) / len(good)
    of_good = 1 - (together[len(bad) :] - _midranks(good)) / len(bad)
    return of_bad, of_good


def _half_width(of_bad: Floats, of_good: Floats) -> float:
    parts = [side.var(ddof=1) / len(side) if len(side) > 1 else 0.0 for side in (of_bad, of_good)]
    return float(norm.ppf(0.975) * np.sqrt(sum(parts)))


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
