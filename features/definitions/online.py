"""All programs of a plan as one, for the single request: one call of the kernel instead of one a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.definitions.program import WEIGHED, Program
from features.kernel import aggregate_packed, known_packed
from features.timeline.packed import TIMES, PackedTimeline, Shape

Int64 = NDArray[np.int64]


_MOST_KEPT = 4_096
"""Shapes, with what is left out of them, whose places are remembered."""


@dataclass(frozen=True, slots=True)
class OnlinePlan:
    """``programs``: dataset and fields of each; ``arrays``: what ``aggregate_packed`` takes after the moment."""

    programs: tuple[tuple[str, tuple[str, ...]], ...]
    arrays: tuple[Any, ...]
    kept: dict[Any, Int64 | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The place of each program's dataset in a shape, -1 where it is left out."""

    @staticmethod
    def make(programs: Sequence[Program]) -> OnlinePlan:
        """One plan of these programs."""
        pools = _Pools()
        bounds = [pools.add(program) for program in programs]
        return OnlinePlan(
            tuple((program.dataset, program.contract.names) for program in programs),
            (np.array(bounds, dtype=np.int64).reshape(-1, 13), *pools.arrays()),
        )

    def layout(self, packed: PackedTimeline, left_out: Collection[str]) -> Int64 | None:
        """Where each program's block lies; None if a block was packed under another contract."""
        asked = (packed.shape, frozenset(left_out))
        if asked not in self.kept:
            if len(self.kept) >= _MOST_KEPT:
                self.kept.clear()
            self.kept[asked] = self._places(packed.shape, left_out)
        places = self.kept[asked]
        if places is None:
            return None
        layout = np.full((len(places), 3), -1, dtype=np.int64)
        if not len(packed.rows):
            return layout
        layout[:, 0] = np.where(places < 0, -1, packed.starts[places])
        layout[:, 1] = packed.rows[places]
        layout[:, 2] = packed.shape.widths[places] - len(TIMES)
        return layout

    def _places(self, shape: Shape, left_out: Collection[str]) -> Int64 | None:
        wanted = [(name, fields) for name, fields in self.programs if name not in left_out]
        if any(shape.fields[name] != fields for name, fields in wanted):
            return None
        places = [-1 if name in left_out else shape.place[name] for name, _ in self.programs]
        return np.array(places, dtype=np.int64)

    def run(
        self,
        packed: PackedTimeline,
        layout: Int64,
        moment: int,
        out: NDArray[np.float64],
        missing: NDArray[np.uint8],
    ) -> None:
        """Fill the one row of ``out`` and ``missing``."""
        aggregate_packed(packed.data, layout, moment, *self.arrays, out, missing)


def known_datasets(tables: Mapping[str, Any], names: Iterable[str], moment: int) -> int:
    """How many of the named datasets hold a record that is known at the moment."""
    if isinstance(tables, PackedTimeline):
        places = np.array([tables.shape.place[name] for name in names], dtype=np.int64)
        layout = np.zeros((len(places), 3), dtype=np.int64)
        layout[:, 0], layout[:, 1] = tables.starts[places], tables.rows[places]
        known = np.zeros(len(places), dtype=np.uint8)
        known_packed(tables.data, layout, moment, known)
        return int(known.sum())
    return sum(bool(len(tables[name].visible(moment))) for name in names)


class _Pools:
    """The arrays of all programs, one after another."""

    def __init__(self) -> None:
        self._months: list[int] = []
        self._days: list[int] = []
        self._filters: list[int] = []
        self._conditions: list[tuple[int, ...]] = []
        self._wanted: list[int] = []
        self._slots: list[tuple[int, ...]] = []
        self._ops: list[tuple[int, ...]] = []
        self._divisors: list[float] = []

    def add(self, program: Program) -> list[int]:
        """Append a program; returns its bounds in the arrays."""
        field = [program.contract.names.index(name) for name in program.columns]
        tests = program.tests
        base = len(self._wanted)
        self._wanted += tests.wanted.tolist()
        conditions = [
            (field[at], test, base + first, count) for at, test, first, count in tests.conditions.tolist()
        ]
        slots = [
            (bit, field[at] if at >= 0 else at, grid, needs) for bit, at, grid, needs in program.whole_slots()
        ]
        ops = [
            (kind, slot, field[other] if kind in WEIGHED and other >= 0 else other, last, output)
            for kind, slot, other, last, output in program.ops
        ]
        self._divisors += program.divisors
        bounds: list[int] = []
        for pool, part in (
            (self._months, program.months), (self._days, program.days), (self._filters, tests.starts.tolist()),
            (self._conditions, conditions), (self._slots, slots), (self._ops, ops),
        ):  # fmt: skip
            pool_: list[Any] = pool
            bounds += [len(pool_), len(pool_) + len(part)]
            pool_ += part
        return [*bounds, int(program.open_end)]

    def arrays(self) -> tuple[Any, ...]:
        """The pools as arrays, in the kernel's order."""

        def whole(values: Sequence[Any], width: int = 0) -> Int64:
            array = np.array(values, dtype=np.int64)
            return array.reshape(-1, width) if width else array

        return (
            whole(self._months), whole(self._days), whole(self._filters), whole(self._conditions, 4),
            whole(self._wanted), whole(self._slots, 4), whole(self._ops, 5), np.array(self._divisors, dtype=np.float64),
        )  # fmt: skip
