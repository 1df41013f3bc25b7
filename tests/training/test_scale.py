"""Grades against closed forms: bounds, tests and their power, the most prudent PD."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom, norm

from training.documents import MasterScale
from training.models import master_scale
from training.scale import (
    LARGEST_PD,
    LEVEL,
    UnsoundScale,
    check_scale,
    concentration,
    design_check,
    holm,
    jeffreys,
    most_prudent,
    power,
    shift_to,
    with_margin,
)

UPPER = master_scale().upper


def test_the_scale_in_force_is_sound() -> None:
    check_scale(master_scale())


@pytest.mark.parametrize(
    ("scale", "said"),
    [
        (MasterScale(UPPER[2:]), "8 grades before default"),
        (MasterScale((*UPPER[:3], UPPER[1], *UPPER[4:])), "do not rise to 1"),
        (MasterScale((*UPPER[:-1], 0.9)), "do not rise to 1"),
        (MasterScale(UPPER, 0.01), "no PD of the first grade"),
    ],
)
def test_an_unsound_scale_is_refused(scale, said) -> None:
    with pytest.raises(UnsoundScale, match=said):
        check_scale(scale)


def test_a_grade_that_holds_too_much_is_refused_when_the_scale_is_designed() -> None:
    even = np.array([(low + high) / 2 for low, high in zip((0.0005, *UPPER[:-1]), UPPER, strict=True)])
    design_check(master_scale(), even)
    with pytest.raises(UnsoundScale, match="grade 3 holds 33% of the book"):
        design_check(master_scale(), np.concatenate([even[:8], [0.007] * 3, even[8:9]]))


def test_the_fullest_grade_is_told_with_its_share() -> None:
    found = concentration(np.array([1, 2, 2, 2, 5]), 10)
    assert (found.grade, found.share, found.too_full) == (2, 0.6, True)


def test_holm_as_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_values_and_bonferronis_and_keeps_their_order(p_values) -> None:
    adjusted = holm(p_values)
    for raw, one in zip(p_values, adjusted, strict=True):
        assert raw <= one <= min(1.0, len(p_values) * raw) + 1e-15
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


@given(st.integers(1, 400), st.floats(0.002, 0.5), st.integers(1, 10))
@settings(max_examples=50, deadline=None)
def test_power_is_the_binomial_weight_of_the_counts_that_reject(rows, pd, tests) -> None:
    rejects = [jeffreys(bads, rows, pd) < LEVEL / tests for bads in range(rows + 1)]
    weight = binom.pmf(np.arange(rows + 1), rows, min(1.5 * pd, 1.0))
    assert power(rows, pd, tests) == pytest.approx(weight[np.array(rejects)].sum(), abs=1e-9)


def test_no_rows_have_no_power_and_many_have_all() -> None:
    assert power(0, 0.02) == 0.0
    assert power(200_000, 0.02, 10) > 0.999


def test_an_anchor_moves_the_odds_by_the_ratio_of_the_rates_odds() -> None:
    assert shift_to(0.05, 0.05) == 0.0
    assert np.exp(shift_to(0.05, 0.1)) == pytest.approx((0.1 / 0.9) / (0.05 / 0.95))


def test_a_downturn_adds_its_share_and_never_makes_a_default_certain() -> None:
    assert with_margin(np.array([0.02, 0.2, 0.9]), 0.2) == pytest.approx([0.024, 0.24, LARGEST_PD])


@pytest.mark.parametrize("rates", [(0.0, 0.1), (1.0, 0.1), (0.1, 0.0), (0.1, 1.0)])
def test_an_anchor_that_is_no_rate_is_refused(rates) -> None:
    with pytest.raises(UnsoundScale, match="an anchor without a rate"):
        shift_to(*rates)


def test_a_downturn_that_makes_pds_smaller_is_refused() -> None:
    with pytest.raises(UnsoundScale, match="margin of 0 or more"):
        with_margin(np.array([0.1]), -0.1)


def test_no_defaults_as_pluto_and_tasche_print_it() -> None:
    """Their example: 100, 400 and 300 obligors without a default; 1 - (1 - confidence)^(1/n)."""
    for confidence, printed in ((0.5, (0.0009, 0.0010, 0.0023)), (0.75, (0.0017, 0.0020, 0.0046)), (0.999, (0.0086, 0.0098, 0.0228))):  # fmt: skip
        found = most_prudent([100, 400, 300], [0, 0, 0], confidence=confidence)
        assert found == pytest.approx(printed, abs=6e-5)
        assert found == pytest.approx([1 - (1 - confidence) ** (1 / n) for n in (800, 700, 300)])


@pytest.mark.parametrize(("bads", "correlation"), [([0, 0, 0], 0.12), ([0, 2, 1], 0.12), ([0, 2, 1], 0.24)])
def test_correlated_defaults_hold_by_another_integration(bads, correlation) -> None:
    rows = [100, 400, 300]
    for place, pd in enumerate(most_prudent(rows, bads, confidence=0.75, correlation=correlation)):
        n, k = sum(rows[place:]), sum(bads[place:])

        def seen(y: float, pd: float = pd, n: int = n, k: int = k) -> float:
            hit = norm.cdf((norm.ppf(pd) - np.sqrt(correlation) * y) / np.sqrt(1 - correlation))
            return float(norm.pdf(y) * binom.cdf(k, n, hit))

        chance, _ = quad(seen, -9, 9, limit=400)
        assert chance == pytest.approx(0.25, abs=1e-6)


def test_a_common_factor_makes_the_bound_more_prudent() -> None:
    plain = most_prudent([100, 400, 300], [0, 2, 1])
    common = most_prudent([100, 400, 300], [0, 2, 1], correlation=0.12)
    assert all(one < other for one, other in zip(plain, common, strict=True))
    nearly = most_prudent([100, 400, 300], [0, 2, 1], correlation=1e-9)
    assert nearly == pytest.approx(plain, rel=1e-3)


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 5)), min_size=1, max_size=6), st.floats(0.5, 0.99)
)
@settings(max_examples=50, deadline=None)
def test_the_bound_holds_as_often_as_stated(grades, confidence) -> None:
    rows, bads = [n for n, _ in grades], [min(n, b) for n, b in grades]
    for place, pd in enumerate(most_prudent(rows, bads, confidence=confidence)):
        if pd < 1:
            chance = binom.cdf(sum(bads[place:]), sum(rows[place:]), pd)
            assert chance == pytest.approx(1 - confidence, abs=1e-6)


@pytest.mark.parametrize(("rows", "bads"), [([], []), ([10], [11]), ([10, 0], [0, 0]), ([10], [0, 1])])
def test_grades_that_bound_nothing_are_refused(rows, bads) -> None:
    with pytest.raises(UnsoundScale):
        most_prudent(rows, bads)
