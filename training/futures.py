"""The future shuffled: what became known after a row's moment may change not one of its features.

For some rows of every training the records of the subject that were not known yet are given other times and
other values, half of them are dropped, corrections to come are forgotten, and the features are computed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import NEVER, iso
from features.definitions.plan import FeaturePlan
from features.errors import Integrity
from features.matrix import FeatureMatrix, Missing
from features.timeline.events import EventTable, sort_events

Int64 = NDArray[np.int64]
ROWS = 24
SEED = 41


class FutureCheck(msgspec.Struct, frozen=True):
    """``rows`` were computed again, ``records`` of theirs lay in the future and were shuffled; nothing changed."""

    rows: int
    records: int


class ReadsTheFuture(Integrity):
    """A feature that changes with what was not known yet."""

    def __init__(self, name: str, as_of: int) -> None:
        super().__init__(
            f"it changes with records that became known after {iso(as_of)}, its row's moment.",
            place=f"feature {name}",
            remedy="Nothing may be trained on it: look at its dataset's known time, and report it.",
        )


def check_future(
    plan: FeaturePlan,
    tables: Mapping[str, EventTable],
    unavailable: Mapping[str, Missing],
    subjects: Int64,
    as_of: Int64,
    request: Mapping[str, NDArray[np.float64]],
    matrix: FeatureMatrix,
) -> FutureCheck:
    """Compute the features of some rows [of ``subjects``, ``as_of``] again, their future shuffled.

    Raises:
        ReadsTheFuture: one is not what ``matrix`` says.
    """
    generator = np.random.default_rng(SEED)
    rows = (
        np.unique(np.linspace(0, len(subjects) - 1, ROWS).astype(int)) if len(subjects) else np.empty(0, int)
    )
    records = 0
    for row in rows.tolist():
        one, moment = subjects[row : row + 1], int(as_of[row])
        own = {name: _of_subject(table, int(one[0])) for name, table in tables.items()}
        records += sum(int((table.known_from > moment).sum()) for table in own.values())
        scrambled = {name: scramble(table, moment, generator) for name, table in own.items()}
        asked = {name: values[row : row + 1] for name, values in request.items()}
        again = plan.build(scrambled, one, as_of[row : row + 1], unavailable, asked)
        _compare(matrix, again, row, moment)
    return FutureCheck(len(rows), records)


def scramble(table: EventTable, moment: int, generator: np.random.Generator) -> EventTable:
    """The table with another future: what is known at ``moment`` stays, everything after it does not."""
    future = table.known_from > moment
    dropped = future & (generator.random(len(table)) < 0.5)
    mixed = generator.permutation(len(table))
    columns = {name: np.where(future, values[mixed], values) for name, values in table.columns.items()}
    times = table.valid_from[mixed] - generator.integers(0, 400, len(table)) * 86_400_000_000
    other = replace(
        table, valid_from=np.where(future, times, table.valid_from), columns=columns,
        valid_to=np.where(future, NEVER, table.valid_to),
        known_to=np.where(table.known_to > moment, NEVER, table.known_to),
    )  # fmt: skip
    return sort_events(other.take(~dropped))


def _of_subject(table: EventTable, subject: int) -> EventTable:
    first, last = np.searchsorted(table.subject, [subject, subject + 1])
    return table.take(np.arange(first, last))


def _compare(matrix: FeatureMatrix, again: FeatureMatrix, row: int, moment: int) -> None:
    other = (again.values[0] != matrix.values[row]) | (again.missing[0] != matrix.missing[row])
    if other.any():
        raise ReadsTheFuture(matrix.names[int(np.flatnonzero(other)[0])], moment)
