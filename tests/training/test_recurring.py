"""What is kept of sets of withheld columns changes no bit of an answer, and is bounded.

The oracle plays every coalition of every tree from scratch, in the same order of sums: equal, not merely near.
"""

from __future__ import annotations

from math import comb

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import Missing
from tests.training.engines import bundle_of as engine
from tests.training.samples import made_sample
from tests.training.test_trees import COLUMNS, KINDS, bundle_of, made_tree
from training.arrays import TreeArrays, tree_arrays
from training.bundle import Scorer
from training.documents import Tree
from training.recurring import ROWS_TO_KEEP, ROWS_TO_REPLACE, Explainer, game_of

Ints = np.ndarray


def game(tree: Tree, players: list[int], x: np.ndarray, coalition: int) -> float:
    """Value of the tree for a coalition (bits of ``players``): others are averaged over by cover."""

    def below(node: int) -> float:
        if node < 0:
            return tree.leaves[-node - 1]
        left, right = below(tree.left[node]), below(tree.right[node])
        value = x[tree.columns[node]]
        if coalition >> players.index(tree.columns[node]) & 1:
            goes_left = tree.missing_left[node] if np.isnan(value) else value <= tree.thresholds[node]
            return left if goes_left else right
        a, b = tree.cover[node]
        return (left * a + right * b) / (a + b)

    return below(0)


def told(tree: Tree, x: np.ndarray, neutral: np.ndarray) -> Ints:
    """Contributions int64 [columns] of one tree, every coalition played anew."""
    players = list(dict.fromkeys(tree.columns))
    allowed = [bit for bit, column in enumerate(players) if not neutral[column]]
    whole = sum(1 << bit for bit in allowed)
    coalitions = [c for c in range(1 << len(players)) if c & ~whole == 0]
    values = {c: game(tree, players, x, c) for c in coalitions}
    shares = np.zeros(len(players))
    for bit in allowed:
        for c in coalitions:
            if not c >> bit & 1:
                weight = 1.0 / (len(allowed) * comb(len(allowed) - 1, c.bit_count()))
                shares[bit] += weight * (values[c | 1 << bit] - values[c])
    fixed = np.rint(shares).astype(np.int64)
    total = int(np.rint(values[whole])) - int(np.rint(game(tree, players, x, 0)))
    if allowed:
        fixed[int(np.argmax(np.abs(shares)))] += total - fixed.sum()
    out = np.zeros(COLUMNS, np.int64)
    for bit in allowed:
        out[players[bit]] = fixed[bit]
    return out


def asked(explainer: Explainer, rows: np.ndarray, neutral: np.ndarray) -> Ints:
    out = np.zeros(rows.shape, np.int64)
    explainer.add(rows, neutral, out)
    return out


def one_by_one(explainer: Explainer, rows: np.ndarray, neutral: np.ndarray) -> Ints:
    return np.vstack([asked(explainer, rows[[k]], neutral[[k]]) for k in range(len(rows))])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_row_gets_the_bits_of_every_coalition_played_anew_however_often_its_set_comes(seed) -> None:
    g = np.random.default_rng(seed)
    trees = tuple(made_tree(g) for _ in range(3))
    explainer = Explainer(tree_arrays(bundle_of(trees)))
    sets = (g.random((3, COLUMNS)) < 0.4).astype(np.uint8)
    which = g.integers(0, 3, 6)
    rows, neutral = g.integers(-1, 2, (6, COLUMNS)).astype(float), sets[which]
    rows[g.random(rows.shape) < 0.2] = np.nan
    expected = np.array(
        [sum(told(tree, x, own) for tree in trees) for x, own in zip(rows, neutral, strict=True)]
    )
    for _ in range(ROWS_TO_KEEP + 1):
        assert (one_by_one(explainer, rows, neutral) == expected).all()
    assert (asked(explainer, rows, neutral) == expected).all()
    assert (asked(Explainer(tree_arrays(bundle_of(trees))), rows, neutral) == expected).all()


def blend() -> tuple[TreeArrays, np.ndarray, np.ndarray]:
    """A trained booster, rows it has not seen, and for each the columns that are withheld."""
    bundle = engine("booster")
    chosen = made_sample(60, seed=9).matrix.select(tuple(column.name for column in bundle.columns))
    missing = np.random.default_rng(4).choice(KINDS, chosen.values.shape)
    inputs = Scorer(bundle, "").tree_inputs(chosen.values, missing)
    return tree_arrays(bundle), inputs, (missing > Missing.NO_RECORD).astype(np.uint8)


def test_batch_and_rows_agree_in_any_order_and_with_nothing_kept() -> None:
    trees, rows, neutral = blend()
    keeps, forgets = Explainer(trees), Explainer(trees, most_bytes=0)
    expected = asked(forgets, rows, neutral)
    order = np.random.default_rng(5).permutation(len(rows))
    for _ in range(2):
        assert (one_by_one(keeps, rows[order], neutral[order]) == expected[order]).all()
        assert (asked(keeps, rows, neutral) == expected).all()
    assert keeps.kept_bytes > 0
    assert forgets.kept_bytes == 0


def test_a_set_is_kept_from_its_third_row_on_and_computes_an_outcome_once() -> None:
    trees, rows, _ = blend()
    neutral = np.array([[1, 0, 0, 0, 0, 0]], np.uint8)
    explainer = Explainer(trees)
    for _ in range(ROWS_TO_KEEP - 1):
        asked(explainer, rows[:1], neutral)
    assert explainer.kept_bytes == 0
    asked(explainer, rows[:1], neutral)
    kept = explainer.kept_bytes
    assert kept == game_of(trees, neutral[0]).size
    (found,) = explainer._games.values()
    once = int(found.known.sum())
    assert once > 0
    asked(explainer, rows[:1], neutral)
    assert int(found.known.sum()) == once
    asked(explainer, rows, np.repeat(neutral, len(rows), axis=0))
    assert int(found.known.sum()) > once
    assert explainer.kept_bytes == kept


def test_what_is_kept_is_bounded_and_only_a_set_that_comes_often_replaces_another() -> None:
    trees, rows, _ = blend()
    first, second = np.eye(COLUMNS, dtype=np.uint8)[:2]
    explainer = Explainer(trees, most_bytes=max(game_of(trees, one).size for one in (first, second)))
    for _ in range(ROWS_TO_KEEP):
        asked(explainer, rows[:1], first[None])
    for count in range(1, ROWS_TO_REPLACE + 1):
        asked(explainer, rows[:1], second[None])
        (kept,) = explainer._games
        assert kept == (second if count == ROWS_TO_REPLACE else first).tobytes()
    assert explainer.kept_bytes == game_of(trees, second).size
