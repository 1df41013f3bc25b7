"""Expected loss against a plain loop, and what must hold whatever the loan."""

from __future__ import annotations

from dataclasses import replace
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.classes.losses import expected, exposure, hazard_of_horizons
from tests.serving.classes.rows import LOSSES, exposures, losses, staged

CHANCES = st.floats(0.0, 1.0, allow_subnormal=False)


@st.composite
def loans(draw):
    """A loan: what is due, of which the book may say more (overdue) or less (prepaid)."""
    lines = [
        (month, draw(st.integers(1, 200_000)))
        for month in sorted(draw(st.sets(st.integers(0, 30), max_size=8)))
    ]
    planned = sum(fen for _, fen in lines)
    balance = draw(st.one_of(st.just(planned), st.integers(0, 2 * planned + 50_000)))
    return {
        "balance": balance, "rate": draw(st.integers(0, 240_000)), "lgd": draw(st.integers(0, 1_000_000)),
        "stage": draw(st.integers(1, 3)), "lines": lines, "hazard": draw(st.lists(CHANCES, min_size=1, max_size=14)),
    }  # fmt: skip


def oracle(loan, rules, stage: int) -> int:
    """Month by month, scenario by scenario, as the page says it."""
    planned = sum(fen for _, fen in loan["lines"])
    ends = max([12, *(month + 1 for month, _ in loan["lines"])])
    bottom = 1 - (1 - rules.pd_floor_ppm / 1e6) ** (1 / 12)
    total = 0.0
    for one in rules.scenarios:
        lgd = min(loan["lgd"] / 1e6 * one.lgd_times_ppm / 1e6, 1.0)
        lost, alive = 0.0, 1.0
        for month in range({1: 12, 2: ends, 3: 0}[stage]):
            later = sum(fen for due, fen in loan["lines"] if due >= month)
            owed = max(loan["balance"] - planned, 0) + max(later - max(planned - loan["balance"], 0), 0)
            chance = max(loan["hazard"][min(month, len(loan["hazard"]) - 1)], bottom)
            chance = min(chance * one.pd_times_ppm / 1e6, 1.0)
            lost += alive * chance * owed * (1 + loan["rate"] / 1e6 / 12) ** -(month + 1)
            alive *= 1 - chance
        total += one.weight_ppm / 1e6 * lgd * (loan["balance"] if stage == 3 else lost)
    return min(floor(total + 0.5), loan["balance"])


@given(st.lists(loans(), min_size=1, max_size=4))
def test_the_columns_say_what_a_plain_loop_says(many) -> None:
    for stage in (1, 2, 3):
        found = expected(staged(exposures(many), stage), LOSSES).ecl
        for row, loan in enumerate(many):
            assert (
                abs(int(found[row]) - oracle(loan, LOSSES, stage)) <= 1
            )  # a tie at half a fen may fall either way


@given(loans())
def test_a_year_is_at_most_a_life_and_none_is_more_than_the_balance(loan) -> None:
    found = expected(exposures([loan]), LOSSES)
    assert 0 <= found.year[0] <= found.life[0] <= loan["balance"]
    assert 0 <= found.impaired[0] <= loan["balance"]


@given(loans(), st.integers(0, 300_000), CHANCES, st.integers(0, 50_000))
def test_more_chance_more_share_or_more_owed_never_lose_less(loan, share, chance, owed) -> None:
    before = expected(exposures([loan]), LOSSES)
    worse = [
        loan | {"lgd": min(loan["lgd"] + share, 1_000_000)},
        loan | {"hazard": [max(each, chance) for each in loan["hazard"]]},
        loan | {"balance": loan["balance"] + owed},
    ]
    for each in worse:
        after = expected(exposures([each]), LOSSES)
        for part in ("year", "life", "impaired"):
            assert getattr(after, part)[0] >= getattr(before, part)[0] - 1  # half a fen may fall either way


@given(loans())
def test_nothing_owed_loses_nothing(loan) -> None:
    found = expected(exposures([loan | {"balance": 0}]), LOSSES)
    assert (found.year[0], found.life[0], found.impaired[0]) == (0, 0, 0)


@given(loans(), st.integers(1, 999_999))
def test_scenarios_that_are_alike_weigh_nothing(loan, weight) -> None:
    base, other, _ = LOSSES.scenarios
    same = {"pd_times_ppm": base.pd_times_ppm, "lgd_times_ppm": base.lgd_times_ppm}
    split = [type(base)("base", weight, **same), type(other)("up", 1_000_000 - weight, **same)]
    one = expected(exposures([loan]), losses(scenarios=(type(base)("base", 1_000_000, **same),)))
    two = expected(exposures([loan]), losses(scenarios=tuple(split)))
    assert abs(one.life - two.life).max() <= 1


@given(loans())
def test_exposure_starts_at_the_balance_and_never_rises(loan) -> None:
    owed = exposure(exposures([loan]), 32)[0]
    assert owed[0] == loan["balance"]
    assert (np.diff(owed) <= 0).all()


@given(st.lists(CHANCES, min_size=3, max_size=3).map(sorted))
def test_monthly_chances_meet_the_given_horizons(pd) -> None:
    hazard = hazard_of_horizons((3, 6, 12), np.array([pd]), 24)
    alive = np.cumprod(1 - hazard[0])
    assert np.allclose(1 - alive[[2, 5, 11]], pd, atol=1e-9)
    assert (hazard[0, 12:] == hazard[0, 11]).all()


def test_many_loans_are_worked_out_in_parts_as_one_by_one() -> None:
    lines = [(month, 1_000 + month) for month in range(12)]
    plain = {"rate": 60_000, "lgd": 450_000, "stage": 2, "lines": lines, "hazard": [0.01, 0.02]}
    many = [plain | {"balance": 12_066 + row} for row in range(40)]
    whole = exposures(many)
    found = expected(whole, LOSSES)
    again = [expected(whole.part(row, row + 1), LOSSES) for row in range(40)]
    assert found.ecl.tolist() == [int(each.ecl[0]) for each in again]
    repeated = replace(whole, curve=np.zeros(40, dtype=np.int64))
    assert expected(repeated, LOSSES).ecl.tolist() == found.ecl.tolist()
