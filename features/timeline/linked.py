"""The rows of a group (a household, an owner), found through an index of each segment that is kept in memory.

A segment is never changed, so that its index holds for as long as it stands: a household is then looked up in
memory, and only the rows of its members are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from features.timeline.events import Int64
from features.timeline.segments import read_arrays

_SEGMENTS = 256
"""Indices that are kept: at most 1 MB each, of a bucket of 65,536 subjects with one row each."""


def read_linked(path: Path, names: Sequence[str], field: str, values: Int64) -> dict[str, Int64]:
    """Columns of a segment as int64 [n], of the rows whose ``field`` is one of these values (ascending).

    Raises:
        DamagedSegment: it is not readable.
        FileNotFoundError: it is gone.
    """
    subjects = holding(path, field, values)
    if not len(subjects):
        return {name: np.empty(0, dtype=np.int64) for name in names}
    arrays = read_arrays(path, names, "subject", subjects)
    rows = np.flatnonzero(np.isin(arrays[field], values))
    return {name: array[rows] for name, array in arrays.items()}


def holding(path: Path, field: str, values: Int64) -> Int64:
    """The subjects of a segment that have a row with one of these values, ascending."""
    stat = path.stat()
    ends, subjects = _index(path, field, stat.st_ino, stat.st_mtime_ns)
    first, last = (np.searchsorted(ends, values, side=side) for side in ("left", "right"))
    found = [subjects[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True) if a < b]
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


@lru_cache(maxsize=_SEGMENTS)
def _index(path: Path, field: str, _inode: int, _written: int) -> tuple[Int64, Int64]:
    """The values of a field, ascending, each with its subject."""
    arrays = read_arrays(path, ["subject", field])
    order = np.argsort(arrays[field], kind="stable")
    return arrays[field][order], arrays["subject"][order]
