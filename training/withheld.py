"""What a withheld source does to a score: where its neutral point lies, and how far it leaves the score uncertain.

A withheld source adds exactly nothing. So that a score without it is still right on average, the point from
which its contributions are counted is learned from rows with sources masked at random. A mean contribution
would be too low: of people who differ by a variance v in log-odds the average PD lies above the PD of their
average, by about v / 2 in log-odds (Jensen). Each source's point is moved by its own share of that, and one
number, fitted on masked rows that the models had not seen, says how much of it holds. Nothing is fitted to
outcomes here: the PD of the same row with everything known is the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from features.matrix import Missing
from training.bundle import FIXED, SCHEMA, Bins, Bundle, Scorer, Uncertainty
from training.calibration import sigmoid
from training.masking import Flags, is_optional, reach, silenced, strike
from training.sample import Rows, Sample

Floats = NDArray[np.float64]
LEVEL = 0.9
"""Chance with which the stated interval holds."""
FACTOR = float(norm.ppf((1 + LEVEL) / 2))
"""Half width of that interval in standard deviations of a normal distribution."""
MOST_ROWS = 4000
DRAWS = 4
SEED = 17
MOST_SHARE = 4.0
BANDS = 4
FEWEST = 2
LEAST = 0.001
"""Withholding widens the interval by something, even a source that no part happened to use."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A model and rows that it has not seen, everything known: ``full`` float64 [rows] in logits."""

    scorer: Scorer
    values: Floats
    missing: NDArray[np.uint8]
    full: Floats

    def without(self, sources: Sequence[str], struck: Flags) -> Floats:
        """Log-odds [rows] with ``struck`` [rows, sources] withheld."""
        cells = silenced(struck, reach(sources, self.scorer.datasets))
        return self._scored(np.where(cells, Missing.SOURCE_DOWN, self.missing).astype(np.uint8))

    def without_columns(self, dataset: str) -> Floats:
        """Log-odds [rows] with the columns of exactly this ``dataset`` withheld."""
        missing = self.missing.copy()
        missing[:, np.array(self.scorer.datasets) == dataset] = Missing.SOURCE_DOWN
        return self._scored(missing)

    def _scored(self, missing: NDArray[np.uint8]) -> Floats:
        values = np.where(missing == Missing.PRESENT, self.values, 0.0)
        return self.scorer.log_odds(values, missing) / FIXED


@dataclass(frozen=True, slots=True)
class _Masked:
    """Rows under random masks: ``hit`` bool [rows, datasets of columns], the log-odds with and without."""

    full: Floats
    partial: Floats
    hit: Flags


def with_uncertainty(
    bundle: Bundle, parts: Sequence[Bundle | None], splits: Sequence[tuple[Rows, Rows]], sample: Sample
) -> Bundle:
    """The bundle with learned neutral points and its stated uncertainty.

    ``parts`` are models of the same recipe, one a (train, test) pair of ``splits``, that learned from its
    train rows alone; None where those could teach none. With fewer than two of them nothing can be stated.
    """
    if sum(part is not None for part in parts) < FEWEST:
        return bundle
    datasets = sorted({column.dataset for column in bundle.columns})
    held = [
        _held(part, sample.take(_some(test))) for part, (_, test) in zip(parts, splits, strict=True) if part
    ]
    changes = [np.concatenate([one.full - one.without_columns(name) for one in held]) for name in datasets]
    squares = np.array([float(np.mean(change**2)) for change in changes])
    lost = np.where([is_optional(name, sample.optional) for name in datasets], squares / 2, 0.0)
    masked = _masked(held, sample.optional, datasets)
    share = 0.0 if masked is None else _share(masked, lost)
    shifts = share * lost
    squares = np.array([float(np.mean((c - s) ** 2)) for c, s in zip(changes, shifts, strict=True)])
    spreads = np.maximum(np.sqrt(squares), LEAST)
    stretch = _stretch(masked, shifts, spreads)
    stated = Uncertainty(
        round(LEVEL * 1e6), round(FACTOR * 1e6), round(_learning(parts, sample) * FIXED), tuple(datasets),
        tuple(round(spread * FIXED) for spread in stretch * spreads),
    )  # fmt: skip
    moved = _moved(bundle, dict(zip(datasets, shifts.tolist(), strict=True)), sample)
    notes = moved.notes | {"neutral_share": share, "spread_stretch": stretch}
    return msgspec.structs.replace(moved, schema=SCHEMA, uncertainty=stated, notes=notes)


