"""The Merkle tree of RFC 6962 over leaf hashes: roots, inclusion and consistency proofs.

A tree is read through *nodes*: the hash of one leaf (level 0), and at level 1, 2, ... the root of a full tile of 256
nodes of the level below. With tiles stored, a proof in a tree of a hundred million leaves reads about two thousand
hashes; without them it would read all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

TILE = 256
"""Nodes of one level under one node of the next."""
_TILE_BITS = 8
HASH_BYTES = 32
EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""
Node = tuple[int, int]
"""Level and place within it."""
Span = tuple[int, int]
"""Leaves from one place to before another."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf, told apart from that of a node."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees together."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Frontier:
    """The right edge of a growing tree: the roots of its full subtrees, the largest first."""

    size: int = 0
    _edge: list[tuple[int, bytes]] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add a leaf's hash; returns the tiles that it made full, as level, place and root."""
        height, full = 0, []
        while self._edge and self._edge[-1][0] == height:
            leaf = node_hash(self._edge.pop()[1], leaf)
            height += 1
            if height % _TILE_BITS == 0:
                full.append((height // _TILE_BITS, self.size >> height, leaf))
        self._edge.append((height, leaf))
        self.size += 1
        return full

    @property
    def root(self) -> bytes:
        """The root of the tree so far."""
        if not self._edge:
            return EMPTY
        root = self._edge[-1][1]
        for _, left in reversed(self._edge[:-1]):
            root = node_hash(left, root)
        return root

    @staticmethod
    def of(size: int, nodes: Mapping[Node, bytes]) -> Frontier:
        """The edge of a tree that is stored; ``nodes`` are those of ``edge(size)``."""
        spans = edge(size)
        return Frontier(size, [(_height(lo, hi), span_hash(nodes, (lo, hi))) for lo, hi in spans])


def edge(size: int) -> list[Span]:
    """The full subtrees of a tree, the largest first."""
    spans, lo = [], 0
    for bit in range(size.bit_length() - 1, -1, -1):
        if size >> bit & 1:
            spans.append((lo, lo + (1 << bit)))
            lo += 1 << bit
    return spans


def inclusion(place: int, size: int) -> list[Span]:
    """The subtrees whose hashes prove that a leaf stands in a tree, from the leaf upwards."""
    spans: list[Span] = []
    lo, hi = 0, size
    while hi - lo > 1:
        middle = lo + _half(hi - lo)
        if place < middle:
            spans.append((middle, hi))
            hi = middle
        else:
            spans.append((lo, middle))
            lo = middle
    return spans[::-1]


def consistency(first: int, second: int) -> list[Span]:
    """The subtrees whose hashes prove that the first ``first`` leaves of a tree are a tree that was seen before."""
    spans: list[Span] = []
    lo, hi, whole = 0, second, True
    while first < hi:
        middle = lo + _half(hi - lo)
        if first <= middle:
            spans.append((middle, hi))
            hi = middle
        else:
            spans.append((lo, middle))
            lo, whole = middle, False
    return spans[::-1] if whole else [(lo, hi), *spans[::-1]]


def nodes_of(span: Span) -> Iterator[Node]:
    """The nodes from which the hash of a subtree is made."""
    lo, hi = span
    level = _level(lo, hi)
    if level is not None:
        yield level, lo >> (_TILE_BITS * level)
        return
    middle = lo + _half(hi - lo)
    yield from nodes_of((lo, middle))
    yield from nodes_of((middle, hi))


def span_hash(nodes: Mapping[Node, bytes], span: Span) -> bytes:
    """The hash of a subtree from the nodes of ``nodes_of``."""
    lo, hi = span
    level = _level(lo, hi)
    if level is not None:
        return nodes[level, lo >> (_TILE_BITS * level)]
    middle = lo + _half(hi - lo)
    return node_hash(span_hash(nodes, (lo, middle)), span_hash(nodes, (middle, hi)))


def _half(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _height(lo: int, hi: int) -> int:
    return (hi - lo).bit_length() - 1


def _level(lo: int, hi: int) -> int | None:
    """The level at which a subtree is one node; None where it is put together."""
    count = hi - lo
    height = _height(lo, hi)
    return height // _TILE_BITS if count == 1 << height and height % _TILE_BITS == 0 else None
