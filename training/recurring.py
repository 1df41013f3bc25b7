"""Explaining rows of which columns are withheld, quickly where the same columns are withheld again and again.

Consents and silent sources make few sets of columns, and each set makes another game of every tree that reads one
of them. What is computed of such a game is kept, outcome by outcome as rows ask for it, so that a row of a set that
recurs costs lookups like any other. Nothing is kept of a set that came once or twice; what is kept is bounded, and
where it is full a set must come more often to take the place of the one that was asked for longest ago. The numbers
are those of ``trees.contribute``, to the last bit.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from training.arrays import TreeArrays
from training.trees import MAX_NODES, contribute, contribute_alike

MOST_BYTES = 64_000_000
"""Of all tables of one bundle."""
MOST_SEEN = 1024
"""Sets of columns whose rows are counted."""
ROWS_TO_KEEP, ROWS_TO_REPLACE = 3, 12
"""From so many rows on a set is worth its tables: where there is room, and where another must go."""

Floats = NDArray[np.float64]
Flags = NDArray[np.uint8]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Game:
    """What one set of neutral columns makes of the trees; see ``trees.contribute_alike``."""

    allowed: Int64
    places: Int64
    known: Flags
    found: Int64

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.known.nbytes + self.found.nbytes + self.allowed.nbytes + self.places.nbytes


def game_of(trees: TreeArrays, neutral: Flags) -> Game:
    """The game in which the columns ``neutral`` [columns] are in no coalition, nothing computed yet."""
    bits = np.arange(MAX_NODES)
    plays = bits < trees.players[:, None]
    speaks = plays & (neutral[trees.columns] == 0)
    allowed = (speaks << bits).sum(axis=1, dtype=np.int64)
    touched = (speaks != plays).any(axis=1)
    places = np.where(touched, np.cumsum(touched) - 1, -1).astype(np.int64)
    count = int(touched.sum())
    return Game(
        allowed, places, np.zeros((count, trees.outcomes), np.uint8),
        np.zeros((count, trees.outcomes, MAX_NODES), np.int64),
    )  # fmt: skip


class Explainer:
    """The contributions of a bundle's trees."""

    def __init__(self, trees: TreeArrays, most_bytes: int = MOST_BYTES) -> None:
        self._trees = trees
        self._most_bytes = most_bytes
        self._games: OrderedDict[bytes, Game] = OrderedDict()
        self._came: OrderedDict[bytes, int] = OrderedDict()
        self._lock = Lock()

    @property
    def kept_bytes(self) -> int:
        """Bytes of what is kept."""
        return sum(game.size for game in self._games.values())

    def add(self, rows: Floats, neutral: Flags, out: Int64) -> None:
        """Add every tree's contributions to ``out`` [rows, columns]; see ``trees.contribute``."""
        withheld = neutral.any(axis=1)
        if not withheld.any():
            contribute(rows, neutral, *self._trees.contribute, out)
        elif len(rows) == 1:
            self._add_alike(rows, neutral, out)
        else:
            self._add_by_set(rows, neutral, out)

    def _add_by_set(self, rows: Floats, neutral: Flags, out: Int64) -> None:
        sets = np.packbits(neutral, axis=1)
        keys = sets.view(np.dtype((np.void, sets.shape[1]))).ravel()
        _, which = np.unique(keys, return_inverse=True)
        order = np.argsort(which, kind="stable")
        for own in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
            part = np.zeros((len(own), out.shape[1]), np.int64)
            self._add_alike(np.ascontiguousarray(rows[own]), neutral[own], part)
            out[own] += part

    def _add_alike(self, rows: Floats, neutral: Flags, out: Int64) -> None:
        game = self._game(neutral[0], len(rows)) if neutral[0].any() else None
        if game is None:
            contribute(rows, neutral, *self._trees.contribute, out)
        else:
            contribute_alike(
                rows, game.allowed, game.places, *self._trees.contribute, game.known, game.found, out
            )

    def _game(self, neutral: Flags, rows: int) -> Game | None:
        """The game of a set that recurs; None for one that came seldom, or is too large to keep."""
        key = neutral.tobytes()
        with self._lock:
            if key in self._games:
                self._games.move_to_end(key)
                return self._games[key]
            came = self._came.pop(key, 0) + rows
            self._came[key] = came
            while len(self._came) > MOST_SEEN:
                self._came.popitem(last=False)
            return self._begin(key, neutral, came) if came >= ROWS_TO_KEEP else None

    def _begin(self, key: bytes, neutral: Flags, came: int) -> Game | None:
        game = game_of(self._trees, neutral)
        full = self.kept_bytes + game.size > self._most_bytes
        if game.size > self._most_bytes or (full and came < ROWS_TO_REPLACE):
            return None
        del self._came[key]
        self._games[key] = game
        while self.kept_bytes > self._most_bytes:
            self._games.popitem(last=False)
        return game
