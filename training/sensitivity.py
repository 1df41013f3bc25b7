"""What becomes of a model when sources are withheld, on rows that it has not seen; for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix, Missing
from training.bundle import FIXED, Bundle, Scorer, probability
from training.masking import Flags, is_optional, reach, silenced
from training.sample import Sample
from training.validation import auc, log_loss

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
SEED = 29
HALF = "half of the optional sources, at random"
ALL = "all optional sources"


class WithheldLine(msgspec.Struct, frozen=True):
    """One thing withheld from every row that was judged.

    ``change`` is the root mean square change of the log-odds, in logits; ``covered`` the share of rows whose fully
    known log-odds lie in the part of the interval that the withheld sources make.
    """

    what: str
    auc: float
    log_loss: float
    predicted_over_actual: float
    change: float
    covered: float


class Withheld(msgspec.Struct, frozen=True):
    """The interval that the bundle states: its chance, its half width in logits with everything known, and what
    was seen when sources were withheld (nothing where none can be). By folds it is seen on the models of the folds.
    """

    level: float
    half_width: float
    lines: tuple[WithheldLine, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A model and the rows that it has not seen, ``chosen`` of which it reads; ``reached`` bool [sources, columns],
    ``full`` their log-odds with everything known.
    """

    scorer: Scorer
    rows: Sample
    chosen: FeatureMatrix
    reached: Flags
    full: Int64

    @staticmethod
    def of(scorer: Scorer, rows: Sample, sources: Sequence[str]) -> _Part:
        chosen = rows.matrix.select(scorer.columns)
        full = scorer.log_odds(chosen.values, chosen.missing)
        return _Part(scorer, rows, chosen, reach(sources, scorer.datasets), full)


def sensitivity(
    bundle: Bundle, held: Sequence[tuple[Bundle, Sample]], optional: tuple[str, ...]
) -> Withheld | None:
    """How models fare on the rows ``held`` out of each, every one of ``optional`` withheld in turn, half, and all.

    None where the bundle states no interval.
    """
    stated = bundle.uncertainty
    if isinstance(stated, msgspec.UnsetType):
        return None
    level, half = stated.level_ppm / 1e6, stated.learning * stated.factor_ppm / 1e6 / FIXED
    scorers = [Scorer(one, "") for one, _ in held]
    read = {dataset for scorer in scorers for dataset in scorer.datasets}
    sources = [name for name in optional if any(is_optional(dataset, [name]) for dataset in read)]
    bads, rows = sum(own.bads for _, own in held), sum(len(own) for _, own in held)
    unsure = any(isinstance(one.uncertainty, msgspec.UnsetType) for one, _ in held)
    if not sources or unsure or not 0 < bads < rows:
        return Withheld(level, half, ())
    parts = [_Part.of(scorer, own, sources) for scorer, (_, own) in zip(scorers, held, strict=True)]
    return Withheld(level, half, tuple(_lines(parts, sources)))


def _lines(parts: Sequence[_Part], sources: Sequence[str]) -> list[WithheldLine]:
    generator = np.random.default_rng(SEED)
    struck = [generator.random((len(one.rows), len(sources))) < 0.5 for one in parts]
    halves = [silenced(own, one.reached) for own, one in zip(struck, parts, strict=True)]
    lines = [
        _line(HALF, parts, halves),
        _line(ALL, parts, [np.atleast_2d(one.reached.any(axis=0)) for one in parts]),
    ]
    each = [_line(name, parts, [one.reached[[place]] for one in parts]) for place, name in enumerate(sources)]
    return [*lines, *sorted(each, key=lambda line: (-line.change, line.what))]


def _line(what: str, parts: Sequence[_Part], silent: Sequence[Flags]) -> WithheldLine:
    seen = [_seen(one, own) for one, own in zip(parts, silent, strict=True)]
    pd, off, covered = (np.concatenate(values) for values in zip(*seen, strict=True))
    target = np.concatenate([one.rows.target for one in parts])
    return WithheldLine(
        what, auc(target, pd).value, log_loss(target, pd), float(pd.mean() / target.mean()),
        float(np.sqrt(np.mean((off / FIXED) ** 2))), float(covered.mean()),
    )  # fmt: skip


def _seen(part: _Part, silent: Flags) -> tuple[Floats, Int64, Flags]:
    """PD without the ``silent`` cells, how far the score moved, and whether that lies within the interval."""
    scorer, chosen = part.scorer, part.chosen
    missing: NDArray[np.uint8] = np.where(silent, Missing.SOURCE_DOWN, chosen.missing).astype(np.uint8)
    score = scorer.log_odds(np.where(missing == Missing.PRESENT, chosen.values, 0.0), missing)
    off = score - part.full
    half = scorer.half_width(missing, only_withheld=True)
    within = np.zeros(len(off), dtype=np.bool_) if half is None else np.abs(off) <= half
    return probability(score, scorer.bundle.scale.floor), off, within
