"""The interval of a share, for figures that people compare; it loads nothing, so that requests may ask for it."""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""


def wilson(rate: float, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share that was seen of so many rows, which are not none (Wilson 1927)."""
    middle, half = rate + Z**2 / (2 * rows), Z * sqrt(rate * (1 - rate) / rows + Z**2 / (4 * rows**2))
    scale = 1 + Z**2 / rows
    return (middle - half) / scale, (middle + half) / scale
