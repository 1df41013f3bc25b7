"""Tables of dated rows: what holds for a case on a day, for one case or for a million; and where nothing does.

A row covers a box: on each axis (product, segment, grade, term, day) one or more ranges of whole numbers. The axes
are cut where any row begins or ends, so that a table of any size is a small grid of cells, looked up by bisection.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Range = tuple[int, int]
"""First and last, both included."""
Box = tuple[tuple[Range, ...], ...]
"""Ranges by axis."""
NONE = -1
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension and the whole numbers that it has."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the grid that no row, or more than one, covers; ``rows`` are the places of those that do."""

    ranges: tuple[Range, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DatedTable(Generic[R]):
    """``edges`` are where the cells of each axis begin; ``count`` and ``pick`` have a place for each cell.

    ``pick`` is the row that holds there, ``NONE`` where none does.
    """

    rows: tuple[R, ...]
    boxes: tuple[Box, ...]
    axes: tuple[Axis, ...]
    edges: tuple[tuple[int, ...], ...]
    count: NDArray[np.int32]
    pick: NDArray[np.int32]

    def find(self, point: Sequence[int]) -> R | None:
        """The row that holds at a point."""
        place = self.place(point)
        return None if place == NONE else self.rows[place]

    def place(self, point: Sequence[int]) -> int:
        """The place of the row that holds at a point, ``NONE`` without one or outside of the axes."""
        cell = []
        for value, axis, edges in zip(point, self.axes, self.edges, strict=True):
            if not axis.first <= value <= axis.last:
                return NONE
            cell.append(bisect_right(edges, value) - 1)
        return int(self.pick[tuple(cell)])

    def places(self, points: Sequence[NDArray[np.int64]]) -> NDArray[np.int32]:
        """The same for [n] points, given axis by axis."""
        inside = np.ones(len(points[0]), dtype=bool)
        cells = []
        for values, axis, edges in zip(points, self.axes, self.edges, strict=True):
            inside &= (values >= axis.first) & (values <= axis.last)
            cells.append(np.maximum(np.searchsorted(np.array(edges), values, side="right") - 1, 0))
        return np.where(inside, self.pick[tuple(cells)], np.int32(NONE))

    def gaps(self, since: int, until: int) -> Iterator[Cell]:
        """Cells without a row, for days from ``since`` to ``until``; the last axis is that of days."""
        yield from self._cells(self.count == 0, since, until)

    def overlaps(self) -> Iterator[Cell]:
        """Cells with more than one row."""
        yield from self._cells(self.count > 1, self.axes[-1].first, self.axes[-1].last)

    @property
    def last_named_day(self) -> int:
        """The last day up to which any row holds; the axis' own end where one has none."""
        held = np.flatnonzero(self.count.any(axis=tuple(range(len(self.axes) - 1))))
        return self._range(len(self.axes) - 1, int(held[-1]))[1] if len(held) else self.axes[-1].first

    def _cells(self, wanted: NDArray[np.bool_], since: int, until: int) -> Iterator[Cell]:
        for cell in np.argwhere(wanted):
            ranges = tuple(self._range(axis, int(place)) for axis, place in enumerate(cell))
            first, last = max(ranges[-1][0], since), min(ranges[-1][1], until)
            if first <= last:
                point = [low for low, _ in ranges]
                rows = tuple(k for k, box in enumerate(self.boxes) if covers(box, point))
                yield Cell((*ranges[:-1], (first, last)), rows)

    def _range(self, axis: int, place: int) -> Range:
        edges = self.edges[axis]
        return edges[place], edges[place + 1] - 1 if place + 1 < len(edges) else self.axes[axis].last


def make_table(
    rows: Sequence[R], boxes: Sequence[Box], axes: Sequence[Axis], lowest: Callable[[R], int] | None = None
) -> DatedTable[R]:
    """A table of these rows. Where several hold the one with the ``lowest`` value is picked, else the last."""
    edges = tuple(_edges(axis, [box[k] for box in boxes]) for k, axis in enumerate(axes))
    shape = tuple(len(each) for each in edges)
    count, pick = np.zeros(shape, dtype=np.int32), np.full(shape, NONE, dtype=np.int32)
    order = list(range(len(rows)))
    if lowest is not None:
        order.sort(key=lambda place: (-lowest(rows[place]), -place))
    for place in order:
        cells = np.ix_(*(_covered(cuts, ranges) for cuts, ranges in zip(edges, boxes[place], strict=True)))
        count[cells] += 1
        pick[cells] = place
    return DatedTable(tuple(rows), tuple(boxes), tuple(axes), edges, count, pick)


def covers(box: Box, point: Sequence[int]) -> bool:
    """Whether a box holds a point."""
    return all(
        any(low <= value <= high for low, high in ranges) for ranges, value in zip(box, point, strict=True)
    )


def meet(left: Box, right: Box) -> bool:
    """Whether two boxes have a point in common."""
    return all(
        any(a <= d and c <= b for a, b in mine for c, d in other)
        for mine, other in zip(left, right, strict=True)
    )


def _edges(axis: Axis, ranges: Sequence[Sequence[Range]]) -> tuple[int, ...]:
    cuts = {cut for each in ranges for low, high in each for cut in (low, high + 1)}
    return (axis.first, *sorted(cut for cut in cuts if axis.first < cut <= axis.last))


def _covered(edges: tuple[int, ...], ranges: Sequence[Range]) -> NDArray[np.bool_]:
    starts = np.array(edges)
    covered = np.zeros(len(edges), dtype=bool)
    for low, high in ranges:
        covered |= (starts >= low) & (starts <= high)
    return covered
