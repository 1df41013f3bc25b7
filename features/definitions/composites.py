"""Columns that are composed of other columns: ratios, differences and totals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.definitions.model import Composition
from features.matrix import Missing


@dataclass(frozen=True, slots=True)
class Composite:
    composition: Composition
    of: tuple[int, ...]
    output: int


def fill_composite(composite: Composite, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> None:
    """Fill one composed column; it is missing, of the gravest kind, where a part is missing."""
    parts = values[:, composite.of]
    if composite.composition is Composition.RATIO:
        bottom = parts[:, 1]
        with np.errstate(over="ignore"):
            result = np.divide(parts[:, 0], bottom, out=np.full(len(parts), np.nan), where=bottom != 0)
    elif composite.composition is Composition.DIFFERENCE:
        result = parts[:, 0] - parts[:, 1]
    else:
        result = parts[:, 0].copy()
        for place in range(1, parts.shape[1]):
            result += parts[:, place]
    code = missing[:, composite.of].max(axis=1)
    code = np.where((code == Missing.PRESENT) & ~np.isfinite(result), Missing.NO_RECORD, code)
    missing[:, composite.output] = code
    values[:, composite.output] = np.where(code == Missing.PRESENT, result, 0.0)
