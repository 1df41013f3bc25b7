"""Trees in fixed point, and their exact Shapley values from tables.

A tree of at most seven comparisons has at most 128 outcomes. For each of them the contributions of its
columns are computed once, when the bundle is loaded; at run time a row costs its comparisons, one lookup
and a few additions, and the score is the sum of the contributions. The game is the one of path-dependent
TreeSHAP (Lundberg et al. 2020): a column that is not in the coalition is averaged over by training cover.
All compiled functions of this call chain stand in this file, because a cached caller elsewhere would go
on using an old helper.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.types import Array, float64, int64, uint8, uint64, void

MAX_NODES = 7
"""Comparisons of a tabulated tree: eight leaves."""

_I1 = Array(int64, 1, "C", readonly=True)
_I2 = Array(int64, 2, "C", readonly=True)
_F2 = Array(float64, 2, "C", readonly=True)
_U2 = Array(uint8, 2, "C", readonly=True)
_P2 = Array(uint64, 2, "C", readonly=True)


@njit(cache=True)
def _games(count, left, right, cover, leaves, player, outcome, allowed, below, value):
    """Fill ``value`` [nodes, coalitions]: the tree's game below each node, given the outcome of every comparison.

    Only coalitions of ``allowed`` players (bits) that stand ``below`` the node (itself included) are filled: others
    change nothing there.
    """
    for node in range(count - 1, -1, -1):
        l_node = left[node]
        r_node = right[node]
        l_below = below[l_node] if l_node >= 0 else 0
        r_below = below[r_node] if r_node >= 0 else 0
        own = 1 << player[node]
        within = (own & allowed) | l_below | r_below
        below[node] = within
        goes_left = (outcome >> node) & 1
        l_cover = cover[node, 0]
        r_cover = cover[node, 1]
        coalition = 0
        while True:
            l_value = leaves[-l_node - 1] if l_node < 0 else value[l_node, coalition & l_below]
            r_value = leaves[-r_node - 1] if r_node < 0 else value[r_node, coalition & r_below]
            if coalition & own:
                value[node, coalition] = l_value if goes_left else r_value
            else:
                value[node, coalition] = (l_value * l_cover + r_value * r_cover) / (l_cover + r_cover)
            coalition = (coalition - within) & within
            if coalition == 0:
                break


@njit(cache=True)
def _members(coalition):
    """How many of at most seven bits are set."""
    pairs = coalition - ((coalition >> 1) & 0x55)
    fours = (pairs & 0x33) + ((pairs >> 2) & 0x33)
    return (fours + (fours >> 4)) & 0x0F


@njit(cache=True)
def _shapley(
    count, players, left, right, cover, leaves, player, outcome, allowed, weights, below, value, out
):
    """Shapley values of the players in ``allowed`` (bits); the others are never in a coalition.

    Coalitions are taken in ascending order, ``(c - allowed) & allowed`` being the next after c, so that each sum has
    one order whatever is allowed.
    """
    _games(count, left, right, cover, leaves, player, outcome, allowed, below, value)
    games = value[0]
    size = _members(allowed)
    for bit in range(players):
        out[bit] = 0.0
    coalition = 0
    while coalition != allowed:
        weight = weights[size, _members(coalition)]
        rest = allowed & ~coalition
        for bit in range(players):
            if (rest >> bit) & 1:
                out[bit] += weight * (games[coalition | (1 << bit)] - games[coalition])
        coalition = (coalition - allowed) & allowed
    return games[0], games[allowed]


@njit(cache=True)
def _to_fixed(shares, players, total, fixed):
    """Round shares to integers that add up to ``total``; the residual goes to the largest."""
    largest = 0
    rest = total
    for bit in range(players):
        fixed[bit] = np.int64(np.rint(shares[bit]))
        rest -= fixed[bit]
        if abs(shares[bit]) > abs(shares[largest]):
            largest = bit
    fixed[largest] += rest


@njit(
    void(_I1, _I1, _I2, _I2, Array(float64, 3, "C", readonly=True), _F2, _I2, _F2, Array(int64, 3, "C"), Array(int64, 1, "C")),
    cache=True,
)  # fmt: skip
def tabulate(counts, players, left, right, cover, leaves, player, weights, tables, bases):
    """Fill ``tables`` [trees, outcomes, players] and ``bases`` [trees] with fixed-point contributions."""
    below = np.empty(MAX_NODES, np.int64)
    value = np.empty((MAX_NODES, 1 << MAX_NODES))
    shares = np.empty(MAX_NODES)
    for tree in range(len(counts)):
        n = counts[tree]
        d = players[tree]
        allowed = (1 << d) - 1
        for outcome in range(1 << n):
            start, end = _shapley(
                n, d, left[tree], right[tree], cover[tree], leaves[tree], player[tree], outcome, allowed, weights,
                below, value, shares,
            )  # fmt: skip
            bases[tree] = np.int64(np.rint(start))
            _to_fixed(shares, d, np.int64(np.rint(end)) - bases[tree], tables[tree, outcome])


@njit(cache=True)
def _outcome(twice, seats, thresholds):
    """Bits of the comparisons that go left, without a branch that a processor could guess wrong."""
    outcome = np.uint64(0)
    for node in range(MAX_NODES):
        outcome |= np.uint64(twice[seats[node]] <= thresholds[node]) << np.uint64(node)
    return outcome


@njit(
    void(_F2, _U2, _I1, _I1, _P2, _F2, _I2, _I2, Array(float64, 3, "C", readonly=True), _F2, _I2, _P2, _F2,
         Array(int64, 3, "C", readonly=True), _I1, Array(int64, 2, "C")),
    cache=True,
)  # fmt: skip
def contribute(
    rows, neutral, counts, players, seats, thresholds, left, right, cover, leaves, player, columns,
    weights, tables, bases, out,
):  # fmt: skip
    """Add every tree's contributions to ``out`` [rows, columns].

    ``rows`` float64 [rows, columns], NaN where absent. A column that is ``neutral`` in a row is left out of
    every coalition: it contributes exactly nothing, and the others share what remains. ``seats`` [trees,
    MAX_NODES] say where in the row that stands there twice a comparison reads: the second time what is absent
    goes left. Beyond a tree's comparisons the threshold is -inf, which nothing reaches, and its table is 0.
    """
    width = rows.shape[1]
    twice = np.empty(2 * width)
    below = np.empty(MAX_NODES, np.int64)
    value = np.empty((MAX_NODES, 1 << MAX_NODES))
    shares = np.empty(MAX_NODES)
    fixed = np.empty(MAX_NODES, np.int64)
    for row in range(rows.shape[0]):
        any_neutral = False
        for column in range(width):
            any_neutral |= neutral[row, column] == 1
            x = rows[row, column]
            twice[column] = x
            twice[width + column] = -np.inf if np.isnan(x) else x
        for tree in range(len(counts)):
            outcome = _outcome(twice, seats[tree], thresholds[tree])
            d = players[tree]
            allowed = (1 << d) - 1
            if any_neutral:
                for bit in range(d):
                    if neutral[row, columns[tree, bit]] == 1:
                        allowed &= ~(1 << bit)
            if allowed == (1 << d) - 1:
                for bit in range(MAX_NODES):
                    out[row, columns[tree, bit]] += tables[tree, outcome, bit]
            elif allowed != 0:
                _, end = _shapley(
                    counts[tree], d, left[tree], right[tree], cover[tree], leaves[tree], player[tree],
                    np.int64(outcome), allowed, weights, below, value, shares,
                )  # fmt: skip
                _to_fixed(shares, d, np.int64(np.rint(end)) - bases[tree], fixed)
                for bit in range(d):
                    if (allowed >> bit) & 1:
                        out[row, columns[tree, bit]] += fixed[bit]


@njit(
    void(_F2, _I1, _I1, _I1, _I1, _P2, _F2, _I2, _I2, Array(float64, 3, "C", readonly=True), _F2, _I2, _P2, _F2,
         Array(int64, 3, "C", readonly=True), _I1, Array(uint8, 2, "C"), Array(int64, 3, "C"), Array(int64, 2, "C")),
    cache=True,
)  # fmt: skip
def contribute_alike(
    rows, allowed, places, counts, players, seats, thresholds, left, right, cover, leaves, player, columns,
    weights, tables, bases, known, found, out,
):  # fmt: skip
    """``contribute`` for rows of which the same columns are neutral, keeping what was computed.

    ``allowed`` [trees] are the players of each tree that are not neutral (bits), ``places`` [trees] where a tree
    stands in ``found`` [places, outcomes, players], or -1 where all of its players are allowed. An outcome that is
    not yet ``known`` [places, outcomes] is computed as ``contribute`` would and stays.
    """
    width = rows.shape[1]
    twice = np.empty(2 * width)
    below = np.empty(MAX_NODES, np.int64)
    value = np.empty((MAX_NODES, 1 << MAX_NODES))
    shares = np.empty(MAX_NODES)
    fixed = np.empty(MAX_NODES, np.int64)
    for row in range(rows.shape[0]):
        for column in range(width):
            x = rows[row, column]
            twice[column] = x
            twice[width + column] = -np.inf if np.isnan(x) else x
        for tree in range(len(counts)):
            place = places[tree]
            if place >= 0 and allowed[tree] == 0:
                continue
            outcome = _outcome(twice, seats[tree], thresholds[tree])
            if place < 0:
                for bit in range(MAX_NODES):
                    out[row, columns[tree, bit]] += tables[tree, outcome, bit]
                continue
            if known[place, outcome] == 0:
                d = players[tree]
                _, end = _shapley(
                    counts[tree], d, left[tree], right[tree], cover[tree], leaves[tree], player[tree],
                    np.int64(outcome), allowed[tree], weights, below, value, shares,
                )  # fmt: skip
                _to_fixed(shares, d, np.int64(np.rint(end)) - bases[tree], fixed)
                for bit in range(d):
                    if (allowed[tree] >> bit) & 1:
                        found[place, outcome, bit] = fixed[bit]
                known[place, outcome] = 1
            for bit in range(MAX_NODES):
                out[row, columns[tree, bit]] += found[place, outcome, bit]


@njit(
    void(_F2, _U2, _I1, _I2, _F2, _U2, _I2, _I2, Array(float64, 3, "C", readonly=True), _F2, int64, Array(int64, 1, "C")),
    cache=True,
)  # fmt: skip
def add_values(
    rows, neutral, counts, inputs, thresholds, missing_left, left, right, cover, leaves, worst, out
):
    """Add the value of every tree to ``out`` [rows], without telling whose it is.

    At a comparison of a ``neutral`` column both branches count: averaged by training cover, which gives what
    ``contribute`` adds up to, or with ``worst`` 1 the riskier one: no value of the column could give more. Most rows
    meet no such column on their way down a tree, and only where one does are all of its nodes looked at.
    """
    value = np.empty(MAX_NODES)
    for row in range(rows.shape[0]):
        for tree in range(len(counts)):
            node = 0
            while node >= 0 and neutral[row, inputs[tree, node]] == 0:
                x = rows[row, inputs[tree, node]]
                to_left = missing_left[tree, node] == 1 if np.isnan(x) else x <= thresholds[tree, node]
                node = left[tree, node] if to_left else right[tree, node]
            if node < 0:
                out[row] += np.int64(np.rint(leaves[tree, -node - 1]))
                continue
            for node in range(counts[tree] - 1, -1, -1):
                l_place = left[tree, node]
                r_place = right[tree, node]
                l_value = leaves[tree, -l_place - 1] if l_place < 0 else value[l_place]
                r_value = leaves[tree, -r_place - 1] if r_place < 0 else value[r_place]
                column = inputs[tree, node]
                x = rows[row, column]
                if neutral[row, column] == 1:
                    l_cover = cover[tree, node, 0]
                    r_cover = cover[tree, node, 1]
                    if worst == 1:
                        value[node] = max(l_value, r_value)
                    else:
                        value[node] = (l_value * l_cover + r_value * r_cover) / (l_cover + r_cover)
                elif missing_left[tree, node] == 1 if np.isnan(x) else x <= thresholds[tree, node]:
                    value[node] = l_value
                else:
                    value[node] = r_value
            out[row] += np.int64(np.rint(value[0]))
