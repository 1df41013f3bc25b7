"""A model judged on rows that it has not seen, as its portfolio says: later ones, or held-out folds.

Out of time the model that was judged is the model that ships: what the report says is true of the very
bytes in it, at the price of the newest rows. By folds there is no such model: the one that ships learned
from all rows, and the figures are those of its recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, instant, iso
from features.terminal import Step
from training.bundle import Bundle, Scorer
from training.models import ModelName, Origin, fit, predictor, train
from training.portfolio import Folds, OutOfTime
from training.sample import Rows, Sample, folds, out_of_time
from training.validation import Interval, Metrics, auc_difference, evaluate

Floats = NDArray[np.float64]
Predict = Callable[[Sample, Sample], Floats]
DRAWS = 200


@dataclass(frozen=True, slots=True)
class Split:
    """How rows were held out: (train, test) rows of each part; ``repeats`` times all of them by folds."""

    text: str
    parts: tuple[tuple[Rows, Rows], ...]
    repeats: int
    start: int | None = None
    """Out of time: the instant from which rows are held out."""
    base_rate: float | None = None
    """Bad rate of all rows before the moment, those left out for the sake of the groups among them."""

    @property
    def first(self) -> tuple[tuple[Rows, Rows], ...]:
        """The parts of the first repeat."""
        return self.parts[: len(self.parts) // self.repeats]

    @property
    def out_of_time(self) -> bool:
        """Whether the rows held out are later than those learned from."""
        return len(self.parts) == 1


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions of held-out rows, float64 [repeats, rows of the sample], NaN where there is none.

    ``parts`` are the models of the first repeat's parts, in order, where sources can be withheld.
    """

    bundle: Bundle
    split: Split
    pd: Floats
    challenger: Floats | None
    parts: tuple[Bundle, ...] = ()
    relearned: bool = False
    """Whether the bundle learned from the rows held out as well, after its recipe was judged on them."""


def make_split(sample: Sample, rule: OutOfTime | Folds, repeats: int | None = None) -> Split:
    """The rows to hold out; ``repeats`` overrides the portfolio's.

    Raises:
        Unlearnable: one outcome is missing before or after the moment.
    """
    if isinstance(rule, OutOfTime):
        start = instant(rule.start) if rule.start else None
        embargo = rule.embargo_days * DAY
        train_rows, test_rows, moment = out_of_time(sample, start, rule.share, embargo)
        rate = float(sample.target[sample.time < moment - embargo].mean())
        return Split(f"out of time from {iso(moment)[:10]} on", ((train_rows, test_rows),), 1, moment, rate)
    times = rule.repeats if repeats is None else repeats
    parts = [part for r in range(times) for part in folds(sample, rule.folds, rule.seed + r)]
    often = f", {times} times" if times > 1 else ""
    return Split(f"cross-validation in {len(parts) // times} folds{often}", tuple(parts), times)


def judge(
    name: ModelName, sample: Sample, split: Split, origin: Origin, progress: Step | None = None
) -> Judged:
    """Fit on each part, predict what it held out, and fit the model that ships.

    Beside the booster stands the scorecard, on the same rows (REG-MRM-05).

    Raises:
        Unlearnable: rows that cannot teach.
    """
    parts: list[Bundle] = []
    if split.out_of_time:
        bundle = train(name, sample.take(split.parts[0][0]), origin, progress, base_rate=split.base_rate)
        parts.append(bundle)
        pd = _held_out(sample, split, lambda _, test: _score(bundle, test), progress)
    else:
        pd = _held_out(
            sample, split, _keeping(name, origin, parts, len(split.first) * bool(sample.optional)), progress
        )
        bundle = train(name, sample, origin, progress)
    challenger = None
    if name is ModelName.RISK:
        challenger = _held_out(sample, split, predictor(ModelName.RATING, origin, split.base_rate), progress)
    return Judged(bundle, split, pd, challenger, tuple(parts))


def _keeping(name: ModelName, origin: Origin, parts: list[Bundle], most: int) -> Predict:
    """Fits and scores as ``predictor`` does; the first ``most`` models state their interval and are kept."""

    def predict(train_sample: Sample, test: Sample) -> Floats:
        bundle = fit(name, train_sample, origin, stated=len(parts) < most)
        if len(parts) < most:
            parts.append(bundle)
        return _score(bundle, test)

    return predict


def measure(sample: Sample, pd: Floats) -> Metrics:
    """Metrics of held-out predictions [repeats, rows]: the mean over the repeats, ends of intervals too."""
    draws = max(DRAWS // len(pd), 50)
    found = []
    for one in pd:
        rows = ~np.isnan(one)
        found.append(evaluate(sample.target[rows], one[rows], sample.group[rows], draws=draws))
    merged: dict[str, Any] = {}
    for name in Metrics.__struct_fields__:
        values = [getattr(metrics, name) for metrics in found]
        if isinstance(values[0], Interval):
            merged[name] = _mean(values)
        else:
            merged[name] = values[0] if isinstance(values[0], int) else float(np.mean(values))
    return Metrics(**merged)


def gap(sample: Sample, one: Floats, other: Floats) -> Interval:
    """AUC of one set of held-out predictions minus that of another, paired, the mean over the repeats."""
    found = []
    for a, b in zip(one, other, strict=True):
        rows = ~np.isnan(a)
        found.append(auc_difference(sample.target[rows], a[rows], b[rows]))
    return _mean(found)


def _mean(intervals: list[Interval]) -> Interval:
    value, low, high = (
        float(np.mean([getattr(one, end) for one in intervals])) for end in ("value", "low", "high")
    )
    return Interval(value, low, high)


def _score(bundle: Bundle, test: Sample) -> Floats:
    scorer = Scorer(bundle, "")
    chosen = test.matrix.select(scorer.columns)
    return scorer.score(chosen.values, chosen.missing).pd


def _held_out(sample: Sample, split: Split, predict: Predict, progress: Step | None) -> Floats:
    out = np.full((split.repeats, len(sample)), np.nan)
    each = len(split.parts) // split.repeats
    for done, (train_rows, test_rows) in enumerate(split.parts):
        if progress and len(split.parts) > 1:
            progress(f"held-out part {done + 1}", done, len(split.parts))
        out[done // each, test_rows] = predict(sample.take(train_rows), sample.take(test_rows))
    return out
