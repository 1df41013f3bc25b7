"""PDs of shorter and longer horizons beside the model's own, never falling with the horizon.

A warning model ranks by one score, whose PD is that of the horizon that it learned. The chance that a
default of a horizon falls into its first part, and the chance that who survives a horizon defaults in the
part after it, are logistic functions of the score (who is riskier defaults sooner). Shorter horizons are
products of the former, longer ones survive the latter: PD3 <= PD6 <= PD12 whatever the score, and each
rises with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.blend import fit_weights
from training.bundle import FIXED, SCHEMA_OF_CURVES, Bundle, Horizon, Scorer, resealed
from training.sample import Sample
from training.telling import OWN, TENTHS, horizon_months, horizon_pd, tenths_note

Int64 = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
LEAST_BADS = 10
"""Fewer defaults on either side of a bound say nothing: then their share alone, by Laplace's rule, is taken."""


@dataclass(frozen=True, slots=True)
class Window:
    """What rows of a sample did within ``months``: ``bad`` bool [rows], said only where ``known`` bool [rows]."""

    months: int
    bad: Flags
    known: Flags


def with_curve(bundle: Bundle, model: str, sample: Sample, windows: Sequence[Window], own: int) -> Bundle:
    """The bundle under the name ``model`` with its curve.

    ``windows`` are those of the sample's rows, ascending; the bundle learned that of ``own`` months.
    """
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    score = scorer.score(chosen.values, chosen.missing).log_odds / FIXED
    curve = []
    for near, far in pairwise(windows):
        if far.months <= own:
            rows = near.known & far.known & far.bad
            curve.append(_horizon(near.months, score[rows], near.bad[rows].astype(np.int8)))
        else:
            rows = near.known & far.known & ~near.bad
            curve.append(_horizon(far.months, score[rows], far.bad[rows].astype(np.int8)))
    notes = bundle.notes | {OWN: own}
    changed = msgspec.structs.replace(
        bundle, schema=SCHEMA_OF_CURVES, model=model, curve=tuple(curve), notes=notes
    )
    return resealed(changed)


def with_tenths(bundle: Bundle, sample: Sample, months: int) -> Bundle:
    """The bundle with the tenths of its PD of ``months`` among all rows of a panel; outcomes are not looked at."""
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    log_odds = scorer.log_odds(chosen.values, chosen.missing)
    pd = horizon_pd(bundle, log_odds)[:, horizon_months(bundle).index(months)]
    return resealed(msgspec.structs.replace(bundle, notes=bundle.notes | {TENTHS: tenths_note(pd)}))


def _horizon(months: int, score: Floats, happened: NDArray[np.int8]) -> Horizon:
    bads = int(happened.sum())
    if min(bads, len(happened) - bads) < LEAST_BADS:
        share = (bads + 1) / (len(happened) + 2)
        return Horizon(months, round(float(np.log(share / (1 - share))), 9), 0.0)
    fitted = fit_weights(happened, score[:, None])
    return Horizon(months, round(fitted.shift, 9), round(fitted.weights[0], 9))
