"""The tree is that of RFC 6962: its known roots, and a plain recursion over all leaves as the oracle."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.log.tree import (
    EMPTY,
    Frontier,
    Node,
    Span,
    consistency,
    edge,
    inclusion,
    leaf_hash,
    nodes_of,
    span_hash,
)
from tests.serving.log.outsider import consistent, included

LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first one, two ... leaves: the vectors of Certificate Transparency's own tests."""


def naive(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = half(len(leaves))
    return sha256(b"\x01" + naive(leaves[:k]) + naive(leaves[k:])).digest()


def half(count: int) -> int:
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive(leaves[:k])]


def naive_proof(m: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive(leaves)]
    k = half(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole=whole), naive(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], whole=False), naive(leaves[:k])]


def grown(leaves: list[bytes]) -> tuple[Frontier, dict[Node, bytes]]:
    """The tree of some leaves, and all that is stored of it."""
    frontier, nodes = Frontier(), {}
    for place, leaf in enumerate(leaves):
        nodes[0, place] = leaf_hash(leaf)
        nodes.update({(level, at): root for level, at, root in frontier.append(leaf_hash(leaf))})
    return frontier, nodes


def hashes(nodes: dict[Node, bytes], spans: list[Span]) -> list[bytes]:
    """What is read is what is named."""
    return [span_hash({node: nodes[node] for node in nodes_of(span)}, span) for span in spans]


@pytest.mark.parametrize("count", range(len(LEAVES)))
def test_the_known_roots(count: int) -> None:
    assert grown(LEAVES[: count + 1])[0].root.hex() == ROOTS[count]


def test_the_empty_tree() -> None:
    assert Frontier().root == EMPTY == naive([])


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=70), st.data())
def test_roots_and_proofs_are_those_of_the_plain_recursion(leaves: list[bytes], data: st.DataObject) -> None:
    frontier, nodes = grown(leaves)
    size, place = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    first = data.draw(st.integers(1, size))
    assert frontier.root == naive(leaves)
    path, proof = hashes(nodes, inclusion(place, size)), hashes(nodes, consistency(first, size))
    assert path == naive_path(place, leaves)
    assert proof == naive_proof(first, leaves)
    assert included(leaves[place], place, size, path, frontier.root)
    assert consistent(first, size, proof, naive(leaves[:first]), frontier.root)


@given(st.lists(st.binary(max_size=3), min_size=2, max_size=40), st.data())
def test_a_proof_of_anything_else_fails(leaves: list[bytes], data: st.DataObject) -> None:
    frontier, nodes = grown(leaves)
    size, place = len(leaves), data.draw(st.integers(0, len(leaves) - 1))
    first = data.draw(st.integers(1, size - 1))
    path, proof = hashes(nodes, inclusion(place, size)), hashes(nodes, consistency(first, size))
    assert not included(leaves[place] + b"x", place, size, path, frontier.root)
    assert not included(leaves[place], place, size, path[:-1], frontier.root)
    assert not included(leaves[place], place, size, path, sha256(frontier.root).digest())
    assert not consistent(first, size, proof, sha256(b"other").digest(), frontier.root)
    assert not consistent(first, size, proof, naive(leaves[:first]), sha256(b"other").digest())


@pytest.fixture(scope="module")
def large() -> tuple[list[bytes], Frontier, dict[Node, bytes]]:
    """Three levels of tiles: a little over 256 x 256 leaves."""
    leaves = [place.to_bytes(4, "big") for place in range(65_536 + 300)]
    return leaves, *grown(leaves)


def test_a_large_tree_goes_on_from_its_edge_and_proves_from_few_nodes(large) -> None:
    leaves, whole, nodes = large
    size = len(leaves)
    for before in (255, 256, 257, 65_535, 65_536, 65_537, size):
        edges = {node: nodes[node] for span in edge(before) for node in nodes_of(span)}
        assert len(edges) < 3 * 256
        frontier = Frontier.of(before, edges)
        for leaf in leaves[before : before + 300]:
            frontier.append(leaf_hash(leaf))
        if frontier.size == size:
            assert frontier.root == whole.root
    for place in (0, 255, 256, 40_000, 65_535, 65_536, size - 1):
        spans = inclusion(place, size)
        assert len({node for span in spans for node in nodes_of(span)}) < 4 * 256
        assert included(leaves[place], place, size, hashes(nodes, spans), whole.root)
    edges = {node: nodes[node] for span in edge(65_537) for node in nodes_of(span)}
    early = Frontier.of(65_537, edges).root
    assert consistent(65_537, size, hashes(nodes, consistency(65_537, size)), early, whole.root)
