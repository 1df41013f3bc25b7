"""The WOE scorecard: bins, a regularised logistic regression, points in fixed point."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.matrix import Column, FeatureMatrix, Missing
from training.binning import Binned, BinSettings, bin_column
from training.bundle import FIXED, Bins, BundleColumn
from training.masking import is_optional, reach, strike_some
from training.sample import Sample, Unlearnable

Floats = NDArray[np.float64]
SEED = 5
MOST_COPIES = 4
MANY_ROWS = 40_000
"""From so many rows on, each is masked once."""


@dataclass(frozen=True, slots=True)
class ScorecardSettings:
    """``strength`` is the inverse of the L2 penalty. No column is dropped for the sign of its weight."""

    bins: BinSettings = field(default_factory=BinSettings)
    strength: float = 0.03
    min_iv: float = 0.003
    mask: bool = True
    """Whether weights are learned with optional sources withheld at random."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A fitted scorecard over the columns that carry information: log-odds of bad."""

    columns: tuple[Column, ...]
    binned: tuple[Binned, ...]
    weights: Floats
    means: Floats
    intercept: float

    def log_odds(self, matrix: FeatureMatrix) -> Floats:
        """Log-odds [rows] in floating point, for training; the bundle scores in fixed point."""
        return np.asarray(self.base + ((_woe(self, matrix) - self.means) * self.weights).sum(axis=1))

    @property
    def base(self) -> float:
        """The score of the average of the sample."""
        return float(self.intercept + (self.means * self.weights).sum())


def fit_scorecard(sample: Sample, settings: ScorecardSettings | None = None) -> Scorecard:
    """Fit a scorecard.

    Raises:
        Unlearnable: too few rows or one outcome, or no column that tells the outcomes apart.
    """
    settings = settings or ScorecardSettings()
    sample.check()
    binned, columns = [], []
    for place, column in enumerate(sample.matrix.columns):
        fitted = bin_column(
            column,
            sample.matrix.values[:, place],
            sample.matrix.missing[:, place],
            sample.target,
            settings.bins,
        )
        if fitted.iv >= settings.min_iv and len([c for c in fitted.counts if sum(c)]) > 1:
            binned.append(fitted)
            columns.append(column)
    if not columns:
        raise Unlearnable(
            "no column tells the outcomes apart.", "Look at the label and at the features' coverage."
        )
    blank = Scorecard(tuple(columns), tuple(binned), np.ones(len(columns)), np.zeros(len(columns)), 0.0)
    woe = _woe(blank, sample.matrix)
    asked = sample.matrix.select(tuple(column.name for column in columns)).missing <= Missing.NO_RECORD
    means = np.asarray(woe.sum(axis=0) / np.maximum(asked.sum(axis=0), 1))
    rows, copies = _masked(np.where(asked, woe, means), means, columns, sample.optional, settings)
    with threadpool_limits(1):  # small matrices: threads would wait for each other
        model = LogisticRegression(C=settings.strength, max_iter=1000)
        model.fit(rows, np.tile(sample.target, copies), np.full(len(rows), 1.0 / copies))
    return Scorecard(blank.columns, blank.binned, model.coef_[0], means, float(model.intercept_[0]))


def _masked(
    woe: Floats, means: Floats, columns: list[Column], optional: tuple[str, ...], settings: ScorecardSettings
) -> tuple[Floats, int]:
    """Rows for the weights, and how often each stands there: a withheld source counts as its average.

    Masking the weights' rows alone leaves the bins all of their evidence. Few rows stand there more than once,
    each time with other sources withheld, which takes the chance out of the draw.
    """
    datasets = [column.dataset for column in columns]
    sources = [one for one in optional if any(is_optional(dataset, [one]) for dataset in datasets)]
    if not sources or not settings.mask:
        return woe, 1
    copies = int(np.clip(MANY_ROWS // len(woe), 1, MOST_COPIES))
    reached, generator = reach(sources, datasets), np.random.default_rng(SEED)
    struck = [strike_some(generator, len(woe), len(sources)) for _ in range(copies)]
    return np.vstack([np.where(one @ reached, means, woe) for one in struck]), copies


def card_parts(
    card: Scorecard, scale: float = 1.0, shift: float = 0.0
) -> tuple[int, tuple[BundleColumn, ...], tuple[Bins, ...]]:
    """Base, columns and bins in fixed point of ``shift + scale * log-odds``."""
    base = round((shift + scale * card.base) * FIXED)
    bins = []
    for fitted, weight, mean in zip(card.binned, card.weights, card.means, strict=True):

        def fixed(woe: float, weight: float = weight, mean: float = mean) -> int:
            return round((woe - mean) * weight * scale * FIXED)

        bins.append(
            Bins(
                fitted.edges,
                tuple(map(fixed, fitted.woe)),
                fixed(fitted.no_record),
                fitted.codes,
                tuple(map(fixed, fitted.code_woe)),
                fitted.counts,
                round(fitted.iv, 9),
            )
        )
    return base, tuple(bundle_column(column) for column in card.columns), tuple(bins)


def bundle_column(column: Column) -> BundleColumn:
    """A feature's column as a bundle tells it."""
    absent = column.special_codes if column.sign else ()
    return BundleColumn(
        column.name, column.dataset, column.sign, column.zh, column.en, column.reason, column.unit,
        column.kind.value, absent,
    )  # fmt: skip


def _woe(card: Scorecard, matrix: FeatureMatrix) -> Floats:
    at = {name: place for place, name in enumerate(matrix.names)}
    out = np.empty((len(matrix.values), len(card.columns)))
    for place, (column, fitted, mean) in enumerate(zip(card.columns, card.binned, card.means, strict=True)):
        source = at[column.name]
        missing = matrix.missing[:, source]
        woe = fitted.transform(matrix.values[:, source], missing)
        out[:, place] = np.where(missing > Missing.NO_RECORD, mean, woe)
    return out
