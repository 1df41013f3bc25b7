"""Which scorecard: form, bins and penalty chosen by the log loss of rows that no card of a fold has seen.

The first candidate, penalised most, that is within a standard error of the best is taken: on a few hundred rows the
best one itself is chosen by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.binning import BinSettings
from training.calibration import sigmoid
from training.masking import is_optional
from training.sample import Rows, Sample, Unlearnable
from training.scorecard import BinnedSample, Form, Scorecard, ScorecardSettings, bin_sample, weigh
from training.validation import clearly_less, log_losses

Floats = NDArray[np.float64]
FINE = BinSettings(chi_square=1.0)
"""Bins that a penalty on each of them can afford."""
STRENGTHS = (0.03, 0.1, 0.3)
MANY_CELLS = 3_000_000
"""From so many rows times columns on the penalty hardly matters, and one scorecard is fitted."""


@dataclass(frozen=True, slots=True)
class Cards:
    """The scorecard of all rows, those of each fold's train rows (None where they cannot teach one), and what
    these say of the rows they have not seen: log-odds float64 [rows]. ``losses`` by candidate.
    """

    card: Scorecard
    parts: tuple[Scorecard | None, ...]
    out_of_fold: Floats
    settings: ScorecardSettings
    losses: dict[str, float]


def candidates(sample: Sample) -> tuple[ScorecardSettings, ...]:
    """What is tried on a sample of this size, in the order of preference.

    A weight a bin is not tried where a source may be withheld: its weights are learned from masked rows, which
    only the other form does.
    """
    if sample.matrix.values.size > MANY_CELLS:
        return (ScorecardSettings(),)
    evidence = [ScorecardSettings(strength=strength) for strength in STRENGTHS]
    if any(is_optional(column.dataset, sample.optional) for column in sample.matrix.columns):
        return tuple(evidence)
    bins = [ScorecardSettings(FINE, Form.BINS, strength) for strength in STRENGTHS]
    return tuple(one for pair in zip(bins, evidence, strict=True) for one in pair)


def fit_cards(sample: Sample, splits: Sequence[tuple[Rows, Rows]]) -> Cards:
    """The candidate chosen out of fold, fitted on all rows and on each fold's.

    Raises:
        Unlearnable: too few rows or one outcome, or no column that tells the outcomes apart.
    """
    sample.check()
    tried = candidates(sample)
    fitted: list[list[Scorecard | None]] = [[] for _ in tried]
    for train, _ in splits:
        for place, card in enumerate(_fit_all(sample.take(train), tried)):
            fitted[place].append(card)
    scores = [_out_of_fold(sample, cards, splits) for cards in fitted]
    rows = [log_losses(sample.target, sigmoid(one)) for one in scores]
    losses = [float(one.mean()) for one in rows]
    least = rows[int(np.argmin(losses))]
    best = next(place for place, one in enumerate(rows) if not clearly_less(least, one))
    chosen = tried[best]
    card = weigh(sample, bin_sample(sample, chosen.bins, chosen.min_iv), chosen)
    named = {describe(one): loss for one, loss in zip(tried, losses, strict=True)}
    return Cards(card, tuple(fitted[best]), scores[best], chosen, named)


def describe(settings: ScorecardSettings) -> str:
    """A name for notes and reports."""
    return f"{settings.form.value}_{settings.strength:g}"


def _fit_all(sample: Sample, tried: Sequence[ScorecardSettings]) -> list[Scorecard | None]:
    """Every candidate on the same rows, bins shared; all None where the rows cannot teach a card."""
    found: dict[BinSettings, BinnedSample] = {}
    try:
        for one in tried:
            if one.bins not in found:
                found[one.bins] = bin_sample(sample, one.bins, one.min_iv)
    except Unlearnable:
        return [None] * len(tried)
    return [weigh(sample, found[one.bins], one) for one in tried]


def _out_of_fold(
    sample: Sample, cards: Sequence[Scorecard | None], splits: Sequence[tuple[Rows, Rows]]
) -> Floats:
    """Log-odds [rows] of scorecards that have not seen the row; the bad rate where there is none."""
    out = np.empty(len(sample))
    for card, (rows, test) in zip(cards, splits, strict=True):
        if card is None:
            bads = int(sample.target[rows].sum())
            out[test] = np.log((bads + 1) / (len(rows) - bads + 1))
        else:
            out[test] = card.log_odds(sample.matrix.take(test))
    return out
