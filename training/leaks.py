"""The looks for a leak that every training takes.

Outcomes shuffled: nothing may rank. A feature that alone ranks almost perfectly; a value that stands with bads
only, as what is recorded after a default does. The future shuffled: see ``training.futures``.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from training.binning import Binned, BinSettings, bin_column
from training.futures import FutureCheck
from training.sample import Rows, Sample, Unlearnable
from training.scorecard import fit_scorecard
from training.validation import Interval, auc

TOO_GOOD = 0.95
"""A single feature above this AUC is more likely an outcome than a reason."""
FEWEST = 30
"""Rows of a cell, all of them bad, from which on it is no accident of a small sample."""
BY_CHANCE = 1e-9
SEED = 97
_WIDE = 1.5
"""Three standard errors in units of the 95 % interval's half width."""


class Suspect(msgspec.Struct, frozen=True):
    """A feature that alone ranks almost perfectly."""

    name: str
    auc: float


class Afterwards(msgspec.Struct, frozen=True):
    """A feature with a bin, code or presence of so many rows, all of them bad: known only afterwards?"""

    name: str
    bads: int


class LeakCheck(msgspec.Struct, frozen=True):
    """``shuffled`` is the AUC of held-out rows whose learner saw shuffled outcomes: it should be 0.5."""

    shuffled: Interval
    suspects: tuple[Suspect, ...]
    afterwards: tuple[Afterwards, ...] = ()
    future: FutureCheck | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a validator must look at."""
        found = [
            f"Feature {one.name} alone reaches AUC {one.auc:.3f}: is it known before the decision?"
            for one in self.suspects
        ]
        found += [
            f"Feature {one.name} has a value that stands with bads only ({one.bads} rows): is it recorded "
            "after the default?"
            for one in self.afterwards
        ]
        half = (self.shuffled.high - self.shuffled.low) / 2
        if abs(self.shuffled.value - 0.5) > _WIDE * half:
            found.append(
                f"A learner of shuffled outcomes reaches AUC {self.shuffled}: rows are not independent."
            )
        return tuple(found)


def check_leaks(
    sample: Sample, splits: list[tuple[Rows, Rows]], future: FutureCheck | None = None
) -> LeakCheck:
    """Every look; ``splits`` are the (train, test) rows on which the model itself was judged."""
    binned = _binned(sample)
    return LeakCheck(
        _shuffled(sample, splits), _suspects(sample, binned), _afterwards(sample, binned), future
    )


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


def _binned(sample: Sample) -> dict[int, Binned]:
    """Bins of each column that has a value, by its place."""
    found = {}
    for place, column in enumerate(sample.matrix.columns):
        values, missing = sample.matrix.column(place)
        if (missing == Missing.PRESENT).any():
            found[place] = bin_column(column, values, missing, sample.target, BinSettings())
    return found


def _suspects(sample: Sample, binned: dict[int, Binned]) -> tuple[Suspect, ...]:
    found = []
    for place, bins in binned.items():
        woe = bins.transform(*sample.matrix.column(place))
        value = auc(sample.target, woe).value
        if value > TOO_GOOD:
            found.append(Suspect(sample.matrix.columns[place].name, round(value, 6)))
    return tuple(sorted(found, key=lambda one: -one.auc))


def _afterwards(sample: Sample, binned: dict[int, Binned]) -> tuple[Afterwards, ...]:
    """Columns of which a cell holds bads only, too many for chance: rate ** bads under ``BY_CHANCE``."""
    least = max(FEWEST, np.log(BY_CHANCE) / np.log(max(sample.bads, 1) / max(len(sample), 2)))
    found = []
    for place, bins in binned.items():
        present = sample.matrix.missing[:, place] == Missing.PRESENT
        bads = int(sample.target[present].sum())
        cells = [*bins.counts, (int(present.sum()) - bads, bads)]
        most = max((bad for good, bad in cells if not good), default=0)
        if most >= least:
            found.append(Afterwards(sample.matrix.columns[place].name, most))
    return tuple(sorted(found, key=lambda one: -one.bads))
