"""The scorecard: bins, a regularised logistic regression, points in fixed point.

Two forms share bins and bundle. *Evidence* learns one weight a column, times the weight of evidence of its bins;
*bins* learns a weight a bin, which a penalty holds back: better where many weak columns stand on few rows, because
no bin's evidence is read twice from the same outcomes. ``training.cards`` chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from features.matrix import Column, ColumnKind, FeatureMatrix, Missing
from training.binning import Binned, BinSettings, bin_column
from training.bundle import FIXED, Bins, BundleColumn
from training.masking import is_optional, reach, silenced, strike_some
from training.sample import Sample, Unlearnable

Floats = NDArray[np.float64]
SEED = 5
MOST_COPIES = 4
MANY_ROWS = 40_000
"""From so many rows on, each is masked once."""


class Form(StrEnum):
    """What the logistic regression weighs."""

    EVIDENCE = "evidence"
    BINS = "bins"


@dataclass(frozen=True, slots=True)
class ScorecardSettings:
    """``strength`` is the inverse of the L2 penalty. No column is dropped for the sign of its weight.

    Where sources can be withheld the form must be *evidence*.
    """

    bins: BinSettings = field(default_factory=BinSettings)
    form: Form = Form.EVIDENCE
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


@dataclass(frozen=True, slots=True)
class BinnedSample:
    """Columns that carry information, with their bins; several cards can be fitted on them."""

    columns: tuple[Column, ...]
    binned: tuple[Binned, ...]


def fit_scorecard(sample: Sample, settings: ScorecardSettings | None = None) -> Scorecard:
    """Fit a scorecard.

    Raises:
        Unlearnable: too few rows or one outcome, or no column that tells the outcomes apart.
    """
    settings = settings or ScorecardSettings()
    return weigh(sample, bin_sample(sample, settings.bins, settings.min_iv), settings)


def bin_sample(sample: Sample, settings: BinSettings, min_iv: float = 0.003) -> BinnedSample:
    """Bins of every column whose information value reaches ``min_iv``.

    Raises:
        Unlearnable: too few rows or one outcome, or no column that tells the outcomes apart.
    """
    sample.check()
    binned, columns = [], []
    for place, column in enumerate(sample.matrix.columns):
        values, missing = sample.matrix.column(place)
        fitted = bin_column(column, values, missing, sample.target, settings)
        if fitted.iv >= min_iv and len([c for c in fitted.counts if sum(c)]) > 1:
            binned.append(fitted)
            columns.append(column)
    if not columns:
        raise Unlearnable(
            "no column tells the outcomes apart.", "Look at the label and at the features' coverage."
        )
    return BinnedSample(tuple(columns), tuple(binned))


def weigh(sample: Sample, own: BinnedSample, settings: ScorecardSettings) -> Scorecard:
    """The weights of these bins."""
    fit = _weigh_bins if settings.form is Form.BINS else _weigh_evidence
    return fit(sample, own, settings)


def _weigh_evidence(sample: Sample, own: BinnedSample, settings: ScorecardSettings) -> Scorecard:
    count = len(own.columns)
    blank = Scorecard(own.columns, own.binned, np.ones(count), np.zeros(count), 0.0)
    woe = _woe(blank, sample.matrix)
    asked = sample.matrix.select(tuple(column.name for column in own.columns)).missing <= Missing.NO_RECORD
    means = np.asarray(woe.sum(axis=0) / np.maximum(asked.sum(axis=0), 1))
    rows, copies = _masked(np.where(asked, woe, means), means, list(own.columns), sample.optional, settings)
    with threadpool_limits(1):  # small matrices: threads would wait for each other
        model = LogisticRegression(C=settings.strength, max_iter=1000)
        model.fit(rows, np.tile(sample.target, copies), np.full(len(rows), 1.0 / copies))
    return Scorecard(own.columns, own.binned, model.coef_[0], means, float(model.intercept_[0]))


def _weigh_bins(sample: Sample, own: BinnedSample, settings: ScorecardSettings) -> Scorecard:
    at = _places(sample.matrix, own)
    sizes = np.array([len(fitted.counts) for fitted in own.binned])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    known = at >= 0
    seats = (at + starts[:-1])[known]
    ends = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    cells = csr_array((np.ones(len(seats)), seats, ends), shape=(len(sample), int(starts[-1])))
    with threadpool_limits(1):
        model = LogisticRegression(C=settings.strength, max_iter=1000).fit(cells, sample.target)
    counts = np.bincount(seats, minlength=int(starts[-1]))
    binned, means = [], []
    for column, fitted, start, size in zip(own.columns, own.binned, starts, sizes, strict=False):
        rows = counts[start : start + size]
        points = _in_order(column, fitted, model.coef_[0][start : start + size], rows)
        binned.append(_with_points(fitted, points))
        means.append(float((points * rows).sum() / max(rows.sum(), 1)))
    return Scorecard(
        own.columns, tuple(binned), np.ones(len(means)), np.array(means), float(model.intercept_[0])
    )


def _places(matrix: FeatureMatrix, own: BinnedSample) -> NDArray[np.intp]:
    """Which of its column's ``counts`` each cell belongs to; -1 for an unseen category or a neutral kind."""
    chosen = matrix.select(tuple(column.name for column in own.columns))
    out = np.empty(chosen.values.shape, dtype=np.intp)
    for place, (column, fitted) in enumerate(zip(own.columns, own.binned, strict=True)):
        values, missing = chosen.values[:, place], chosen.missing[:, place]
        bins = len(fitted.edges) + 1
        seat = np.searchsorted(np.array(fitted.edges), values, side="right")
        if column.kind is ColumnKind.CATEGORY:
            seat = np.full(len(values), -1)
        for number, code in enumerate(fitted.codes):
            seat = np.where(values == code, bins + 1 + number, seat)
        seat = np.where(missing == Missing.NO_RECORD, bins, seat)
        out[:, place] = np.where(missing > Missing.NO_RECORD, -1, seat)
    return out


