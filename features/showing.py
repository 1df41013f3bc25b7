"""One subject's features as of a moment, for people to look at."""

from __future__ import annotations

import msgspec
import numpy as np

from features.definitions.plan import FeaturePlan
from features.matrix import Missing
from features.timeline.door import Door


class ShownFeature(msgspec.Struct, frozen=True):
    """A column's value, or the kind in which it is missing; ``sources`` are the datasets that it comes from."""

    column: str
    value: float | str
    unit: str
    sources: str


def features_of(plan: FeaturePlan, door: Door, subject: int, as_of: int) -> list[ShownFeature]:
    """Every column of one subject as of a moment, µs; what the door leaves out is missing by its kind."""
    read = door.subject(plan.contracts, subject, names=plan.datasets)
    masked = {name: kind for name, kind in read.left_out.items() if name in plan.datasets}
    matrix = plan.build(read.tables, np.array([subject]), np.array([as_of]), masked)
    kinds = [Missing(int(kind)) for kind in matrix.missing[0]]
    return [
        ShownFeature(
            column.name, float(value) if kind is Missing.PRESENT else kind.name, column.unit, column.dataset
        )
        for column, value, kind in zip(plan.columns, matrix.values[0], kinds, strict=True)
    ]
