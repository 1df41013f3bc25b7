"""Two bundles on the same rows of a portfolio, those that its split holds out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.errors import Invalid
from training.bundle import Scorer, probability
from training.evaluation import Split, make_split
from training.promotion import Comparison
from training.run import Prepared
from training.sample import Sample
from training.telling import RELEARNED
from training.validation import auc, auc_difference


class OtherColumns(Invalid):
    """A version that reads what the portfolio's definitions do not give."""

    def __init__(self, digest: str, lacking: set[str]) -> None:
        super().__init__(
            f"it reads features that the portfolio lacks: {', '.join(sorted(lacking)[:5])}.", place=digest[:12],
            remedy="Compare it under the definitions that it was trained on.",
        )  # fmt: skip


def compare(own: Scorer, other: Scorer, prepared: Prepared) -> Comparison:
    """A version beside a champion; by folds all rows count, and ``unseen`` says that they are no evidence.

    Raises:
        OtherColumns: a bundle that cannot be scored here.
    """
    held, split = _held(prepared)
    newest = int(prepared.sample.time.max())
    both = own.bundle, other.bundle
    unseen = split.start is not None and max(one.created_at for one in both) <= newest
    unseen &= not any(one.notes.get(RELEARNED) for one in both)
    one, two = _log_odds(own, held), _log_odds(other, held)
    return Comparison(
        1, own.bundle_digest, other.bundle_digest, split.text, unseen, len(held), held.bads, auc(held.target, one),
        auc(held.target, two), auc_difference(held.target, one, two),
    )  # fmt: skip


def score_held(scorer: Scorer, prepared: Prepared) -> tuple[Sample, NDArray[np.float64]]:
    """The rows held out (all of them by folds) and the PD of each, float64 [rows], from the bundle alone."""
    held, _ = _held(prepared)
    return held, probability(_log_odds(scorer, held).astype(np.int64), scorer.bundle.scale.floor)


def _held(prepared: Prepared) -> tuple[Sample, Split]:
    sample, split = prepared.sample, make_split(prepared.sample, prepared.portfolio.file.split)
    return sample if split.start is None else sample.take(split.parts[0][1]), split


def _log_odds(scorer: Scorer, held: Sample) -> NDArray[np.float64]:
    lacking = set(scorer.columns) - set(held.matrix.names)
    if lacking:
        raise OtherColumns(scorer.bundle_digest, lacking)
    chosen = held.matrix.select(scorer.columns)
    return np.asarray(scorer.log_odds(chosen.values, chosen.missing), dtype=np.float64)
