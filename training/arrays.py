"""A bundle's document as the arrays of the compiled scorer."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from features.errors import Integrity
from training.documents import Bundle
from training.trees import MAX_NODES, tabulate


@dataclass(frozen=True, slots=True)
class TreeArrays:
    """Arguments of the compiled functions of ``trees``; ``base`` is the sum of the trees' bases."""

    contribute: tuple[NDArray[np.generic], ...]
    add_values: tuple[NDArray[np.generic], ...]
    base: int
    players: NDArray[np.int64]
    """How many columns each tree reads, [trees]."""
    columns: NDArray[np.uint64]
    """Which, [trees, MAX_NODES]; nought beyond them."""
    outcomes: int
    """Of the largest tree."""


def _padded(
    rows: list[tuple[float, ...]], kind: type, fill: float = 0, width: int | None = None
) -> NDArray[np.generic]:
    width = width or max((len(row) for row in rows), default=1) or 1
    out: NDArray[np.generic] = np.full((len(rows), width), fill, dtype=kind)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def card_arrays(bundle: Bundle) -> tuple[NDArray[np.generic], ...]:
    """Arrays for ``trees.add_points``."""
    bins = bundle.bins
    is_category = [int(column.kind == "category") for column in bundle.columns]
    counts = np.array([[len(b.edges), c] for b, c in zip(bins, is_category, strict=True)], dtype=np.int64)
    return (
        counts,
        _padded([b.edges for b in bins], np.float64),
        _padded([b.points for b in bins], np.int64),
        _padded([b.codes for b in bins], np.float64),
        _padded([b.code_points for b in bins], np.int64),
        np.array([b.no_record for b in bins], dtype=np.int64),
        np.array([len(b.codes) for b in bins], dtype=np.int64),
    )


def tree_arrays(bundle: Bundle) -> TreeArrays:
    """Arrays of the trees, the tables among them.

    Raises:
        Integrity: a tree is too large to be tabulated.
    """
    trees = bundle.trees
    if any(len(tree.columns) > MAX_NODES for tree in trees):
        raise Integrity(f"a tree has more than {MAX_NODES} comparisons.", place="model bundle")
    players = [tuple(dict.fromkeys(tree.columns)) for tree in trees]
    counts = np.array([len(tree.columns) for tree in trees], dtype=np.int64)
    sizes = np.array([len(columns) for columns in players], dtype=np.int64)
    seats = [tuple(own.index(c) for c in tree.columns) for tree, own in zip(trees, players, strict=True)]
    cover = np.ones((len(trees), MAX_NODES, 2))
    for place, tree in enumerate(trees):
        cover[place, : len(tree.cover)] = tree.cover
    left, right = _padded([t.left for t in trees], np.int64), _padded([t.right for t in trees], np.int64)
    leaves = _padded([t.leaves for t in trees], np.float64)
    player = _padded(seats, np.int64)  # type: ignore[arg-type]
    tables = np.zeros((len(trees), 1 << int(counts.max()), MAX_NODES), dtype=np.int64)
    bases = np.zeros(len(trees), dtype=np.int64)
    tabulate(counts, sizes, left, right, cover, leaves, player, _WEIGHTS, tables, bases)
    inputs, thresholds = (
        _padded([t.columns for t in trees], np.int64),
        _padded([t.thresholds for t in trees], np.float64, -np.inf, MAX_NODES),
    )
    absent_left = _padded([t.missing_left for t in trees], np.uint8)
    columns = _padded([tuple(map(float, own)) for own in players], np.uint64, width=MAX_NODES).astype(
        np.uint64
    )
    shared = (left, right, cover, leaves)
    return TreeArrays(
        (counts, sizes, _seats(bundle), thresholds, *shared, player, columns, _WEIGHTS, tables, bases),
        (counts, inputs, thresholds, absent_left, *shared),
        int(bases.sum()),
        sizes,
        columns,
        tables.shape[1],
    )


def _seats(bundle: Bundle) -> NDArray[np.generic]:
    """Where in a row that stands there twice each comparison reads: see ``trees.contribute``."""
    width = len(bundle.columns)
    rows: list[tuple[float, ...]] = [
        tuple(c + width * left for c, left in zip(tree.columns, tree.missing_left, strict=True))
        for tree in bundle.trees
    ]
    return _padded(rows, np.uint64, width=MAX_NODES)


def _shapley_weights() -> NDArray[np.float64]:
    """Weight of a coalition of k among n players: 1 / (n C(n-1, k))."""
    weights = np.zeros((MAX_NODES + 1, MAX_NODES + 1))
    for n in range(1, MAX_NODES + 1):
        for k in range(n):
            weights[n, k] = 1.0 / (n * comb(n - 1, k))
    return weights


_WEIGHTS = _shapley_weights()
