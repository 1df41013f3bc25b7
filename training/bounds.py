"""The grades of a master scale as bounds of the integer score, so that no exponential decides a grade."""

from __future__ import annotations

import numpy as np

from training.bundle import FIXED, MasterScale, probability

_FAR = 64 * FIXED
"""A score beyond which every PD is 0 or 1 after rounding."""
_NEVER = 2**53
"""Beyond every score, where a grade is that of all or of none."""


def grade_bounds(scale: MasterScale) -> tuple[int, ...]:
    """The least score (1e-9 logits) of each grade from the second to the last.

    Found by bisection of the very function that the scorer uses: PD rises with the score.
    """
    count = len(scale.upper) - 1
    low, high = np.full(count, -_FAR, dtype=np.int64), np.full(count, _FAR, dtype=np.int64)
    wanted = np.arange(2, count + 2)
    while (high - low > 1).any():
        middle = (low + high) // 2
        worse = scale.grade(probability(middle, scale.floor)) >= wanted
        high, low = np.where(worse, middle, high), np.where(worse, low, middle)
    least, most = (scale.grade(probability(np.array([far]), scale.floor)) for far in (-_FAR, _FAR))
    high = np.where(least >= wanted, -_NEVER, np.where(most < wanted, _NEVER, high))
    return tuple(int(bound) for bound in high)


def greatest_score(scale: MasterScale, grade: int) -> int:
    """The greatest score (1e-9 logits) that is still of ``grade`` or better."""
    bounds = grade_bounds(scale)
    return bounds[grade - 1] - 1 if grade <= len(bounds) else _NEVER
