"""A back-test counts what deciding every past application anew, one by one, would count."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.matrix import Missing
from serving.policy.evaluate import FactColumn, evaluate_whole
from serving.policy.model import Effect
from serving.policy.policy import Policy
from serving.swaps.compare import SCORE, Band, Past, Side, backtest
from tests.serving.policy.documents import drawn_policy, plain, policy_of, rule

YOUNG = rule("YOUNG", "decline", "any", ("age_years", "lt", 25))
DEBT = rule("DEBT", "refer", "any", ("bur_balance", "gt", 50_000))
CASES = st.lists(
    st.tuples(
        st.integers(18, 40), st.sampled_from([None, 0.0, 40_000.0, 60_000.0]), st.integers(1, 10), st.sampled_from([-1, 0, 1]),
        st.sampled_from([6, 24]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


def past_of(cases: list[tuple[int, float | None, int, int, int]]) -> tuple[Past, np.ndarray, np.ndarray]:
    """Applications, their grades and PDs."""
    age, debt, grade, outcome, term = (list(column) for column in zip(*cases, strict=True))
    count = len(cases)
    there = np.zeros(count, dtype=np.uint8)
    lacking = np.array([Missing.NO_RECORD if value is None else 0 for value in debt], dtype=np.uint8)
    facts = {
        "age_years": FactColumn(np.array(age, dtype=float), there),
        "bur_balance": FactColumn(np.array([value or 0.0 for value in debt]), lacking),
        "product": FactColumn(np.full(count, "consumer"), there),
        "term_months": FactColumn(np.array(term, dtype=float), there),
        "amount_fen": FactColumn(np.full(count, 1_000_000.0), there),
        "sources_with_record": FactColumn(np.full(count, 9.0), there),
    }
    grades = np.array(grade)
    return Past(facts, np.arange(count), np.array(outcome, dtype=np.int8)), grades, grades / 40


def one_by_one(policy: Policy, past: Past, grades: np.ndarray) -> list[tuple[str, str]]:
    """Outcome and first cause of each."""
    told = []
    for row, grade in enumerate(grades.tolist()):
        facts = {
            name: Missing(int(column.missing[row])) if column.missing[row] else column.values[row].item()
            for name, column in past.facts.items()
        }
        whole = evaluate_whole(policy, facts, grade, policy.settled_day)
        assert whole.outcome is not None
        struck = [r.rule.code for r in whole.results if r.effect is whole.effect is not Effect.PASS]
        by_rule = struck and ("approve", "refer", "decline")[whole.effect] == whole.outcome.value
        told.append((whole.outcome.value, struck[0] if by_rule else SCORE))
    return told


@given(
    CASES,
    st.sampled_from([(), (YOUNG,), (DEBT,), (YOUNG, DEBT)]),
    st.sampled_from([(), (YOUNG,), (DEBT, YOUNG)]),
)
def test_it_counts_what_deciding_one_by_one_counts(cases, first, second) -> None:
    before, after = (drawn_policy(*rules) for rules in (first, second))
    past, grades, pd = past_of(cases)
    found = backtest(
        past, Side(before, "m", pd, grades), Side(after, "m", pd, grades), Band(0.5, 2.0, "test")
    )
    was, is_ = one_by_one(before, past, grades), one_by_one(after, past, grades)
    moves = Counter((a, b) for (a, _), (b, _) in zip(was, is_, strict=True))
    assert {(m.before, m.after): m.expected.rows for m in found.moves} == dict(moves)
    for version, told in ((found.before, was), (found.after, is_)):
        counted = Counter(outcome for outcome, _ in told)
        assert (version.approved.rows, version.referred, version.declined) == (
            counted["approve"], counted["refer"], counted["decline"],
        )  # fmt: skip
    causes = [Counter(code for outcome, code in told if outcome != "approve") for told in (was, is_)]
    assert {r.code: (r.before, r.after) for r in found.reasons} == {
        code: (causes[0][code], causes[1][code]) for code in {*causes[0], *causes[1]}
    }
    for move in found.moves:
        rows = [
            k
            for k, pair in enumerate(zip(was, is_, strict=True))
            if (pair[0][0], pair[1][0]) == (move.before, move.after)
        ]
        seen = sum(past.outcome[k] == 1 for k in rows)
        open_ = sum(pd[k] for k in rows if past.outcome[k] < 0)
        assert move.expected.seen == seen
        assert move.expected.bads == pytest.approx(seen + open_, abs=1e-5)
        assert move.expected.low == pytest.approx(seen + 0.5 * open_, abs=1e-5)
        assert move.expected.high == pytest.approx(seen + 2.0 * open_, abs=1e-5)
        assert move.asked_fen == 1_000_000 * len(rows)


@given(CASES)
def test_the_same_policy_swaps_nobody(cases) -> None:
    policy = policy_of(YOUNG, DEBT)
    past, grades, pd = past_of(cases)
    side = Side(policy, "m", pd, grades)
    found = backtest(past, side, side, Band())
    assert found.moved(approved_after=True).rows == found.moved(approved_after=False).rows == 0
    assert found.before == found.after


def test_a_lower_cut_off_swaps_in_the_grade_that_it_lets_in_and_says_what_is_expected_of_it() -> None:
    cases = [(40, 0.0, 8, -1, 12), (40, 0.0, 8, 1, 12), (40, 0.0, 1, 0, 12), (20, 0.0, 8, -1, 12)]
    past, grades, pd = past_of(cases)
    tables, lower = plain()["tables"], plain()["tables"]
    for each, outcome in ((tables, "refer"), (lower, "approve")):
        next(row for row in each["cutoffs"] if row["id"] == "known-small")["outcome"] = outcome
    side = Side(policy_of(YOUNG, tables=tables), "m", pd, grades)
    found = backtest(
        past, side, Side(policy_of(YOUNG, tables=lower), "m", pd, grades), Band(1.0, 1.5, "test")
    )
    swapped = found.moved(approved_after=True)
    assert (swapped.rows, swapped.labelled, swapped.seen) == (2, 1, 1)
    assert (swapped.bads, swapped.low, swapped.high) == pytest.approx((1.2, 1.2, 1.3))
    assert found.moved(approved_after=False).rows == 0
    assert [(s.segment, s.approved_before, s.approved_after) for s in found.segments] == [("general", 1, 3)]
