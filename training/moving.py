"""How far a column is from what it was: PSI over cells of the reference, beside what chance alone would give."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from training.validation import psi, psi_by_chance

Floats = NDArray[np.float64]
CELLS, FEW = 10, 20


class Moved(msgspec.Struct, frozen=True):
    """How far one distribution is from the reference; ``by_chance`` is seldom exceeded by chance."""

    name: str
    psi: float
    by_chance: float

    def beyond(self, limit: float) -> bool:
        """Past the limit and past chance."""
        return self.psi > max(limit, self.by_chance)


class Cells:
    """Tenths of a column's reference (each of its values where they are few, as of categories and counts), and one cell for
    each way in which a value is missing.
    """

    def __init__(self, values: Floats, missing: NDArray[np.uint8] | None = None) -> None:
        here = values if missing is None else values[missing == Missing.PRESENT]
        self._edges = np.unique(here)
        if len(self._edges) > FEW:
            self._edges = np.unique(np.quantile(here, np.linspace(0, 1, CELLS + 1)[1:-1]))
        self._counts = self._count(values, missing)

    def moved(self, name: str, values: Floats, missing: NDArray[np.uint8] | None = None) -> Moved:
        """How far these values are from the reference."""
        return moved(name, self._counts, self._count(values, missing))

    def _count(self, values: Floats, missing: NDArray[np.uint8] | None) -> NDArray[np.int64]:
        tenths = len(self._edges) + 1
        cell = np.searchsorted(self._edges, values, side="right")
        if missing is not None:
            cell = np.where(missing == Missing.PRESENT, cell, tenths + missing - 1)
        return np.bincount(cell, minlength=tenths + len(Missing) - 1).astype(np.int64)


def moved(name: str, expected: NDArray[np.int64], actual: NDArray[np.int64]) -> Moved:
    """PSI over the cells that either has; half a row is added to each, so that a small month is not all tail."""
    kept = (expected + actual) > 0
    if kept.sum() < 2:
        return Moved(name, 0.0, 0.0)
    value = psi(expected[kept].astype(np.float64) + 0.5, actual[kept].astype(np.float64) + 0.5)
    chance = psi_by_chance(int(expected.sum()), int(actual.sum()), int(kept.sum()))
    return Moved(name, round(value, 6), round(chance, 6))
