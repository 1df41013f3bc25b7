"""Down at once, up only after what the rules ask for."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.classes.tiers import Before, Conduct, class_after, segment_of, stage_after
from tests.serving.classes.rows import LOSSES, RECOVERY, values

NORMAL, MENTION, SUBSTANDARD, DOUBTFUL, LOSS = range(5)
RANKS, STAGES = st.integers(0, 4), st.integers(1, 3)


def after(
    raised: int, before: int, months: int = 0, periods: int = 0, *, restructured: bool = False, rule=RECOVERY
) -> int:
    conduct = Conduct(np.array([months]), np.array([periods]), np.array([restructured]))
    was = Before(np.array([before], dtype=np.int8), np.array([1], dtype=np.int8))
    return int(class_after(np.array([raised], dtype=np.int8), was, conduct, rule)[0])


def stage(raised: int, before: int, months: int) -> int:
    conduct = Conduct(np.array([months]), np.array([0]), np.array([False]))
    was = Before(np.array([0], dtype=np.int8), np.array([before], dtype=np.int8))
    return int(stage_after(np.array([raised], dtype=np.int8), was, conduct, RECOVERY)[0])


@pytest.mark.parametrize(
    ("months", "periods", "found"),
    [(0, 0, DOUBTFUL), (5, 9, DOUBTFUL), (6, 1, DOUBTFUL), (6, 2, SUBSTANDARD), (7, 3, SUBSTANDARD)],
)
def test_a_non_performing_loan_goes_up_after_six_months_and_two_payments_one_tier_at_a_time(
    months, periods, found
) -> None:
    assert after(NORMAL, DOUBTFUL, months, periods) == found


def test_where_the_rule_does_not_say_one_tier_it_goes_up_at_once() -> None:
    rule = msgspec.structs.replace(RECOVERY, one_tier=False)
    assert after(NORMAL, DOUBTFUL, 6, 2, rule=rule) == NORMAL
    assert after(NORMAL, DOUBTFUL, 5, 2, rule=rule) == DOUBTFUL


@pytest.mark.parametrize(
    ("months", "periods", "found"), [(11, 9, MENTION), (12, 1, MENTION), (12, 2, NORMAL), (13, 2, NORMAL)]
)
def test_a_restructured_loan_is_observed_a_year_and_two_payments(months, periods, found) -> None:
    assert after(NORMAL, MENTION, months, periods, restructured=True) == found
    assert after(NORMAL, NORMAL, months, periods, restructured=True) == found


def test_a_loan_at_special_mention_that_was_not_restructured_goes_up_when_nothing_is_said() -> None:
    assert after(NORMAL, MENTION) == NORMAL


@given(RANKS, st.integers(-1, 4), st.integers(0, 24), st.integers(0, 24), st.booleans())
def test_a_proposal_is_never_better_than_the_rules_nor_worse_than_both(
    raised, before, months, periods, restructured
) -> None:
    found = after(raised, before, months, periods, restructured=restructured)
    assert raised <= found <= max(raised, before, MENTION if restructured else 0)
    assert found >= before - 1


@given(RANKS, RANKS, st.integers(0, 24), st.integers(0, 24))
def test_more_months_without_arrears_never_make_a_class_worse(raised, before, months, periods) -> None:
    assert after(raised, before, months + 1, periods + 1) <= after(raised, before, months, periods)


@pytest.mark.parametrize(
    ("raised", "before", "months", "found"),
    [(1, 3, 5, 3), (1, 3, 6, 2), (1, 2, 2, 2), (1, 2, 3, 1), (3, 1, 99, 3), (2, 3, 6, 2), (1, -1, 0, 1)],
)
def test_a_stage_is_cured_step_by_step(raised, before, months, found) -> None:
    assert stage(raised, before, months) == found


@given(STAGES, STAGES, st.integers(0, 24))
def test_a_stage_is_never_better_than_the_rules(raised, before, months) -> None:
    assert raised <= stage(raised, before, months) <= max(raised, before)


def test_a_loan_belongs_to_the_first_segment_that_fits_and_else_to_the_last() -> None:
    found = segment_of(LOSSES.segments, values(limit_yuan=[1, 50_000, 50_001, float("nan")]))
    assert [LOSSES.segments[place].code for place in found] == ["small", "small", "rest", "rest"]
