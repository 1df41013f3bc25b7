"""A plain reading of one signal on one row, and columns made of rows, for the tests of signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from serving.watch.document import Condition, Name, Signal, Trigger
from serving.watch.evaluate import Values

Row = Mapping[str, float | None]
"""Values by name; None where nothing is known. A name that is not there is not known either."""


def columns(rows: Sequence[Row], names: Sequence[str], refused: Sequence[frozenset[str]] = ()) -> Values:
    """Rows as the watch hands them over; what is refused is not known."""
    told = {n: np.array([float(row.get(n) or 0.0) for row in rows]) for n in names}
    known = {n: np.array([row.get(n) is not None for row in rows]) for n in names}
    kept = refused or [frozenset()] * len(rows)
    return Values(told, known, {n: np.array([n in each for each in kept]) for n in names})


def level_of(signal: Signal, row: Row) -> str:
    """What the signal says of a row: a level, ``none``, or ``skipped``."""
    open_question = False
    for place, level in enumerate(signal.levels):
        now = _trigger(level, row, earlier=False)
        if signal.months == 2:
            before = [_trigger(each, row, earlier=True) for each in signal.levels[: place + 1]]
            now = _all([now, _any(before)])
        if now is True:
            return level.level.value
        open_question |= now is None
    return "skipped" if open_question else "none"


def _trigger(level: Trigger, row: Row, *, earlier: bool) -> bool | None:
    parts = [_condition(each, row, earlier=earlier) for each in level.all]
    if level.any:
        parts.append(
            _any([_all([_condition(c, row, earlier=earlier) for c in each.all]) for each in level.any])
        )
    return _all(parts)


def _condition(condition: Condition, row: Row, *, earlier: bool) -> bool | None:
    def value(name: str) -> float | None:
        return row.get(Name.parse(name).before() if earlier else name)

    left, limit = value(condition.feature), condition.value
    other = value(condition.times or condition.plus) if condition.times or condition.plus else 0.0
    if left is None or other is None:
        return None
    if condition.times:
        limit = limit * other
    elif condition.plus:
        limit = limit + other
    return {
        "lt": left < limit, "le": left <= limit, "gt": left > limit, "ge": left >= limit, "eq": left == limit,
    }[condition.op.value]  # fmt: skip


def _all(parts: Sequence[bool | None]) -> bool | None:
    return False if False in parts else None if None in parts else True


def _any(parts: Sequence[bool | None]) -> bool | None:
    return True if True in parts else None if None in parts else False
