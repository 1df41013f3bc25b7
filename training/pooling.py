"""Neighbouring bins made one: where the bad rate leaves its trend, and where it hardly differs.

Compiled, because choosing a trend does it a dozen times a column. All of it stands in this file, because a
cached caller elsewhere would go on using an old helper.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


class Trend(IntEnum):
    """How bad rates go along a column; ``RISING`` and ``FALLING`` are the signs that a column declares."""

    FREE = 0
    RISING = 1
    FALLING = -1
    VALLEY = 2
    """Falling, then rising: U-shaped. Each half may be empty, so that one turn is the most, not the least."""
    PEAK = -2
    """Rising, then falling."""


@njit(cache=True)  # type: ignore[untyped-decorator]
def _monotone(counts: Int64, direction: int) -> Int64:
    """Pool adjacent violators: the end of each block of ``counts`` [bins, (goods, bads)]."""
    good = np.zeros(len(counts), np.int64)
    bad = np.zeros(len(counts), np.int64)
    end = np.zeros(len(counts), np.int64)
    blocks = 0
    for place in range(len(counts)):
        good[blocks], bad[blocks], end[blocks] = counts[place, 0], counts[place, 1], place + 1
        blocks += 1
        while blocks > 1:
            last = bad[blocks - 1] / max(good[blocks - 1] + bad[blocks - 1], 1)
            before = bad[blocks - 2] / max(good[blocks - 2] + bad[blocks - 2], 1)
            if direction * (last - before) > 0:
                break
            good[blocks - 2] += good[blocks - 1]
            bad[blocks - 2] += bad[blocks - 1]
            end[blocks - 2] = end[blocks - 1]
            blocks -= 1
    return end[:blocks].copy()


@njit(cache=True)  # type: ignore[untyped-decorator]
def _log_likelihood(counts: Int64, ends: Int64) -> float:
    """Of the outcomes under each block's own bad rate."""
    total, start = 0.0, 0
    for end in ends:
        good, bad = 0, 0
        for place in range(start, end):
            good += counts[place, 0]
            bad += counts[place, 1]
        if good > 0 and bad > 0:
            total += good * np.log(good / (good + bad)) + bad * np.log(bad / (good + bad))
        start = end
    return total


@njit(cache=True)  # type: ignore[untyped-decorator]
def _turning(counts: Int64, first: int) -> Int64:
    """Blocks in the direction ``first`` up to a bin and in the other from there on: the likeliest of all turns.

    Given the turn the halves are independent, and pooling gives the likeliest blocks of each.
    """
    best, most = np.empty(0, np.int64), -np.inf
    for turn in range(1, max(len(counts), 2)):
        before, after = _monotone(counts[:turn], first), _monotone(counts[turn:], -first)
        ends = np.concatenate((before, after + turn))
        found = _log_likelihood(counts, ends)
        if found > most:
            best, most = ends, found
    return best


@njit(cache=True)  # type: ignore[untyped-decorator]
def _blocks(counts: Int64, trend: int) -> Int64:
    """The end of each of the likeliest blocks that follow the trend."""
    if trend == 0:
        return np.arange(1, len(counts) + 1)
    ends: Int64 = _monotone(counts, trend) if abs(trend) == 1 else _turning(counts, -trend // 2)
    return ends


@njit(cache=True)  # type: ignore[untyped-decorator]
def _pooled(counts: Int64, trend: int, limit: float) -> tuple[Int64, Int64]:
    """Ends and counts of the blocks that are left when every pair of neighbours reaches ``limit``."""
    ends = _blocks(counts, trend)
    sums = np.zeros((len(ends), 2), np.int64)
    start = 0
    for block in range(len(ends)):
        for place in range(start, ends[block]):
            sums[block, 0] += counts[place, 0]
            sums[block, 1] += counts[place, 1]
        start = ends[block]
    left = len(ends)
    while left > 1:
        weakest, least = 0, np.inf
        for block in range(left - 1):
            a, b = float(sums[block, 0]), float(sums[block, 1])
            c, d = float(sums[block + 1, 0]), float(sums[block + 1, 1])
            margins = (a + b) * (c + d) * (a + c) * (b + d)
            gap = 0.0 if margins == 0 else (a + b + c + d) * (a * d - b * c) ** 2 / margins
            if gap < least:
                weakest, least = block, gap
        if least >= limit:
            break
        sums[weakest] += sums[weakest + 1]
        ends[weakest] = ends[weakest + 1]
        for block in range(weakest + 1, left - 1):
            sums[block], ends[block] = sums[block + 1], ends[block + 1]
        left -= 1
    return ends[:left].copy(), sums[:left].copy()


def likeliest_blocks(counts: Int64, trend: Trend) -> list[int]:
    """Numbers of neighbouring bins to pool so that bad rates follow the trend and the outcomes are likeliest.

    ``counts`` int64 [bins, (goods, bads)].
    """
    ends: Int64 = _blocks(np.ascontiguousarray(counts, np.int64), int(trend))
    return [int(size) for size in np.diff(ends, prepend=0)]


def pool(counts: Int64, trend: int, chi_square: float) -> tuple[Int64, Int64]:
    """Bins pooled until they follow the trend and neighbours differ by Pearson's statistic.

    Pooling two neighbours puts a rate between theirs, which keeps any trend.

    Returns:
        The end of each block as a number of bins, and its counts int64 [blocks, (goods, bads)].
    """
    ends, sums = _pooled(np.ascontiguousarray(counts, np.int64), int(trend), chi_square)
    return ends, sums