def _some(rows: Rows) -> Rows:
    """At most ``MOST_ROWS`` of these rows, evenly."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.intp)]


def _held(part: Bundle, sample: Sample) -> _Held:
    scorer = Scorer(part, "")
    chosen = sample.matrix.select(scorer.columns)
    return _Held(
        scorer, chosen.values, chosen.missing, scorer.log_odds(chosen.values, chosen.missing) / FIXED
    )


def _masked(held: Sequence[_Held], optional: tuple[str, ...], datasets: Sequence[str]) -> _Masked | None:
    """Every row a few times, each time another share of its optional sources withheld; None where none is."""
    sources = [name for name in optional if any(is_optional(dataset, [name]) for dataset in datasets)]
    if not sources or not held:
        return None
    generator, reached = np.random.default_rng(SEED), reach(sources, datasets)
    full, partial, hits = [], [], []
    for one in list(held) * DRAWS:
        rows = len(one.full)
        struck = strike(generator, rows, len(sources), generator.random((rows, 1)))
        full.append(one.full)
        partial.append(one.without(sources, struck))
        hits.append(silenced(struck, reached))
    return _Masked(np.concatenate(full), np.concatenate(partial), np.vstack(hits))


def _share(masked: _Masked, lost: Floats) -> float:
    """How much of what Jensen takes is given back, by log loss against the PD of the same row fully known."""
    target, gain = sigmoid(masked.full), masked.hit @ lost

    def loss(share: float) -> float:
        score = masked.partial + share * gain
        return float(np.mean(np.logaddexp(0.0, score) - target * score))

    return float(minimize_scalar(loss, bounds=(0.0, MOST_SHARE), method="bounded").x)


def _stretch(masked: _Masked | None, shifts: Floats, spreads: Floats) -> float:
    """By how much all spreads are widened so that the fully known log-odds lie within, with chance ``LEVEL``.

    Sources that move together make it larger than 1: a split conformal quantile (Lei et al. 2018), taken
    apart for rows of which little and much is withheld; the largest counts.
    """
    if masked is None:
        return 1.0
    deviation = np.sqrt(masked.hit @ spreads**2)
    order = np.argsort(deviation, kind="stable")[int((deviation == 0).sum()) :]
    off = np.abs(masked.full - masked.partial - masked.hit @ shifts)
    bands = [rows for rows in np.array_split(order, BANDS) if len(rows)]
    found = [float(np.quantile(off[rows] / deviation[rows], LEVEL)) / FACTOR for rows in bands]
    return max(1.0, *found) if found else 1.0


def _learning(parts: Sequence[Bundle | None], sample: Sample) -> float:
    """Root mean square of the score's standard error, by the delete-a-group jackknife (Kott 2001)."""
    some = sample.take(_some(np.arange(len(sample))))
    scores = np.array([_held(part, some).full for part in parts if part])
    return float(np.sqrt((len(scores) - 1) * scores.var(axis=0).mean()))


def _moved(bundle: Bundle, shifts: dict[str, float], sample: Sample) -> Bundle:
    """The same scores counted from other neutral points: columns give what the base takes.

    A source's shift is shared out by the variance of its columns' contributions, which is where it comes from.
    """
    if not any(shifts.values()):
        return bundle
    scorer = Scorer(bundle, "")
    chosen = sample.take(_some(np.arange(len(sample)))).matrix.select(scorer.columns)
    variances = scorer.score(chosen.values, chosen.missing).contributions.astype(np.float64).var(axis=0)
    names = np.array(scorer.datasets)
    fixed = np.zeros(len(names), dtype=np.int64)
    for name, shift in shifts.items():
        own = names == name
        whole = variances[own].sum()
        if whole > 0:
            fixed[own] = np.rint(shift * FIXED * variances[own] / whole).astype(np.int64)
    bins = bundle.bins or tuple(Bins((), (0,), 0) for _ in names)
    shifted = tuple(_lowered(one, int(by)) for one, by in zip(bins, fixed, strict=True))
    return msgspec.structs.replace(bundle, base=bundle.base + int(fixed.sum()), bins=shifted)


def _lowered(bins: Bins, by: int) -> Bins:
    return msgspec.structs.replace(
        bins, points=tuple(p - by for p in bins.points), no_record=bins.no_record - by,
        code_points=tuple(p - by for p in bins.code_points),
    )  # fmt: skip