def _in_order(column: Column, fitted: Binned, points: Floats, rows: NDArray[np.int64]) -> Floats:
    """The points of the present bins in the declared order, by the least change."""
    present = len(fitted.edges) + 1
    if not column.sign or present < 2:
        return points
    ordered = isotonic_regression(
        points[:present], weights=np.maximum(rows[:present], 1.0), increasing=column.sign > 0
    )
    return np.concatenate([ordered.x, points[present:]])


def _with_points(fitted: Binned, points: Floats) -> Binned:
    split = len(fitted.edges) + 1
    return replace(
        fitted, woe=tuple(points[:split].tolist()), no_record=float(points[split]),
        code_woe=tuple(points[split + 1 :].tolist()),
    )  # fmt: skip


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
    return np.vstack([np.where(silenced(one, reached), means, woe) for one in struck]), copies


def card_parts(
    card: Scorecard, scale: float = 1.0, shift: float = 0.0
) -> tuple[int, tuple[BundleColumn, ...], tuple[Bins, ...]]:
    """Base, columns and bins in fixed point of ``shift + scale * log-odds``."""
    base = round((shift + scale * card.base) * FIXED)
    bins = []
    for column, fitted, weight, mean in zip(card.columns, card.binned, card.weights, card.means, strict=True):

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
                _labels(column, fitted.codes),
            )
        )
    return base, tuple(bundle_column(column) for column in card.columns), tuple(bins)


def _labels(column: Column, codes: tuple[float, ...]) -> tuple[str, ...] | UnsetType:
    """Texts of a category's codes, where all are known."""
    known = dict(column.labels)
    if column.kind is not ColumnKind.CATEGORY or not known or any(int(code) not in known for code in codes):
        return UNSET
    return tuple(known[int(code)] for code in codes)


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
        values, missing = matrix.column(source)
        woe = fitted.transform(values, missing)
        out[:, place] = np.where(missing > Missing.NO_RECORD, mean, woe)
    return out
