"""What becomes of a model when sources are withheld, on rows that it has not seen; for the report."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix, Missing
from training.bundle import FIXED, Bundle, Scorer, probability
from training.masking import Flags, is_optional, reach
from training.sample import Sample
from training.validation import auc, log_loss

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
    was seen when sources were withheld (nothing where no rows were held out by time, or nothing can be).
    """

    level: float
    half_width: float
    lines: tuple[WithheldLine, ...]


def sensitivity(bundle: Bundle, judged: Sample | None, optional: tuple[str, ...]) -> Withheld | None:
    """How the bundle fares on the ``judged`` rows, each of ``optional`` withheld in turn, half of them, and all.

    None where the bundle states no interval.
    """
    stated = bundle.uncertainty
    if isinstance(stated, msgspec.UnsetType):
        return None
    half = stated.learning * stated.factor_ppm / 1e6 / FIXED
    scorer = Scorer(bundle, "")
    sources = [name for name in optional if any(is_optional(d, [name]) for d in scorer.datasets)]
    if judged is None or not sources or not 0 < judged.bads < len(judged):
        return Withheld(stated.level_ppm / 1e6, half, ())
    reached = reach(sources, scorer.datasets)
    struck = np.random.default_rng(SEED).random((len(judged), len(sources))) < 0.5
    lines = [
        _line(HALF, scorer, judged, struck @ reached),
        _line(ALL, scorer, judged, np.atleast_2d(reached.any(axis=0))),
    ]
    each = [_line(name, scorer, judged, own[None, :]) for name, own in zip(sources, reached, strict=True)]
    return Withheld(
        stated.level_ppm / 1e6, half, (*lines, *sorted(each, key=lambda line: (-line.change, line.what)))
    )


def _line(what: str, scorer: Scorer, judged: Sample, silent: Flags) -> WithheldLine:
    chosen: FeatureMatrix = judged.matrix.select(scorer.columns)
    missing: NDArray[np.uint8] = np.where(silent, Missing.SOURCE_DOWN, chosen.missing).astype(np.uint8)
    score = scorer.log_odds(np.where(missing == Missing.PRESENT, chosen.values, 0.0), missing)
    off = score - scorer.log_odds(chosen.values, chosen.missing)
    half = scorer.half_width(missing, only_withheld=True)
    pd = probability(score, scorer.bundle.scale.floor)
    return WithheldLine(
        what, auc(judged.target, pd).value, log_loss(judged.target, pd), float(pd.mean() / judged.target.mean()),
        float(np.sqrt(np.mean((off / FIXED) ** 2))), float((np.abs(off) <= half).mean()),
    )  # fmt: skip
