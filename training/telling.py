"""What a warning bundle tells of a score: the PDs of its horizons, and the tenth among the rows that it learned from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from training.bundle import FIXED, Bundle, Horizon, probability

Int64 = NDArray[np.int64]
Floats = NDArray[np.float64]
OWN = "horizon_months"
"""The bundle's note of the months that its score learned."""
TENTHS = "tenths"
"""The bundle's note of nine PDs, ascending, at which the second to the tenth tenth begin."""
RELEARNED = "relearned"
"""The bundle's note that it learned from the rows on which its recipe was judged."""
_FAR = 64.0


def horizon_pd(bundle: Bundle, log_odds: Int64) -> Floats:
    """PD [rows, horizons] of the bundle's horizons, ascending, its own among them, rounded to 1e-9."""
    score = np.clip(log_odds / FIXED, -_FAR, _FAR)
    own = horizon_months(bundle).index(_own(bundle))
    found = [probability(log_odds, bundle.scale.floor)]
    curve = bundle.curve or ()
    for one in reversed(curve[:own]):
        found.insert(0, np.round(found[0] * _chance(one, score), 9))
    for one in curve[own:]:
        found.append(np.round(1.0 - (1.0 - found[-1]) * (1.0 - _chance(one, score)), 9))
    return np.column_stack(found)


def horizon_months(bundle: Bundle) -> tuple[int, ...]:
    """Months of each column of ``horizon_pd``."""
    return tuple(sorted({*(one.months for one in bundle.curve or ()), _own(bundle)}))


def tenths_note(pd: Floats) -> str:
    """The cuts of the tenths of these PDs as a note keeps them."""
    return ",".join(f"{cut:.9f}" for cut in np.quantile(pd, np.arange(1, 10) / 10))


def tenth_of(bundle: Bundle, pd: Floats) -> Floats:
    """1 (the best) to 10 of each PD; NaN where that is, or where the bundle keeps no tenths."""
    note = str(bundle.notes.get(TENTHS, ""))
    if not note:
        return np.full(len(pd), math.nan)
    cuts = np.array([float(cut) for cut in note.split(",")])
    return np.where(np.isnan(pd), math.nan, 1.0 + np.searchsorted(cuts, pd, side="right"))


def _own(bundle: Bundle) -> int:
    return int(bundle.notes.get(OWN, 0))


def _chance(one: Horizon, score: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0.0, -(one.shift + one.slope * score))))
