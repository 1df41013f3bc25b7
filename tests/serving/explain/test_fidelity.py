"""REG-AA-05: a reason that is told is one that counted. Without it the score is better by just its part, and it is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import Missing
from serving.decisions.live import compile_live
from serving.explain.reasons import MOST, Explanation, Grouping, explain
from serving.policy.load import CITY, policy_from_yaml
from tests.serving.world import PLAN, scorecard

LIVE = compile_live(
    {"policy": "p", "definitions": "d", "bundle.risk": "b"},
    {"p": policy_from_yaml(CITY).data, "d": PLAN.document, "b": scorecard("risk")},
)
SCORER = LIVE.scorers["risk"]
ROWS = st.tuples(
    st.integers(0, 12),
    st.floats(0, 200_000),
    st.integers(0, 12),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


def told(values: Any, missing: Any) -> tuple[int, Explanation]:
    """Score and explanation of a row."""
    found = SCORER.score(values, missing)
    (groups,) = Grouping.of(SCORER.columns, LIVE.reason_of).groups(found.contributions)
    return int(found.log_odds[0]), explain(int(found.base), groups, LIVE.texts, MOST)


@given(ROWS)
@settings(deadline=None)
def test_without_a_named_factor_the_score_is_better_by_its_part_and_it_is_named_no_more(drawn) -> None:
    *numbers, absent = drawn
    values = np.array([numbers], dtype=float)
    missing = np.where(absent, Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)[None, :]
    values[missing > 0] = 0.0
    score, explanation = told(values, missing)
    shares = [reason.log_odds for reason in explanation.reasons]
    assert shares == sorted(shares, reverse=True)
    assert all(share > 0 for share in shares)
    assert explanation.base + sum(shares) + explanation.other == score
    for reason in explanation.reasons:
        at = [k for k, name in enumerate(SCORER.columns) if LIVE.reason_of[name] == reason.code]
        neutral, without = missing.copy(), values.copy()
        neutral[:, at], without[:, at] = Missing.SOURCE_DOWN, 0.0
        better, after = told(without, neutral)
        assert score - better == reason.log_odds
        assert reason.code not in {other.code for other in after.reasons}
        assert [r.code for r in after.reasons] == [
            r.code for r in explanation.reasons if r.code != reason.code
        ]


@given(st.integers(0, 12), st.integers(0, 12))
@settings(deadline=None)
def test_a_factor_that_gets_worse_never_lets_the_score_get_better(before: int, after: int) -> None:
    low, high = sorted((before, after))
    scores = [
        told(np.array([[late, 60_000.0, 12.0]]), np.zeros((1, 3), dtype=np.uint8))[0] for late in (low, high)
    ]
    assert scores[0] <= scores[1]
