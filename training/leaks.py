"""Two looks for a leak that every training takes: shuffled outcomes, and features that know too much."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from training.binning import BinSettings, bin_column
from training.sample import Rows, Sample, Unlearnable
from training.scorecard import fit_scorecard
from training.validation import Interval, auc

TOO_GOOD = 0.95
"""A single feature above this AUC is more likely an outcome than a reason."""
SEED = 97
_WIDE = 1.5
"""Three standard errors in units of the 95 % interval's half width."""


class Suspect(msgspec.Struct, frozen=True):
    """A feature that alone ranks almost perfectly."""

    name: str
    auc: float


class LeakCheck(msgspec.Struct, frozen=True):
    """``shuffled`` is the AUC of held-out rows whose learner saw shuffled outcomes: it should be 0.5."""

    shuffled: Interval
    suspects: tuple[Suspect, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a validator must look at."""
        found = [
            f"Feature {one.name} alone reaches AUC {one.auc:.3f}: is it known before the decision?"
            for one in self.suspects
        ]
        half = (self.shuffled.high - self.shuffled.low) / 2
        if abs(self.shuffled.value - 0.5) > _WIDE * half:
            found.append(
                f"A learner of shuffled outcomes reaches AUC {self.shuffled}: rows are not independent."
            )
        return tuple(found)


def check_leaks(sample: Sample, splits: list[tuple[Rows, Rows]]) -> LeakCheck:
    """Both looks; ``splits`` are the (train, test) rows on which the model itself was judged."""
    return LeakCheck(_shuffled(sample, splits), _suspects(sample))


def _shuffled(sample: Sample, splits: list[tuple[Rows, Rows]]) -> Interval:
    order = np.random.default_rng(SEED).permutation(len(sample))
    target = sample.target[order]
    shuffled = replace(sample, target=target)
    found, scores = [], []
    for train, test in splits:
        scores.append(_ranks(shuffled.take(train), shuffled.take(test)))
        found.append(test)
    rows = np.concatenate(found)
    return auc(target[rows], np.concatenate(scores))


def _ranks(train: Sample, test: Sample) -> NDArray[np.float64]:
    """Scores as ranks within their fold: the level of a fold says nothing, but would join the folds."""
    try:
        scores = fit_scorecard(train).log_odds(test.matrix)
    except Unlearnable:
        return np.full(len(test), 0.5)
    order = np.searchsorted(np.sort(scores), scores, side="left") + np.searchsorted(
        np.sort(scores), scores, side="right"
    )
    return np.asarray(order / (2 * len(scores)))


def _suspects(sample: Sample) -> tuple[Suspect, ...]:
    found = []
    for place, column in enumerate(sample.matrix.columns):
        values, missing = sample.matrix.values[:, place], sample.matrix.missing[:, place]
        if (missing == Missing.PRESENT).any():
            binned = bin_column(column, values, missing, sample.target, BinSettings())
            value = auc(sample.target, binned.transform(values, missing)).value
            if value > TOO_GOOD:
                found.append(Suspect(column.name, round(value, 6)))
    return tuple(sorted(found, key=lambda one: -one.auc))
