"""Rows that reach every bin, code, line and leaf of a bundle, with the values on both sides of every bound.

They tell a processor that reads the bundle's document, SQL or a scorer of another hand, whether it reads it
as it was meant. A leaf that no row can reach (a path that contradicts itself) is left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, nextafter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from training.bundle import Bundle, Scorer

Floats = NDArray[np.float64]
Kinds = NDArray[np.uint8]
Int64 = NDArray[np.int64]

UNSEEN = -1.0
"""No category's code: those are not negative."""
SEED = 5


@dataclass(frozen=True, slots=True)
class Probes:
    """``values`` float64 [rows, columns] with ``missing`` uint8; ``unreached`` leaves that no row reaches."""

    values: Floats
    missing: Kinds
    unreached: int = 0


@dataclass(frozen=True, slots=True)
class _Trees:
    """Trees side by side, padded: arrays [trees, nodes]."""

    columns: Int64
    thresholds: Floats
    missing_left: NDArray[np.bool_]
    left: Int64
    right: Int64


def boundary_probes(bundle: Bundle) -> Probes:
    """Every value at which the score may turn, below, on and above it, and every kind of missing value.

    The k-th row holds the k-th value of each column: a row tells of many bounds at once. The leaves that
    are not reached in this way get rows of their own.
    """
    swept = _sweep([_turning(bundle, place) for place in range(len(bundle.columns))])
    return _with_leaves(bundle, swept)


def covering_probes(bundle: Bundle) -> Probes:
    """Few rows that reach every bin, code and leaf: enough to notice another point, leaf or table entry."""
    swept = _sweep([_inside(bundle, place) for place in range(len(bundle.columns))])
    return _with_leaves(bundle, swept)


def reached_leaves(scorer: Scorer, values: Floats, missing: Kinds) -> Int64:
    """The leaf of each tree that a row falls into, int64 [rows, trees]; neutral kinds count as absent."""
    return _leaves(_side_by_side(scorer.bundle), scorer.tree_inputs(values, missing))


def _turning(bundle: Bundle, place: int) -> list[tuple[float, int]]:
    """(value, kind of missing) of one column: each bound with its neighbours, each code, every kind."""
    bounds, codes = _bounds(bundle, place), _codes(bundle, place)
    if bundle.columns[place].kind == "category":
        values = [*codes, UNSEEN]
    else:
        near = [(nextafter(b, -inf), b, nextafter(b, inf)) for b in (*bounds, *codes)]
        values = [v for three in near for v in three if isfinite(v)] + _outside((*bounds, *codes))
    kinds = (Missing.NO_RECORD, Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED)
    return [(value, 0) for value in dict.fromkeys(values)] + [(0.0, int(kind)) for kind in kinds]


def _inside(bundle: Bundle, place: int) -> list[tuple[float, int]]:
    """(value, kind of missing): one value a bin, each code, and NO_RECORD."""
    codes = _codes(bundle, place)
    if bundle.columns[place].kind == "category":
        values = [*codes, UNSEEN]
    else:
        edges = bundle.bins[place].edges if bundle.bins else ()
        values = [*_outside(edges), *edges, *codes]
    return [(value, 0) for value in dict.fromkeys(values)] + [(0.0, int(Missing.NO_RECORD))]


def _bounds(bundle: Bundle, place: int) -> tuple[float, ...]:
    found = set(bundle.bins[place].edges) if bundle.bins else set()
    if not any(encoding.column == place for encoding in bundle.encodings):
        for tree in bundle.trees:
            found |= {t for c, t in zip(tree.columns, tree.thresholds, strict=True) if c == place}
    if bundle.lines:
        found.add(bundle.lines[place].centre)
    return tuple(sorted(found))


def _codes(bundle: Bundle, place: int) -> tuple[float, ...]:
    found = set(bundle.columns[place].absent_codes)
    found |= set(bundle.bins[place].codes) if bundle.bins else set()
    found |= {code for one in bundle.encodings if one.column == place for code in one.codes}
    return tuple(sorted(found))


def _outside(bounds: tuple[float, ...]) -> list[float]:
    return [min(bounds, default=0.0) - 1.0, max(bounds, default=0.0) + 1.0]


def _sweep(columns: list[list[tuple[float, int]]]) -> Probes:
    rows = max(map(len, columns))
    values, missing = np.zeros((rows, len(columns))), np.zeros((rows, len(columns)), dtype=np.uint8)
    for place, pairs in enumerate(columns):
        for row in range(rows):
            values[row, place], missing[row, place] = pairs[row % len(pairs)]
    return Probes(values, missing)


