"""The AUC that PDs promise while outcomes are not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.validation import Interval, auc

Floats = NDArray[np.float64]
DRAWS, SEED = 200, 5


def estimated_auc(pd: Floats, draws: int = DRAWS) -> Interval:
    """The AUC of PDs that are right, expected over outcomes that are not known, with the 95 % of what may be seen.

    The expectation is exact up to the ratio of two means; 0.5 where all PDs are alike.
    """
    value = _expected_auc(pd)
    generator = np.random.default_rng(SEED)
    seen = [
        auc(target, pd).value
        for target in (generator.random((draws, len(pd))) < pd).astype(np.int8)
        if 0 < target.sum() < len(target)
    ]
    low, high = np.quantile(seen, (0.025, 0.975)) if seen else (0.0, 1.0)
    return Interval(value, float(min(low, value)), float(max(high, value)))


def _expected_auc(pd: Floats) -> float:
    order = np.sort(pd)
    values, first, count = np.unique(order, return_index=True, return_counts=True)
    good = np.concatenate([[0.0], np.cumsum(1 - order)])
    below, same = good[first], count * (1 - values)
    pairs = (count * values * (below + same / 2)).sum() - (order * (1 - order)).sum() / 2
    whole = order.sum() * (1 - order).sum() - (order * (1 - order)).sum()
    return float(pairs / whole) if whole > 0 else 0.5
