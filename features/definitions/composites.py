"""Columns that are composed of other columns: ratios, totals, extremes, and how far sources agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numba.types import Array, float64, int64, uint8, void
from numpy.typing import NDArray

from features.definitions.model import Composition

_CODES = {kind: code for code, kind in enumerate(Composition)}
_I1 = Array(int64, 1, "C", readonly=True)


@dataclass(frozen=True, slots=True)
class Composite:
    """``output`` is composed of the columns ``of``, all by their place in the matrix."""

    composition: Composition
    of: tuple[int, ...]
    output: int


@dataclass(frozen=True, slots=True)
class Composites:
    """Composites in the order in which they are computed, as arrays."""

    kinds: NDArray[np.int64]
    starts: NDArray[np.int64]
    of: NDArray[np.int64]
    outputs: NDArray[np.int64]

    @staticmethod
    def make(composites: Sequence[Composite]) -> Composites:
        """The arrays of these; a composite may be of earlier ones."""
        starts = np.cumsum([0, *(len(each.of) for each in composites)])
        return Composites(
            np.array([_CODES[each.composition] for each in composites], dtype=np.int64),
            starts.astype(np.int64),
            np.array([place for each in composites for place in each.of], dtype=np.int64),
            np.array([each.output for each in composites], dtype=np.int64),
        )

    def fill(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> None:
        """Fill the composed columns of a matrix [rows, columns].

        A composite is missing, of the gravest kind, where a part is missing. Those that look at whatever is
        there (minimum, maximum, breadth, agreement) pass over parts without a record, never over parts that
        were not asked: what was withheld must not change them.
        """
        _fill(self.kinds, self.starts, self.of, self.outputs, values, missing)


@njit(cache=True)
def _agreement(parts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Share of the parts within 30 % of their median; nothing where fewer than two are there."""
    if len(parts) < 2:
        return np.nan
    ordered = np.sort(parts)
    middle = (ordered[(len(parts) - 1) // 2] + ordered[len(parts) // 2]) / 2.0
    near = 0
    for k in range(len(parts)):
        if abs(parts[k] - middle) <= 0.3 * abs(middle):
            near += 1
    return near / len(parts)


@njit(cache=True)
def _compose(kind, parts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if kind == 0:
        return np.nan if parts[1] == 0 else parts[0] / parts[1]
    if kind == 1:
        return parts[0] - parts[1]
    if kind == 6:
        return float(len(parts))
    if kind == 7:
        return _agreement(parts)
    result = parts[0]
    for k in range(1, len(parts)):
        if kind == 2:
            result += parts[k]
        elif kind == 3:
            result *= parts[k]
        elif kind == 4:
            result = min(result, parts[k])
        else:
            result = max(result, parts[k])
    return result


@njit(void(_I1, _I1, _I1, _I1, float64[:, ::1], uint8[:, ::1]), cache=True)
def _fill(kinds, starts, of, outputs, values, missing):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    longest = 0
    for k in range(len(kinds)):
        longest = max(longest, starts[k + 1] - starts[k])
    parts = np.empty(longest)
    for row in range(values.shape[0]):
        for k in range(len(kinds)):
            kind = kinds[k]
            gravest = 0
            n = 0
            for at in range(starts[k], starts[k + 1]):
                code = missing[row, of[at]]
                gravest = max(gravest, code)
                if code == 0:
                    parts[n] = values[row, of[at]]
                    n += 1
            if kind >= 4 and gravest == 1 and (n > 0 or kind == 6):
                gravest = 0
            result = 0.0
            if gravest == 0:
                result = _compose(kind, parts[:n])
                if not np.isfinite(result):
                    result = 0.0
                    gravest = 1
            values[row, outputs[k]] = result
            missing[row, outputs[k]] = gravest