def _with_leaves(bundle: Bundle, swept: Probes) -> Probes:
    """The rows with those added that reach the leaves that they do not."""
    if not bundle.trees:
        return swept
    scorer, trees = Scorer(bundle, ""), _side_by_side(bundle)
    plain = (swept.missing <= Missing.NO_RECORD).all(axis=1)
    inputs = scorer.tree_inputs(swept.values[plain], swept.missing[plain])
    reached = {(tree, leaf) for row in _leaves(trees, inputs).tolist() for tree, leaf in enumerate(row)}
    wanted = [(t, leaf) for t, tree in enumerate(bundle.trees) for leaf in range(len(tree.leaves))]
    lacking = [one for one in wanted if one not in reached]
    rows = [row for tree, leaf in lacking if (row := _row_to(bundle, swept, tree, leaf)) is not None]
    if not rows:
        return Probes(swept.values, swept.missing, len(lacking))
    values, missing = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    chosen = []
    for number, row in enumerate(_leaves(trees, scorer.tree_inputs(values, missing)).tolist()):
        new = {(tree, leaf) for tree, leaf in enumerate(row)} - reached
        if new:
            chosen.append(number)
            reached |= new
    return Probes(
        np.vstack([swept.values, values[chosen]]),
        np.vstack([swept.missing, missing[chosen]]),
        len(set(wanted) - reached),
    )


def _row_to(bundle: Bundle, swept: Probes, tree: int, leaf: int) -> tuple[Floats, Kinds] | None:
    """A row that falls into that leaf, its other columns taken at random from the swept rows; None if none can."""
    at = np.random.default_rng((SEED, tree, leaf)).integers(0, len(swept.values), len(bundle.columns))
    everywhere = np.arange(len(bundle.columns))
    values, missing = swept.values[at, everywhere].copy(), swept.missing[at, everywhere].copy()
    neutral = missing > Missing.NO_RECORD
    values[neutral], missing[neutral] = 0.0, Missing.NO_RECORD
    for column, low, high, absent in _path(bundle, tree, leaf):
        found = _value_between(bundle, column, low, high)
        if found is None and not absent:
            return None
        values[column] = 0.0 if found is None else found
        missing[column] = Missing.NO_RECORD if found is None else Missing.PRESENT
    return values, missing


def _path(bundle: Bundle, number: int, leaf: int) -> list[tuple[int, float, float, bool]]:
    """(column, above, up to, whether an absent value passes) of the columns compared on the way to a leaf."""
    tree = bundle.trees[number]
    parent = {child: (node, True) for node, child in enumerate(tree.left)}
    parent |= {child: (node, False) for node, child in enumerate(tree.right)}
    found: dict[int, tuple[float, float, bool]] = {}
    child = -1 - leaf
    while child in parent:
        child, went_left = parent[child]
        column, bound = tree.columns[child], tree.thresholds[child]
        low, high, absent = found.get(column, (-np.inf, np.inf, True))
        low, high = (low, min(high, bound)) if went_left else (max(low, bound), high)
        found[column] = low, high, absent and tree.missing_left[child] == went_left
    return [(column, *bounds) for column, bounds in found.items()]


def _value_between(bundle: Bundle, column: int, low: float, high: float) -> float | None:
    """A value of the column that the trees read as above ``low`` and up to ``high``."""
    for encoding in bundle.encodings:
        if encoding.column == column:
            pairs = (*zip(encoding.codes, encoding.values, strict=True), (UNSEEN, encoding.other))
            return next((code for code, value in pairs if low < value <= high), None)
    absent = bundle.columns[column].absent_codes
    candidates = [high, nextafter(low, inf), low + 1.0, high - 1.0, 0.0]
    if np.isfinite(low) and np.isfinite(high):
        candidates += [low + (high - low) * share for share in (0.25, 0.5, 0.75)]
    for value in candidates:
        if np.isfinite(value) and low < value <= high and value not in absent:
            return float(value)
    return None


def _side_by_side(bundle: Bundle) -> _Trees:
    width = max((len(tree.columns) for tree in bundle.trees), default=1)

    def padded(name: str, kind: type) -> NDArray[Any]:
        out: NDArray[Any] = np.zeros((len(bundle.trees), width), dtype=kind)
        for place, tree in enumerate(bundle.trees):
            row = getattr(tree, name)
            out[place, : len(row)] = row
        return out

    return _Trees(
        padded("columns", np.int64), padded("thresholds", np.float64), padded("missing_left", np.bool_),
        padded("left", np.int64), padded("right", np.int64),
    )  # fmt: skip


def _leaves(trees: _Trees, inputs: Floats) -> Int64:
    """Leaf number [rows, trees]: all rows walk down all trees side by side."""
    every = np.arange(len(trees.columns))
    at = np.zeros((len(inputs), len(every)), dtype=np.int64)
    rows = np.arange(len(inputs))[:, None]
    for _ in range(trees.columns.shape[1]):
        node = np.maximum(at, 0)
        x = inputs[rows, trees.columns[every, node]]
        left = np.where(np.isnan(x), trees.missing_left[every, node], x <= trees.thresholds[every, node])
        down = np.where(left, trees.left[every, node], trees.right[every, node])
        at = np.where(at < 0, at, down)
    return -1 - at
