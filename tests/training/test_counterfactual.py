"""The smallest change in what a person can act on: against every combination, and within what was declared."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contracts.documents import BrokenDocument
from features.errors import Invalid
from features.matrix import Missing
from tests.training.engines import bundle_of
from tests.training.samples import made_sample, matrix_of
from training.actions import Action, Actions, ActionsFile, Move, read_actions
from training.bounds import greatest_score
from training.bundle import Scorer
from training.counterfactual import counterfactual
from training.portfolio import PORTFOLIOS, find_portfolio, load_portfolio

COLUMNS = made_sample(60).matrix.columns
FILE = ActionsFile(
    1,
    (
        Action("less", "降", "less up", {"up": Move(-0.4, least=-1.0)}),
        Action("more", "升", "more down", {"down": Move(0.5, most=1.5)}, effort=2.0),
        Action("calm", "静", "fewer", {"special": Move(-1.0, least=0.0), "gaps": Move(0.3, most=1.0)}),
    ),
)
ACTIONS = Actions(FILE, COLUMNS)
KINDS = pytest.mark.parametrize("kind", ["card", "booster", "blend"])


def rows(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """One row with some kinds of missing value."""
    matrix = made_sample(60, seed % 50).matrix
    g = np.random.default_rng(seed)
    row = int(g.integers(0, 60))
    missing = np.where(g.random(6) < 0.15, g.choice([1, 2, 3], 6), matrix.missing[row]).astype(np.uint8)
    return np.where(missing == 0, matrix.values[row], 0.0), missing


def every_state(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    limits = ACTIONS.limits(values, missing)
    return np.array(list(product(*(range(limit + 1) for limit in limits))), dtype=np.int64)


def scores_of(scorer: Scorer, values: np.ndarray, missing: np.ndarray, states: np.ndarray) -> np.ndarray:
    picked = [[column.name for column in COLUMNS].index(name) for name in scorer.columns]
    changed = ACTIONS.apply(values, missing, states)
    return scorer.log_odds(changed[:, picked], np.repeat(missing[None, :], len(states), axis=0)[:, picked])


@KINDS
@given(st.integers(0, 100_000))
@settings(max_examples=40, deadline=None)
def test_it_reaches_whatever_any_combination_reaches_at_nearly_the_least_effort(kind, seed) -> None:
    scorer = Scorer(bundle_of(kind), "")
    values, missing = rows(seed)
    states = every_state(values, missing)
    scores = scores_of(scorer, values, missing, states)
    most = int(np.quantile(scores, np.random.default_rng(seed).random() * 0.8))
    found = counterfactual(scorer, ACTIONS, values, missing, most)
    assert found.reached
    least = (states[scores <= most] @ ACTIONS.efforts).min()
    assert least <= found.effort <= least + 2.0
    if found.effort > 0:
        assert scores_of(scorer, values, missing, np.zeros((1, 3), dtype=np.int64))[0] > most


def test_it_finds_the_least_effort_almost_always() -> None:
    scorer, exact, tried = Scorer(bundle_of("blend"), ""), 0, 80
    for seed in range(tried):
        values, missing = rows(seed)
        states = every_state(values, missing)
        scores = scores_of(scorer, values, missing, states)
        most = int(np.quantile(scores, 0.3))
        found = counterfactual(scorer, ACTIONS, values, missing, most)
        exact += found.effort == (states[scores <= most] @ ACTIONS.efforts).min()
    assert exact >= 0.95 * tried


@KINDS
@given(st.integers(0, 100_000), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_it_keeps_to_what_was_declared_and_tells_the_scorers_own_score(kind, seed, grade) -> None:
    bundle = bundle_of(kind)
    scorer = Scorer(bundle, "")
    values, missing = rows(seed)
    most = greatest_score(bundle.scale, grade)
    found = counterfactual(scorer, ACTIONS, values.copy(), missing.copy(), most)
    after, at = values.copy(), {column.name: place for place, column in enumerate(COLUMNS)}
    for taken in found.taken:
        moves = next(action for action in FILE.actions if action.name == taken.name).moves
        for change in taken.changes:
            move = moves[change.feature]
            assert missing[at[change.feature]] == Missing.PRESENT
            assert change.before == values[at[change.feature]]
            assert (change.after - change.before) * move.step > 0
            assert (move.least is None) or change.after >= move.least
            assert (move.most is None) or change.after <= move.most
            after[at[change.feature]] = change.after
    picked = [at[name] for name in scorer.columns]
    scores = scorer.score(after[None, picked], missing[None, picked])
    assert (found.log_odds, found.pd, found.grade) == (scores.log_odds[0], scores.pd[0], scores.grade[0])
    assert found.reached == (found.log_odds <= most) == (found.grade <= grade)


def test_who_has_it_already_does_nothing_and_who_cannot_is_told_the_nearest() -> None:
    scorer = Scorer(bundle_of("card"), "")
    values, missing = rows(3)
    easy = counterfactual(scorer, ACTIONS, values, missing, 2**50)
    assert (easy.reached, easy.taken, easy.effort) == (True, (), 0.0)
    never = counterfactual(scorer, ACTIONS, values, missing, -(2**50))
    scores = scores_of(scorer, values, missing, every_state(values, missing))
    assert not never.reached
    assert never.log_odds == scores.min()
    silent = np.full(6, Missing.NOT_AUTHORISED, dtype=np.uint8)
    assert counterfactual(scorer, ACTIONS, np.zeros(6), silent, -(2**50)).taken == ()


def test_composed_columns_follow_their_parts() -> None:
    scorer = Scorer(bundle_of("card"), "")
    values, missing = rows(3)
    missing[:] = 0

    def recompose(rows: np.ndarray, kinds: np.ndarray) -> None:
        rows[:, 1] = -rows[:, 0]

    names = [column.name for column in COLUMNS]
    one = Actions(ActionsFile(1, FILE.actions[:1]), COLUMNS)
    found = counterfactual(scorer, one, values, missing, -(2**50), recompose)
    end = values.copy()
    end[0] = found.taken[0].changes[0].after
    end[1] = -end[0]
    picked = [names.index(name) for name in scorer.columns]
    assert scorer.score(end[None, picked], missing[None, picked]).log_odds[0] == found.log_odds


@pytest.mark.parametrize(
    ("moves", "problem"),
    [
        ({"height": Move(1, most=2)}, "no feature 'height'"),
        ({"kind": Move(1, most=2)}, "kind is a category"),
        ({"up": Move(0, most=2)}, "the step of up is 0"),
        ({"up": Move(1, least=2)}, "Write `most`"),
        ({"up": Move(-1, most=2)}, "Write `least`"),
        ({}, "moves nothing"),
    ],
)
def test_an_action_that_nobody_can_take_is_refused(moves, problem) -> None:
    with pytest.raises(Invalid, match=problem):
        Actions(ActionsFile(1, (Action("odd", "", "", moves),)), COLUMNS)


def test_a_file_of_another_schema_is_refused(tmp_path) -> None:
    path = tmp_path / "actions.yaml"
    path.write_text("schema: 2\nactions: []\n")
    with pytest.raises(BrokenDocument, match="schema 2"):
        read_actions(path, COLUMNS)


def test_the_citys_actions_touch_nothing_that_nobody_can_change() -> None:
    plan = load_portfolio(find_portfolio("city")).plan
    actions = read_actions(PORTFOLIOS / "city" / "actions.yaml", plan.columns)
    known = {column.name: column for column in plan.columns}
    moved = {name: move for action in actions.actions for name, move in action.moves.items()}
    for name, move in moved.items():
        column = known[name]
        assert not column.dataset.startswith(("population_register", "hh_", "village_")), name
        assert not name.endswith(("history", "tenure", "credit_age")), name
        assert move.step * column.sign <= 0, f"{name} would be moved to its riskier side"
        assert column.reason


def test_a_plan_recomposes_what_is_composed() -> None:
    plan = load_portfolio(find_portfolio("city")).plan
    at = {column.name: place for place, column in enumerate(plan.columns)}
    values = np.zeros((1, len(plan.columns)))
    missing = np.zeros((1, len(plan.columns)), dtype=np.uint8)
    values[0, at["req_amount"]], values[0, at["bank_inflow_sum_12m"]] = 30_000.0, 60_000.0
    plan.recompose(values, missing)
    assert values[0, at["request_to_inflow"]] == 0.5


def test_a_matrix_of_plain_columns_has_no_rows_to_move() -> None:
    matrix = matrix_of({"a": np.array([1.0, 2.0])})
    actions = Actions(ActionsFile(1, (Action("up", "", "", {"a": Move(1.0, most=1.0)}),)), matrix.columns)
    assert actions.limits(matrix.values[1], matrix.missing[1]).tolist() == [0]
    assert actions.apply(matrix.values[1], matrix.missing[1], np.array([[0], [3]]))[:, 0].tolist() == [
        2.0,
        2.0,
    ]
