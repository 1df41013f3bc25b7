"""The compiled lookup of a scorecard's points."""

from __future__ import annotations

from numba import njit
from numba.types import Array, float64, int64, uint8, void

_I1 = Array(int64, 1, "C", readonly=True)
_I2 = Array(int64, 2, "C", readonly=True)
_F2 = Array(float64, 2, "C", readonly=True)
_U2 = Array(uint8, 2, "C", readonly=True)


@njit(
    void(_F2, _U2, _I2, _F2, _I2, _F2, _I2, _I1, _I1, Array(int64, 2, "C")),
    cache=True,
)  # fmt: skip
def add_points(
    values, missing, edge_counts, edges, points, codes, code_points, no_record, special_counts, out
):
    """Add each column's scorecard contribution to ``out`` [rows, columns].

    ``edge_counts`` [columns, 2]: number of edges, and whether the column is a category (then only ``codes``
    are looked at and the last point is that of an unseen one). A bin holds ``edges[k-1] <= x < edges[k]``.
    """
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            kind = missing[row, column]
            if kind == 1:
                out[row, column] += no_record[column]
            elif kind == 0:
                x = values[row, column]
                found = -1
                for place in range(special_counts[column]):
                    if codes[column, place] == x:
                        found = place
                        break
                if found >= 0:
                    out[row, column] += code_points[column, found]
                    continue
                lo = 0
                hi = edge_counts[column, 0]
                while lo < hi:
                    middle = (lo + hi) // 2
                    if x < edges[column, middle]:
                        hi = middle
                    else:
                        lo = middle + 1
                out[row, column] += points[column, lo]
