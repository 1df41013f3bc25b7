"""Which level of a signal a row of values raises: whole columns at a time, in three-valued logic.

A condition on a value that is not known is neither true nor false. A level is met where its conditions are true
whatever the unknown ones would say; a signal that an unknown value could still tip is skipped on that row and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.calendar import local_date
from features.contracts.model import Text
from serving.watch.document import AS_OF, Condition, Level, Name, Signal, SignalsDocument, Trigger

Flags = NDArray[np.bool_]
LEVELS = tuple(Level)
RANK = {level: place for place, level in enumerate(LEVELS, start=1)}


@dataclass(frozen=True, slots=True)
class Values:
    """Values of the watched loans: float64 [rows] by name, where they are known, and where they may not be read
    (nowhere, if a name is not there). A name that is not among ``values`` is known nowhere.
    """

    values: Mapping[str, NDArray[np.float64]]
    known: Mapping[str, Flags]
    refused: Mapping[str, Flags] = field(default_factory=dict)
    as_of: int | None = None
    texts: Mapping[str, Sequence[Text]] = field(default_factory=dict)
    """What evidence tells in words, by name and row."""

    @property
    def rows(self) -> int:
        """How many."""
        return len(next(iter(self.values.values()))) if self.values else 0

    def told_of(self, name: str, rows: Sequence[int], form: str = "") -> list[str]:
        """A value of each of these rows as a person reads it, or as ``pct``; NOT_AUTHORISED where it may not be read, a dash
        where nothing is known.
        """
        if name == AS_OF:
            return ["–" if self.as_of is None else local_date(self.as_of).isoformat()] * len(rows)
        place, nowhere = np.asarray(rows, dtype=np.intp), [False] * len(rows)
        known = self.known[name][place].tolist() if name in self.known else nowhere
        refused = self.refused[name][place].tolist() if name in self.refused else nowhere
        values = (
            self.values[name][place].astype(np.float64).tolist()
            if name in self.values
            else [np.nan] * len(rows)
        )
        return [
            "NOT_AUTHORISED" if shut else _text(value, form) if there else "–"
            for shut, there, value in zip(refused, known, values, strict=True)
        ]


def _text(value: float, form: str) -> str:
    if form == "pct":
        return f"{value:.0%}"
    return f"{value:,.1f}".removesuffix(".0")


class Truth(NamedTuple):
    """Where something is true and where it is false; elsewhere it is not known. bool [rows]."""

    true: Flags
    false: Flags


@dataclass(frozen=True, slots=True)
class Raised:
    """One signal on all rows: the places of its levels (-1 for none), and where it was skipped, bool [rows]."""

    signal: Signal
    level: NDArray[np.int8]
    skipped: Flags
    not_authorised: Flags
    at_most_yellow: Flags | None = None
    """Where the rule that combines has read it, bool [rows], and it tells no more than yellow."""

    @property
    def rank(self) -> NDArray[np.int8]:
        """1 (yellow) to 3 (red) of each row, 0 where it was not raised."""
        ranks = np.array([*(RANK[level.level] for level in self.signal.levels), 0], dtype=np.int8)[self.level]
        return (
            ranks
            if self.at_most_yellow is None
            else np.where(self.at_most_yellow, np.minimum(ranks, 1), ranks)
        )


def effective(document: SignalsDocument, as_of: int | None) -> list[Signal]:
    """The signals that hold on the day of a moment; all of them, if none is given."""
    if as_of is None:
        return list(document.signals)
    day = local_date(as_of).isoformat()
    return [
        s
        for s in document.signals
        if s.effective_from <= day and (not s.effective_to or day < s.effective_to)
    ]


def raised(signal: Signal, values: Values, *, strict: bool = False) -> Raised:
    """One signal on all rows. ``strict`` is the first schema: every variable must be known."""
    met = [_truth(level, values, lambda name: name) for level in signal.levels]
    if signal.months > 1:
        earlier = [_truth(level, values, lambda name: Name.parse(name).before()) for level in signal.levels]
        met = [_both(now, before) for now, before in zip(met, _at_least(earlier), strict=True)]
    if strict:
        known = reduce(np.logical_and, [_known(values, name) for name in signal.features])
        met = [Truth(each.true & known, each.false & known) for each in met]
    level = np.full(values.rows, -1, dtype=np.int8)
    for place, each in reversed(list(enumerate(met))):
        level[each.true] = place
    undecided = (level < 0) & ~reduce(np.logical_and, [each.false for each in met])
    refused = undecided & reduce(np.logical_or, [_refused(values, name) for name in signal.reads])
    return Raised(signal, level, undecided & ~refused, refused)


def _at_least(met: list[Truth]) -> list[Truth]:
    """Whether each level or a graver one was met; the gravest stands first."""
    found = [met[0]]
    for each in met[1:]:
        found.append(_either(found[-1], each))
    return found


def _truth(level: Trigger, values: Values, named: Callable[[str], str]) -> Truth:
    parts = [_meets(condition, values, named) for condition in level.all]
    if level.any:
        clauses = (reduce(_both, [_meets(c, values, named) for c in clause.all]) for clause in level.any)
        parts.append(reduce(_either, clauses))
    return reduce(_both, parts)


def _both(one: Truth, other: Truth) -> Truth:
    return Truth(one.true & other.true, one.false | other.false)


def _either(one: Truth, other: Truth) -> Truth:
    return Truth(one.true | other.true, one.false & other.false)


def _meets(condition: Condition, values: Values, named: Callable[[str], str]) -> Truth:
    names = [named(name) for name in condition.reads]
    known = reduce(np.logical_and, [_known(values, name) for name in names])
    if not known.any():
        return Truth(known, known)
    limit: float | NDArray[np.float64] = condition.value
    if condition.times:
        limit = condition.value * values.values[named(condition.times)]
    elif condition.plus:
        limit = condition.value + values.values[named(condition.plus)]
    column = values.values[names[0]]
    true = np.asarray(getattr(column, f"__{condition.op.value}__")(limit), dtype=bool)
    return Truth(known & true, known & ~true)


def _known(values: Values, name: str) -> Flags:
    return values.known[name] if name in values.values else np.zeros(values.rows, dtype=bool)


def _refused(values: Values, name: str) -> Flags:
    return values.refused[name] if name in values.refused else np.zeros(values.rows, dtype=bool)
