"""Bins: monotone where they must be, missing and special codes on their own, IV as in the books."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.matrix import Column, ColumnKind, Missing
from training.binning import BinSettings, bin_column, information_value
from training.pooling import Trend, likeliest_blocks, pool

counts = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=7)


def present(rows: int) -> np.ndarray:
    return np.zeros(rows, dtype=np.uint8)


def isotonic(pairs: list[tuple[int, int]], direction: int) -> list[float]:
    """The best monotone rates by trying every way to pool neighbours (squared error, weights are rows)."""
    sizes = [good + bad for good, bad in pairs]
    best: tuple[float, list[float]] | None = None
    for cuts in (c for k in range(len(pairs)) for c in combinations(range(1, len(pairs)), k)):
        edges = [0, *cuts, len(pairs)]
        rates = []
        for start, end in pairwise(edges):
            rows, bads = sum(sizes[start:end]), sum(b for _, b in pairs[start:end])
            rates += [bads / max(rows, 1)] * (end - start)
        if all(direction * (b - a) >= 0 for a, b in pairwise(rates)):
            loss = sum(n * (b / n - r) ** 2 for (_, b), n, r in zip(pairs, sizes, rates, strict=True) if n)
            if best is None or loss < best[0] - 1e-12:
                best = (loss, rates)
    assert best is not None
    return best[1]


@given(counts.filter(lambda pairs: all(g + b for g, b in pairs)), st.sampled_from([-1, 1]))
@settings(max_examples=60, deadline=None)
def test_pooling_gives_the_best_monotone_rates_of_all_poolings(pairs, direction) -> None:
    at, rates = 0, []
    for size in likeliest_blocks(np.array(pairs), Trend(direction)):
        block = pairs[at : at + size]
        rates += [sum(b for _, b in block) / sum(g + b for g, b in block)] * size
        at += size
    assert at == len(pairs)
    assert rates == pytest.approx(isotonic(pairs, direction))


SHAPES = [trend for trend in Trend if trend is not Trend.FREE]


def follows(rates: list[float], trend: Trend) -> bool:
    """Whether some bin parts the rates into two halves of the trend's directions (one half for a sign)."""
    first = {Trend.RISING: 1, Trend.FALLING: -1, Trend.VALLEY: -1, Trend.PEAK: 1}[trend]
    steps = [first * (b - a) for a, b in pairwise(rates)]
    ends = [len(steps)] if abs(trend) == 1 else range(len(steps) + 1)
    return any(min(steps[:k], default=0) >= 0 and max(steps[k:], default=0) <= 0 for k in ends)


def blocks_of(pairs: list[tuple[int, int]], ends: list[int]) -> list[tuple[int, int]]:
    """Goods and bads of each block."""
    return [tuple(np.sum(pairs[a:b], axis=0).tolist()) for a, b in pairwise([0, *ends])]


def log_likelihood(blocks: list[tuple[int, int]]) -> float:
    """Of the outcomes under each block's bad rate."""
    return sum(k * np.log(k / (good + bad)) for good, bad in blocks for k in (good, bad) if k)


def rates_of(blocks: list[tuple[int, int]]) -> list[float]:
    return [bad / (good + bad) for good, bad in blocks]


@pytest.mark.parametrize("trend", SHAPES)
@given(counts.filter(lambda pairs: all(g + b for g, b in pairs)))
@settings(max_examples=60, deadline=None)
def test_no_way_to_pool_that_follows_the_trend_is_likelier(trend, pairs) -> None:
    inner = range(1, len(pairs))
    every = [
        blocks_of(pairs, [*cuts, len(pairs)]) for k in range(len(pairs)) for cuts in combinations(inner, k)
    ]
    best = max(log_likelihood(blocks) for blocks in every if follows(rates_of(blocks), trend))
    found = blocks_of(pairs, np.cumsum(likeliest_blocks(np.array(pairs), trend)).tolist())
    assert follows(rates_of(found), trend)
    assert log_likelihood(found) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("trend", SHAPES)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(any), min_size=1, max_size=25),
    st.floats(0.0, 8.0),
)
@settings(max_examples=60, deadline=None)
def test_the_trend_holds_whatever_the_counts_and_the_limit(trend, pairs, limit) -> None:
    ends, sums = pool(np.array(pairs), trend, limit)
    assert sums.tolist() == [list(block) for block in blocks_of(pairs, ends.tolist())]
    assert follows(rates_of(sums.tolist()), trend)


RISK = {
    Trend.RISING: lambda x: x, Trend.FALLING: lambda x: -x, Trend.VALLEY: lambda x: x**2 - 1, Trend.PEAK: lambda x: 1 - x**2,
}  # fmt: skip


def made_column(trend: Trend, seed: int) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    values = g.uniform(-2, 2, 3000)
    return values, (g.random(3000) < 1 / (1 + np.exp(1.0 - RISK[trend](values)))).astype(np.int8)


