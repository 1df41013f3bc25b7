"""Tabulated trees against LightGBM, the shap package, and Shapley's formula over every coalition."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import Integrity
from features.matrix import FeatureMatrix, Missing
from tests.training.engines import bundle_of as engine
from tests.training.engines import few_trees
from tests.training.samples import made_sample
from training.boosting import Booster, tree_parts
from training.bundle import FIXED, Scorer
from training.documents import Bundle, BundleColumn, MasterScale, Tree
from training.inputs import encode

COLUMNS = 6


def data(rows: int = 700, seed: int = 0, gaps: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    x = g.normal(size=(rows, COLUMNS)).round(2)
    odds = x[:, 0] - x[:, 1] * (x[:, 2] > 0) + 0.5 * x[:, 3] ** 2 - 1
    x[g.random(x.shape) < gaps] = np.nan
    return x, (g.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)


def fitted(x: np.ndarray, y: np.ndarray, rounds: int = 20, **more: object) -> lgb.Booster:
    parameters = {"objective": "binary", "num_leaves": 8, "verbosity": -1, "deterministic": True, "num_threads": 1,
                  "min_data_in_leaf": 10, "boost_from_average": False, **more}  # fmt: skip
    return lgb.train(parameters, lgb.Dataset(x, label=y), rounds)


def scorer_of(*boosters: lgb.Booster) -> Scorer:
    booster = Booster(boosters, (), (), (0,) * COLUMNS, ("made",), np.empty(0))
    return Scorer(bundle_of(tree_parts(booster)), "")


def bundle_of(trees: tuple[Tree, ...]) -> Bundle:
    columns = tuple(BundleColumn(f"x{k}", "made", 0, "", "", "R") for k in range(COLUMNS))
    return Bundle(
        1,
        "made",
        "risk",
        "booster",
        "credit_approval",
        0,
        columns,
        MasterScale((1.0,)),
        "",
        "",
        0,
        trees=trees,
    )


def read(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gaps = np.isnan(x)
    return np.where(gaps, 0.0, x), np.where(gaps, Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
@pytest.mark.parametrize(
    "more", [{}, {"max_depth": 3}, {"use_missing": False}, {"zero_as_missing": False, "max_bin": 15}]
)
def test_scores_are_lightgbms_and_absent_values_go_where_lightgbm_sends_them(gaps, more) -> None:
    x, y = data(gaps=gaps)
    booster = fitted(x, y, **more)
    fresh, _ = data(400, seed=1, gaps=0.3)
    ours = scorer_of(booster).score(*read(fresh)).log_odds / FIXED
    assert ours == pytest.approx(booster.predict(fresh, raw_score=True), abs=1e-6)


def test_merged_boosters_score_their_mean() -> None:
    x, y = data()
    one, two = fitted(x[:350], y[:350]), fitted(x[350:], y[350:])
    ours = scorer_of(one, two).score(*read(x)).log_odds / FIXED
    mean = (one.predict(x, raw_score=True) + two.predict(x, raw_score=True)) / 2
    assert ours == pytest.approx(mean, abs=1e-6)


def test_contributions_are_those_of_lightgbm() -> None:
    x, y = data()
    booster = fitted(x, y)
    theirs = booster.predict(x, pred_contrib=True)
    scorer = scorer_of(booster)
    assert {way for tree in scorer.bundle.trees for way in tree.missing_left} == {True, False}
    scores = scorer.score(*read(x))
    assert scores.contributions / FIXED == pytest.approx(theirs[:, :-1], abs=1e-6)
    assert scores.base / FIXED == pytest.approx(theirs[0, -1], abs=1e-6)


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_contributions_are_those_of_the_shap_package(gaps) -> None:
    shap = pytest.importorskip("shap", reason="a development tool")
    x, y = data(gaps=gaps)
    booster = fitted(x, y)
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    explainer.model.model_type = "internal"  # else it asks LightGBM
    theirs = np.asarray(explainer.shap_values(x[:50], check_additivity=False))
    theirs = theirs[..., 1] if theirs.ndim == 3 else theirs
    ours = scorer_of(booster).score(*read(x[:50])).contributions / FIXED
    assert ours == pytest.approx(theirs, abs=1e-6)


def walk(tree: Tree, row: np.ndarray, known: frozenset[int], node: int = 0) -> float:
    """The tree's game: what is not known is averaged over by training cover."""
    if node < 0:
        return tree.leaves[-node - 1]
    left, right = tree.left[node], tree.right[node]
    column, (n_left, n_right) = tree.columns[node], tree.cover[node]
    if column in known:
        x = row[column]
        goes_left = tree.missing_left[node] if np.isnan(x) else x <= tree.thresholds[node]
        return walk(tree, row, known, left if goes_left else right)
    return (n_left * walk(tree, row, known, left) + n_right * walk(tree, row, known, right)) / (
        n_left + n_right
    )


def shapley(trees: tuple[Tree, ...], row: np.ndarray, players: list[int]) -> np.ndarray:
    """Shapley's formula, coalition by coalition."""
    out = np.zeros(COLUMNS)
    n = len(players)
    for player in players:
        others = [one for one in players if one != player]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for coalition in combinations(others, size):
                inside = frozenset(coalition)
                gain = sum(walk(t, row, inside | {player}) - walk(t, row, inside) for t in trees)
                out[player] += weight * gain
    return out


