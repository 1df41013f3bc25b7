"""All programs of a plan as one, for the single request: one call of the kernel instead of one a dataset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.definitions.program import WEIGHED, Program
from features.kernel import aggregate_packed, known_packed
from features.timeline.packed import PackedTimeline

Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OnlinePlan:
    """``programs``: dataset and fields of each; ``arrays``: what ``aggregate_packed`` takes after the moment."""

    programs: tuple[tuple[str, tuple[str, ...]], ...]
    arrays: tuple[Any, ...]

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
        rows = []
        for dataset, fields in self.programs:
            if dataset in left_out:
                rows.append((-1, 0, 0))
                continue
            part = packed.parts[dataset]
            if part.fields != fields:
                return None
            rows.append((part.start, part.rows, len(fields)))
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

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
        parts = [tables.parts[name] for name in names]
        layout = np.array([(part.start, part.rows, 0) for part in parts], dtype=np.int64).reshape(-1, 3)
        known = np.zeros(len(parts), dtype=np.uint8)
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
