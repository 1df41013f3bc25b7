"""What a person can act on, declared as data: ``actions.yaml`` beside a portfolio.

An action moves one or more features together, step by step, within bounds. What stands in no action (age,
length of history, region) cannot be acted on. Only numpy is imported: see ``training.counterfactual``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.contracts.documents import BrokenDocument, read_yaml
from features.contracts.model import Text
from features.errors import Invalid
from features.matrix import Column, ColumnKind, Missing

Floats = NDArray[np.float64]
Kinds = NDArray[np.uint8]
Int64 = NDArray[np.int64]
MOST = 10_000
"""More steps of an action are never asked for."""


class Move(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far one step moves a feature (its sign is the direction), and where it ends."""

    step: float
    least: float | None = None
    most: float | None = None


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that a person can do, step by step; ``effort`` is what a step costs beside those of others."""

    name: str
    zh: str
    en: str
    moves: dict[str, Move]
    effort: float = 1.0


class ActionsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``actions.yaml``: what is not in it (age, length of history, region) cannot be acted on."""

    schema: int
    actions: tuple[Action, ...]


class BrokenAction(Invalid):
    """An action that cannot be taken."""

    def __init__(self, action: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=f"action {action}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Change:
    """A feature before and after."""

    feature: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Taken:
    """An action with its number of steps and what it changes."""

    name: str
    text: Text
    steps: int
    changes: tuple[Change, ...]


class Actions:
    """Checked actions over the columns of a matrix; holds no state but them."""

    def __init__(self, file: ActionsFile, columns: Sequence[Column]) -> None:
        """Read actions against the columns that rows will have.

        Raises:
            BrokenAction: a feature that does not exist or is a category, a step of 0, bounds in disorder.
        """
        known = {column.name: (place, column) for place, column in enumerate(columns)}
        for action in file.actions:
            _check(action, {name: column for name, (_, column) in known.items()})
        self.actions = file.actions
        self.columns = tuple(column.name for column in columns)
        self._at = {name: place for name, (place, _) in known.items()}
        moves = [
            (a, self._at[name], move)
            for a, one in enumerate(file.actions)
            for name, move in one.moves.items()
        ]
        self._of = np.array([a for a, _, _ in moves], dtype=np.intp)
        self._place = np.array([place for _, place, _ in moves], dtype=np.intp)
        self._step = np.array([move.step for _, _, move in moves], dtype=np.float64)
        self._end = np.array([_end(move) for _, _, move in moves], dtype=np.float64)
        self.efforts = np.array([action.effort for action in file.actions], dtype=np.float64)

    def limits(self, values: Floats, missing: Kinds) -> Int64:
        """The most steps of each action on this row, int64 [actions]: until its last feature is at its end."""
        room = np.ceil((self._end - values[self._place]) / self._step - 1e-9)
        room = np.where((missing[self._place] == Missing.PRESENT) & (room > 0), np.minimum(room, MOST), 0)
        out = np.zeros(len(self.actions), dtype=np.int64)
        np.maximum.at(out, self._of, room.astype(np.int64))
        return out

    def apply(self, values: Floats, missing: Kinds, steps: Int64) -> Floats:
        """The row [columns] after each of ``steps`` int64 [n, actions], float64 [n, columns]."""
        out = np.repeat(values[None, :], len(steps), axis=0)
        start = values[self._place]
        beyond = (self._end - start) * np.sign(self._step) <= 0
        moved = start + steps[:, self._of] * self._step
        moved = np.where(self._step > 0, np.minimum(moved, self._end), np.maximum(moved, self._end))
        still = beyond | (missing[self._place] != Missing.PRESENT)
        out[:, self._place] = np.where(still | (steps[:, self._of] == 0), start, moved)
        return out

    def taken(self, before: Floats, after: Floats, steps: Int64) -> tuple[Taken, ...]:
        """What was done, those with the most effort first."""
        found = []
        for place in np.argsort(-steps * self.efforts, kind="stable"):
            action = self.actions[place]
            if steps[place]:
                changes = tuple(
                    Change(name, float(before[self._at[name]]), float(after[self._at[name]]))
                    for name in action.moves
                    if before[self._at[name]] != after[self._at[name]]
                )
                found.append(Taken(action.name, Text(action.zh, action.en), int(steps[place]), changes))
        return tuple(found)


def read_actions(path: Path, columns: Sequence[Column]) -> Actions:
    """The actions of ``actions.yaml`` over these columns.

    Raises:
        BrokenDocument: no such file, or not of that shape.
        BrokenAction: see ``Actions``.
    """
    file = read_yaml(path, ActionsFile)
    if file.schema != 1:
        raise BrokenDocument(path, f"schema {file.schema} is not known.", "Write schema: 1.")
    return Actions(file, columns)


def _check(action: Action, known: Mapping[str, Column]) -> None:
    if not action.moves or action.effort <= 0:
        raise BrokenAction(
            action.name, "it moves nothing, or costs nothing.", "Write moves, and an effort above 0."
        )
    for name, move in action.moves.items():
        if name not in known:
            raise BrokenAction(
                action.name, f"there is no feature {name!r}.", "`yidai features list` shows them."
            )
        if known[name].kind is ColumnKind.CATEGORY:
            raise BrokenAction(action.name, f"{name} is a category.", "Only numbers move by steps.")
        if not move.step:
            raise BrokenAction(action.name, f"the step of {name} is 0.", "Write how far one step moves it.")
        if not np.isfinite(_end(move)):
            bound = "most" if move.step > 0 else "least"
            raise BrokenAction(action.name, f"{name} moves without an end.", f"Write `{bound}`.")


def _end(move: Move) -> float:
    bound = move.most if move.step > 0 else move.least
    return float(np.copysign(np.inf, move.step)) if bound is None else bound
