"""Features of borrowers who do not all allow the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from features.definitions.plan import FeaturePlan
from features.matrix import FeatureMatrix, Missing
from features.timeline.door import Share
from features.timeline.events import EventTable

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]


def build_shares(
    plan: FeaturePlan,
    tables: Mapping[str, EventTable],
    shares: Iterable[Share],
    subjects: Int64,
    moments: Int64,
    gone: Mapping[str, Missing],
    request: Mapping[str, Floats] | None = None,
) -> FeatureMatrix:
    """Each borrower's features from what that borrower allows; the rest is not authorised."""
    shape = (len(subjects), len(plan.columns))
    values, missing = np.zeros(shape), np.full(shape, Missing.NOT_AUTHORISED, dtype=np.uint8)
    for share in shares:
        rows = share.rows
        masked = {name: kind for name, kind in {**gone, **share.left_out}.items() if name in plan.datasets}
        asked = {name: column[rows] for name, column in (request or {}).items()}
        built = plan.build(tables, subjects[rows], moments[rows], masked, asked)
        values[rows], missing[rows] = built.values, built.missing
    return FeatureMatrix(plan.columns, values, missing)