@pytest.mark.parametrize("trend", SHAPES)
def test_the_trend_of_the_risk_is_found_where_no_sign_is_declared_but_for_chance(trend) -> None:
    found = []
    for seed in range(40):
        binned = bin_column(Column("x", "made"), *_present(*made_column(trend, seed)), BinSettings())
        found.append(follows(list(binned.woe), trend))
        others = (Trend.RISING, Trend.FALLING) if abs(trend) > 1 else (Trend(-trend),)
        assert not any(follows(list(binned.woe), other) for other in others)
    assert np.mean(found) >= 0.9  # a freer trend that gains more than a standard error by chance is taken


def test_a_declared_sign_allows_no_turn() -> None:
    binned = bin_column(Column("x", "made", sign=1), *_present(*made_column(Trend.VALLEY, 0)), BinSettings())
    assert follows(list(binned.woe), Trend.RISING)


def _present(values: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return values, present(len(values)), target


def test_more_than_one_turn_stays_where_it_is_strong() -> None:
    g = np.random.default_rng(0)
    values = g.uniform(-3, 3, 6000)
    target = (g.random(6000) < 1 / (1 + np.exp(-2 * np.sin(3 * values)))).astype(np.int8)
    binned = bin_column(Column("x", "made"), values, present(6000), target, BinSettings())
    assert not any(follows(list(binned.woe), trend) for trend in SHAPES)


def by_hand(pairs: list[list[int]], limit: float) -> list[list[int]]:
    """Merge the two neighbours that differ least, again and again."""
    blocks = [list(pair) for pair in pairs]
    while len(blocks) > 1:
        gaps = []
        for (a, b), (c, d) in pairwise(blocks):
            margins = (a + b) * (c + d) * (a + c) * (b + d)
            gaps.append((a + b + c + d) * (a * d - b * c) ** 2 / margins if margins else 0.0)
        place = int(np.argmin(gaps))
        if gaps[place] >= limit:
            break
        blocks[place : place + 2] = [[x + y for x, y in zip(*blocks[place : place + 2], strict=True)]]
    return blocks


@given(counts, st.floats(0.0, 8.0))
@settings(deadline=None)
def test_neighbours_that_hardly_differ_are_merged_the_most_alike_first(pairs, limit) -> None:
    ends, sums = pool(np.array(pairs), 0, limit)
    assert sums.tolist() == by_hand(pairs, limit)
    assert ends[-1] == len(pairs)
    assert [np.sum(pairs[a:b], axis=0).tolist() for a, b in pairwise([0, *ends.tolist()])] == sums.tolist()


@given(counts)
def test_information_value_is_the_sum_over_bins_of_the_difference_of_shares_times_their_log_ratio(
    pairs,
) -> None:
    goods, bads = max(sum(g for g, _ in pairs), 1), max(sum(b for _, b in pairs), 1)
    expected = sum(
        (max(b, 0.5) / bads - max(g, 0.5) / goods) * np.log((max(b, 0.5) / bads) / (max(g, 0.5) / goods))
        for g, b in pairs
        if g + b
    )
    assert information_value(tuple(pairs)) == pytest.approx(expected)


def test_information_value_is_that_of_the_rows_in_their_bins_without_those_withheld() -> None:
    g = np.random.default_rng(4)
    rows = 2500
    values = np.where(g.random(rows) < 0.1, 96.0, g.normal(size=rows))
    missing = g.choice([0, 0, 0, 0, 1, 2], rows).astype(np.uint8)
    odds = np.where(missing == 1, 0.4, np.where(values == 96.0, 1.0, values)) - 1
    target = (g.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    values[missing > 0] = 0.0
    binned = bin_column(Column("x", "made", special_codes=(96.0,)), values, missing, target, BinSettings())
    seat = np.array([sum(value >= edge for edge in binned.edges) for value in values])
    seat[values == 96.0], seat[missing == 1] = 100, 101
    known = missing < 2
    goods, bads = seat[known & (target == 0)], seat[known & (target == 1)]
    shares = [((bads == k).mean(), (goods == k).mean()) for k in np.unique(seat[known])]
    assert len(shares) == len(binned.edges) + 3
    assert binned.iv == pytest.approx(sum((b - a) * np.log(b / a) for b, a in shares))


def test_information_value_agrees_with_optbinning_over_the_same_bins() -> None:
    optbinning = pytest.importorskip("optbinning", reason="a peer, not a dependency")
    g = np.random.default_rng(1)
    x = g.normal(size=2000)
    y = (g.random(2000) < 1 / (1 + np.exp(-x))).astype(np.int8)
    binned = bin_column(Column("x", "made", sign=1), x, present(2000), y, BinSettings())
    peer = optbinning.OptimalBinning(dtype="numerical", user_splits=list(binned.edges)).fit(x, y)
    assert binned.iv == pytest.approx(peer.binning_table.build().loc["Totals", "IV"], rel=1e-6)


@given(st.integers(0, 10_000), st.sampled_from([-1, 1]), st.integers(40, 400))
@settings(max_examples=40, deadline=None)
def test_a_declared_sign_holds_whatever_the_data_say(seed, sign, rows) -> None:
    g = np.random.default_rng(seed)
    values, target = g.normal(size=rows).round(1), (g.random(rows) < 0.3).astype(np.int8)
    target[:2] = 0, 1
    binned = bin_column(Column("x", "made", sign=sign), values, present(rows), target, BinSettings())
    rates = [b / (g_ + b) for g_, b in binned.counts[: len(binned.woe)]]
    assert all(sign * (b - a) > 0 for a, b in pairwise(rates))


def test_no_record_and_each_special_code_have_bins_that_they_share_with_nothing() -> None:
    values = np.array([1.0] * 40 + [2.0] * 40 + [96.0] * 30 + [98.0] * 20 + [0.0] * 50)
    missing = np.array([Missing.PRESENT] * 130 + [Missing.NO_RECORD] * 50, dtype=np.uint8)
    target = np.array([0, 1] * 20 + [0] * 40 + [1] * 30 + [0] * 20 + [0, 0, 0, 0, 1] * 10, dtype=np.int8)
    column = Column("x", "made", special_codes=(98.0, 96.0))
    binned = bin_column(column, values, missing, target, BinSettings())
    assert binned.codes == (96.0, 98.0)
    assert binned.counts[-3:] == ((40, 10), (0, 30), (20, 0))
    assert sum(g + b for g, b in binned.counts) == len(target)
    assert max(binned.edges, default=0.0) <= 2.0
    woe = binned.transform(np.array([96.0, 98.0, 0.0, 0.0]), np.array([0, 0, 1, 0], dtype=np.uint8))
    assert woe[0] == binned.code_woe[0]
    assert woe[1] == binned.code_woe[1]
    assert woe[2] == binned.no_record != woe[3]


def test_a_silent_source_and_a_missing_consent_weigh_nothing_and_teach_nothing() -> None:
    g = np.random.default_rng(3)
    values, target = g.normal(size=300), (g.random(300) < 0.3).astype(np.int8)
    column = Column("x", "made")
    plain = bin_column(column, values, present(300), target, BinSettings())
    masked = np.concatenate([present(300), np.full(200, Missing.SOURCE_DOWN, dtype=np.uint8)])
    more = bin_column(
        column,
        np.append(values, np.zeros(200)),
        masked,
        np.append(target, np.ones(200, np.int8)),
        BinSettings(),
    )
    assert more == plain
    kinds = np.array([Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED], dtype=np.uint8)
    assert (plain.transform(np.zeros(2), kinds) == 0.0).all()


def test_a_column_that_may_be_read_of_nobody_says_nothing() -> None:
    target = (np.random.default_rng(3).random(300) < 0.3).astype(np.int8)
    refused = np.full(300, Missing.NOT_AUTHORISED, dtype=np.uint8)
    binned = bin_column(Column("x", "made"), np.zeros(300), refused, target, BinSettings())
    assert (binned.woe, binned.no_record, binned.iv) == ((0.0,), 0.0, 0.0)


def test_every_common_category_has_a_bin_and_an_unseen_one_says_nothing() -> None:
    values = np.repeat([3.0, 7.0, 9.0], 50)
    target = np.array([0, 1] * 25 + [0] * 50 + [1] * 50, dtype=np.int8)
    binned = bin_column(Column("k", "made", ColumnKind.CATEGORY), values, present(150), target, BinSettings())
    assert binned.codes == (3.0, 7.0, 9.0)
    assert binned.edges == ()
    seen = binned.transform(np.array([7.0, 9.0, 1234.0]), present(3))
    assert seen[0] < seen[2] < seen[1]
    assert abs(seen[2]) < 1e-12


def test_a_small_bin_is_shrunk_towards_the_mean_and_a_large_one_hardly() -> None:
    weak = bin_column(*_two_codes(3), BinSettings()).code_woe
    strong = bin_column(*_two_codes(3000), BinSettings()).code_woe
    assert 0 < weak[1] - weak[0] < strong[1] - strong[0]


def _two_codes(each: int) -> tuple[Column, np.ndarray, np.ndarray, np.ndarray]:
    values = np.repeat([1.0, 2.0], each)
    target = np.concatenate([np.arange(each) % 3 == 0, np.arange(each) % 3 != 0]).astype(np.int8)
    return Column("k", "made", ColumnKind.CATEGORY), values, present(2 * each), target


@pytest.mark.parametrize("values", [np.zeros(60), np.full(60, 5.0)])
def test_a_constant_column_is_one_bin_without_information(values) -> None:
    target = np.arange(60) % 2
    binned = bin_column(Column("x", "made"), values, present(60), target.astype(np.int8), BinSettings())
    assert binned.edges == ()
    assert binned.iv == pytest.approx(0.0)


def test_a_column_that_nobody_has_is_one_bin_without_information() -> None:
    target = (np.arange(60) % 2).astype(np.int8)
    missing = np.full(60, Missing.NO_RECORD, dtype=np.uint8)
    binned = bin_column(Column("x", "made", sign=1), np.zeros(60), missing, target, BinSettings())
    assert binned.counts == ((0, 0), (30, 30))
    assert binned.iv == pytest.approx(0.0)
    assert binned.no_record == pytest.approx(0.0)
