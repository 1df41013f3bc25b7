"""How long a loan still runs: what is left of its term, as a model of what may yet go wrong needs it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, NULL
from features.loans.rows import places
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]
Floats = NDArray[np.float64]
MONTH = DAY * 30_436_875 // 1_000_000
"""A month's mean length in µs."""


def last_due(instalments: Iterable[EventTable], loans: Int64, moment: int) -> Int64:
    """The last due date (µs) of each loan that was known at ``moment``; ``NULL`` where none was.

    ``loans`` are codes, ascending; a row of the instalments is a due date of ``loan_id``.
    """
    out = np.full(len(loans), NULL, dtype=np.int64)
    for table in instalments:
        known = table.visible(moment)
        at = places(loans, known.columns["loan_id"])
        np.maximum.at(out, at[at >= 0], known.valid_from[at >= 0])
    return out


def months_left(last: Int64, moment: int) -> Floats:
    """Months begun from ``moment`` until the last due date, 0 after it; NaN where no due date is known."""
    begun = np.maximum(-((moment - last) // MONTH), 0).astype(np.float64)
    return np.where(last == NULL, np.nan, begun)


def longest(subject: Int64, left: Floats, wanted: Int64) -> Floats:
    """The longest that any loan of each wanted borrower still runs; NaN where it is known of none."""
    told = ~np.isnan(left)
    names, place = np.unique(subject[told], return_inverse=True)
    most = np.zeros(len(names))
    np.maximum.at(most, place, left[told])
    at = places(names, wanted)
    return np.where(at >= 0, most[np.maximum(at, 0)] if len(names) else 0.0, np.nan)
