"""Every figure against its definition, and its interval against a bootstrap or a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from tests.training.samples import brute_auc
from training.scale import holm
from training.validation import (
    Interval,
    Verdict,
    auc,
    auc_difference,
    book_test,
    by_grade,
    ece,
    ece_by_chance,
    evaluate,
    ks,
    log_loss,
    psi,
    psi_by_chance,
    roc,
)

scored = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(bad for bad, _ in rows) < len(rows)
)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([bad for bad, _ in rows], dtype=np.int8), np.array([s for _, s in rows], dtype=float)


def made(rows: int = 800, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    pd = g.beta(1.5, 8, rows)
    return (g.random(rows) < pd).astype(np.int8), pd


@given(scored)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows) -> None:
    target, score = arrays(rows)
    assert auc(target, score).value == pytest.approx(brute_auc(target, score))


@given(scored)
def test_ks_is_the_greatest_gap_over_every_threshold(rows) -> None:
    target, score = arrays(rows)
    gaps = [
        abs((score[target == 1] <= t).mean() - (score[target == 0] <= t).mean()) for t in np.unique(score)
    ]
    assert ks(target, score) == pytest.approx(max(gaps))


def test_delongs_interval_is_as_wide_as_a_bootstraps() -> None:
    target, pd = made()
    g = np.random.default_rng(0)
    draws = []
    for _ in range(600):
        rows = g.integers(0, len(target), len(target))
        draws.append(auc(target[rows], pd[rows]).value)
    found = auc(target, pd)
    assert found.high - found.low == pytest.approx(
        np.quantile(draws, 0.975) - np.quantile(draws, 0.025), rel=0.15
    )


def test_the_paired_interval_of_a_difference_is_as_wide_as_a_bootstraps() -> None:
    target, pd = made()
    other = pd + np.random.default_rng(1).normal(0, 0.05, len(pd))
    g = np.random.default_rng(0)
    draws = []
    for _ in range(600):
        rows = g.integers(0, len(target), len(target))
        draws.append(auc(target[rows], pd[rows]).value - auc(target[rows], other[rows]).value)
    found = auc_difference(target, pd, other)
    assert found.value == pytest.approx(auc(target, pd).value - auc(target, other).value)
    assert found.high - found.low == pytest.approx(
        np.quantile(draws, 0.975) - np.quantile(draws, 0.025), rel=0.15
    )
    assert found.high - found.low < auc(target, pd).high - auc(target, pd).low
    assert auc_difference(target, pd, pd) == Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_has_no_auc(outcome) -> None:
    target = np.full(5, outcome, dtype=np.int8)
    assert np.isnan(auc(target, np.arange(5.0)).value)
    assert np.isnan(auc_difference(target, np.arange(5.0), np.arange(5.0)).value)


def test_ece_is_the_mean_gap_of_ten_equal_bins() -> None:
    target, pd = made(1000)
    order = np.argsort(pd, kind="stable")
    gaps = [
        abs(pd[order[k : k + 100]].mean() - target[order[k : k + 100]].mean()) for k in range(0, 1000, 100)
    ]
    assert ece(target, pd) == pytest.approx(np.mean(gaps))


def test_the_calibration_error_by_chance_is_that_of_outcomes_drawn_from_the_predictions() -> None:
    _, pd = made(2000)
    g = np.random.default_rng(2)
    drawn = [ece((g.random(len(pd)) < pd).astype(np.int8), pd) for _ in range(200)]
    assert ece_by_chance(pd) == pytest.approx(np.mean(drawn), rel=0.05)


def test_the_psi_by_chance_is_exceeded_in_one_month_of_a_hundred() -> None:
    g = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    limit = psi_by_chance(2000, 300, 10)
    over = np.mean(
        [psi(g.multinomial(2000, shares), g.multinomial(300, shares)) > limit for _ in range(2000)]
    )
    assert 0.004 < over < 0.02


def test_psi_is_nothing_for_equal_shares_and_its_formula_elsewhere() -> None:
    assert psi(np.array([1.0, 3.0]), np.array([10.0, 30.0])) == 0.0
    expected = (0.5 - 0.25) * np.log(0.5 / 0.25) + (0.5 - 0.75) * np.log(0.5 / 0.75)
    assert psi(np.array([1.0, 3.0]), np.array([1.0, 1.0])) == pytest.approx(expected)


def test_jeffreys_p_value_of_a_grade_is_the_chance_that_its_rate_is_at_most_its_pd() -> None:
    target = np.array([1, 0, 0, 0, 1, 1], dtype=np.int8)
    pd, grade = np.array([0.1, 0.1, 0.1, 0.1, 0.6, 0.6]), np.array([1, 1, 1, 1, 3, 3])
    first, empty, third = by_grade(target, pd, grade, 3)
    assert first.p_value == pytest.approx(beta.cdf(0.1, 1.5, 3.5))
    assert (first.rows, first.bads, first.observed) == (4, 1, 0.25)
    assert (empty.rows, empty.p_value) == (0, 1.0)
    assert third.p_value == pytest.approx(beta.cdf(0.6, 2.5, 0.5))


def test_a_grade_is_told_too_low_only_by_a_p_value_over_all_grades_and_only_if_it_could_be_seen() -> None:
    """Of 400 rows at 10 % 60 bads are too many, 40 are not; of ten rows nothing can be told."""
    grade = np.repeat([1, 2, 3], [400, 400, 10])
    target = np.zeros(810, dtype=np.int8)
    target[:60] = target[400:440] = target[800:801] = 1
    found = by_grade(target, np.full(810, 0.1), grade, 4)
    verdicts = [one.verdict for one in found]
    assert verdicts == [Verdict.TOO_LOW, Verdict.HOLDS, Verdict.CANNOT_TELL, None]
    assert [one.p_adjusted for one in found[:3]] == holm([one.p_value for one in found[:3]])
    assert [one.share for one in found] == pytest.approx([400 / 810, 400 / 810, 10 / 810, 0])
    for one in found[:3]:
        assert one.interval.low < one.observed < one.interval.high
    assert found[3].interval is None


def test_the_book_is_tested_as_one_grade_and_needs_no_correction() -> None:
    target, pd = made()
    book = book_test(target, pd)
    assert (book.grade, book.rows, book.bads, book.share) == (0, len(target), int(target.sum()), 1.0)
    assert (
        book.p_adjusted
        == book.p_value
        == pytest.approx(beta.cdf(pd.mean(), target.sum() + 0.5, len(target) - target.sum() + 0.5))
    )


def test_log_loss_is_finite_at_the_ends() -> None:
    assert log_loss(np.array([1, 0], dtype=np.int8), np.array([0.5, 0.5])) == pytest.approx(np.log(2))
    assert np.isfinite(log_loss(np.array([1], dtype=np.int8), np.array([0.0])))


def test_an_evaluation_holds_every_figure_inside_its_interval_and_is_the_same_twice() -> None:
    target, pd = made()
    found = evaluate(target, pd, np.arange(len(pd)) // 2)
    for interval in (found.auc, found.ks, found.brier):
        assert interval.low <= interval.value <= interval.high
    assert found.predicted_over_actual == pytest.approx(pd.mean() / target.mean())
    assert found == evaluate(target, pd, np.arange(len(pd)) // 2)


def test_a_bootstrap_of_groups_is_wider_than_one_of_their_rows_as_if_independent() -> None:
    target, pd = made(400)
    target, pd = np.repeat(target, 5), np.repeat(pd, 5)
    grouped = evaluate(target, pd, np.repeat(np.arange(400), 5)).brier
    single = evaluate(target, pd, np.arange(2000)).brier
    assert grouped.high - grouped.low > 1.7 * (single.high - single.low)


@given(scored)
@settings(max_examples=30)
def test_a_roc_curve_goes_from_nothing_to_everything(rows) -> None:
    curve = roc(*arrays(rows))
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(curve.x) >= 0).all()
    assert (np.diff(curve.y) >= 0).all()