def test_contributions_are_shapleys_formula_over_every_coalition() -> None:
    x, y = data()
    scorer = scorer_of(fitted(x, y, rounds=4))
    values, missing = read(x[:12])
    ours = scorer.score(values, missing).contributions
    for row in range(12):
        expected = shapley(scorer.bundle.trees, x[row], list(range(COLUMNS)))
        assert ours[row] == pytest.approx(expected, abs=10), row


def test_a_silent_source_is_in_no_coalition_and_the_others_share_what_remains() -> None:
    x, y = data()
    scorer = scorer_of(fitted(x, y, rounds=4))
    values, missing = read(x[:8])
    silent = [0, 3]
    missing[:, silent] = [Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED]
    scores = scorer.score(np.where(missing == 0, values, 0.0), missing)
    speaking = [k for k in range(COLUMNS) if k not in silent]
    for row in range(8):
        expected = shapley(scorer.bundle.trees, x[row], speaking)
        assert scores.contributions[row] == pytest.approx(expected, abs=10), row
    assert not scores.contributions[:, silent].any()


KINDS = np.array([0, 0, 0, 1, 2, 3], dtype=np.uint8)
"""Half present, the others absent for each reason."""


def made_tree(g: np.random.Generator) -> Tree:
    """One to seven comparisons of four columns, so that columns come back, on thresholds that values hit."""
    count = int(g.integers(1, 8))
    sides: tuple[list[int], list[int]] = ([0] * count, [0] * count)
    ends: list[tuple[list[int], int]] = []
    for node in range(count):
        if node:
            side, parent = ends.pop(int(g.integers(len(ends))))
            side[parent] = node
        ends += [(sides[0], node), (sides[1], node)]
    for leaf, (side, parent) in enumerate(ends):
        side[parent] = -leaf - 1
    return Tree(
        tuple(g.integers(0, 4, count).tolist()), tuple(g.integers(-1, 2, count).astype(float).tolist()),
        tuple((g.random(count) < 0.5).tolist()), tuple(sides[0]), tuple(sides[1]),
        tuple((int(a), int(b)) for a, b in g.integers(1, 60, (count, 2))), tuple((g.normal(size=count + 1) * FIXED).tolist()),
    )  # fmt: skip


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_any_small_trees_give_shapleys_values_whatever_is_absent_or_withheld(seed) -> None:
    g = np.random.default_rng(seed)
    scorer = Scorer(bundle_of(tuple(made_tree(g) for _ in range(3))), "")
    missing = g.choice(KINDS, (5, COLUMNS))
    x = np.where(missing == Missing.PRESENT, g.integers(-1, 2, missing.shape), np.nan)
    scores = scorer.score(np.nan_to_num(x), missing)
    for row in range(len(x)):
        speaking = np.flatnonzero(missing[row] <= Missing.NO_RECORD).tolist()
        expected = shapley(scorer.bundle.trees, x[row], speaking)
        assert scores.contributions[row] == pytest.approx(expected, abs=15), row
        reached = sum(walk(tree, x[row], frozenset(speaking)) for tree in scorer.bundle.trees)
        assert scores.log_odds[row] == pytest.approx(reached, abs=15)


def with_categories() -> FeatureMatrix:
    """Rows that no tree has seen; the category has an unknown code among its own."""
    matrix = made_sample(200, seed=9).matrix
    values = matrix.values.copy()
    values[::7, 4] = 77.0
    return FeatureMatrix(matrix.columns, values, matrix.missing)


def test_contributions_of_categories_are_those_of_lightgbm_for_their_numbers() -> None:
    matrix, fitted = with_categories(), few_trees()
    inputs = encode(matrix, fitted.encodings, fitted.signs)
    theirs = np.mean([one.predict(inputs, pred_contrib=True) for one in fitted.boosters], axis=0)
    scores = Scorer(engine("booster"), "").score(matrix.values, matrix.missing)
    assert scores.contributions / FIXED == pytest.approx(theirs[:, :-1], abs=1e-6)
    assert scores.base / FIXED == pytest.approx(theirs[0, -1], abs=1e-6)
    assert len(np.unique(scores.contributions[:, 4])) > 4


def test_contributions_beside_withheld_categories_are_shapleys_formula() -> None:
    matrix, scorer = with_categories(), Scorer(engine("booster"), "")
    missing = np.random.default_rng(2).choice(KINDS, (12, COLUMNS))
    inputs = scorer.tree_inputs(matrix.values[:12], missing)
    scores = scorer.score(matrix.values[:12], missing)
    assert set(missing[:, 4]) == {0, 1, 2, 3}
    for row in range(12):
        speaking = np.flatnonzero(missing[row] <= Missing.NO_RECORD).tolist()
        expected = shapley(scorer.bundle.trees, inputs[row], speaking)
        assert scores.contributions[row] == pytest.approx(expected, abs=60), row


def test_a_tree_that_is_too_large_to_be_tabulated_is_refused() -> None:
    x, y = data()
    trees = tree_parts(Booster((fitted(x, y, num_leaves=16),), (), (), (0,) * COLUMNS, ("big",), np.empty(0)))
    with pytest.raises(Integrity, match="more than 7 comparisons"):
        Scorer(bundle_of(trees), "")


def test_a_value_on_a_threshold_goes_left() -> None:
    tree = Tree((2,), (1.5,), (False,), (-1,), (-2,), ((1, 1),), (-5.0, 7.0))
    scorer = Scorer(bundle_of((tree,)), "")
    x = np.zeros((3, COLUMNS))
    x[:, 2] = 1.5, np.nextafter(1.5, 2), np.nan
    assert scorer.score(*read(x)).log_odds.tolist() == [-5, 7, 7]
