"""Bins of one column, each with its weight of evidence.

Present values get at most twenty quantile bins, pooled until the bad rate is monotone (pool adjacent
violators) and neighbours differ (chi-square). NO_RECORD, every special code and every category have bins
of their own, which they share with nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.matrix import Column, ColumnKind, Missing

Floats = NDArray[np.float64]


FOLDS = 3
"""Parts between which a trend is chosen where none is declared."""


@dataclass(frozen=True, slots=True)
class BinSettings:
    """``prior`` is the number of average rows added to each bin, which shrinks small bins to nothing."""

    quantiles: int = 20
    tails: tuple[float, ...] = (0.01, 0.025, 0.975, 0.99, 0.995)
    chi_square: float = 3.84
    prior: float = 10.0
    max_categories: int = 50


@dataclass(frozen=True, slots=True)
class Binned:
    """``edges`` and ``woe`` of the present bins, ``no_record`` and ``codes`` with theirs (log-odds of bad).

    ``counts`` are goods and bads of the present bins, then of NO_RECORD, then of each code.
    """

    edges: tuple[float, ...]
    woe: tuple[float, ...]
    no_record: float
    codes: tuple[float, ...]
    code_woe: tuple[float, ...]
    counts: tuple[tuple[int, int], ...]
    iv: float

    def transform(self, values: Floats, missing: NDArray[np.uint8]) -> Floats:
        """Weight of evidence of each value; 0 for the neutral kinds."""
        out = np.array(self.woe)[np.searchsorted(np.array(self.edges), values, side="right")]
        for code, woe in zip(self.codes, self.code_woe, strict=True):
            out = np.where(values == code, woe, out)
        out = np.where(missing == Missing.NO_RECORD, self.no_record, out)
        return np.where(missing > Missing.NO_RECORD, 0.0, out)


def bin_column(
    column: Column,
    values: Floats,
    missing: NDArray[np.uint8],
    target: NDArray[np.int8],
    settings: BinSettings,
) -> Binned:
    """Bins of one column. The declared sign gives the trend; without one, held-out likelihood chooses
    between rising, falling and free.
    """
    present = missing == Missing.PRESENT
    codes = _own_codes(column, values[present], settings)
    plain = present & ~np.isin(values, codes)
    rate = float(target[missing <= Missing.NO_RECORD].mean()) if len(target) else 0.0
    edges: tuple[float, ...] = ()
    tallies = [_tally(target[plain])]
    if column.kind is ColumnKind.NUMERIC and plain.any():
        edges, tallies = _numeric(column, values[plain], target[plain], settings)
    tallies_of_codes = [_tally(target[present & (values == code)]) for code in codes]
    nothing = _tally(target[missing == Missing.NO_RECORD])
    counts = (*tallies, nothing, *tallies_of_codes)
    woes = [_woe(tally, rate, settings.prior) for tally in counts]
    split = len(tallies)
    return Binned(
        edges, tuple(woes[:split]), woes[split], codes, tuple(woes[split + 1 :]), counts, information_value(counts)
    )  # fmt: skip


def information_value(counts: tuple[tuple[int, int], ...]) -> float:
    """IV over bins of (goods, bads); an empty side of a bin counts as half a row."""
    goods = sum(good for good, _ in counts) or 1
    bads = sum(bad for _, bad in counts) or 1
    total = 0.0
    for good, bad in counts:
        if good + bad:
            a, b = max(good, 0.5) / goods, max(bad, 0.5) / bads
            total += (b - a) * float(np.log(b / a))
    return total


def pool_adjacent_violators(counts: list[tuple[int, int]], direction: int) -> list[int]:
    """Numbers of neighbouring bins to pool so that bad rates rise (+1) or fall (-1)."""
    blocks: list[list[int]] = []
    for good, bad in counts:
        blocks.append([good, bad, 1])
        while len(blocks) > 1 and direction * (_rate(blocks[-1]) - _rate(blocks[-2])) <= 0:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [block[2] for block in blocks]


def _rate(block: list[int]) -> float:
    return block[1] / max(block[0] + block[1], 1)


def _own_codes(column: Column, values: Floats, settings: BinSettings) -> tuple[float, ...]:
    if column.kind is ColumnKind.NUMERIC:
        return tuple(sorted(column.special_codes))
    codes, counts = np.unique(values, return_counts=True)
    common = np.argsort(-counts, kind="stable")[: settings.max_categories]
    return tuple(sorted(codes[common].tolist()))


def _numeric(
    column: Column, values: Floats, target: NDArray[np.int8], settings: BinSettings
) -> tuple[tuple[float, ...], list[tuple[int, int]]]:
    levels = np.union1d(np.linspace(0, 1, settings.quantiles + 1)[1:-1], settings.tails)
    edges = np.unique(np.quantile(values, levels, method="higher"))
    edges = edges[edges > values.min()]
    fine = _tallies(np.searchsorted(edges, values, side="right"), target, len(edges) + 1)
    if column.sign:
        return _pooled(edges, fine, column.sign, settings)
    parts = [
        _tallies(np.searchsorted(edges, values[k::FOLDS], side="right"), target[k::FOLDS], len(edges) + 1)
        for k in range(FOLDS)
    ]
    trend = max((1, -1, 0), key=lambda trend: _held_out(edges, parts, trend, settings))
    return _pooled(edges, fine, trend, settings)


def _held_out(edges: Floats, parts: list[list[tuple[int, int]]], trend: int, settings: BinSettings) -> float:
    """Log likelihood of each part under bins of the others: how a free trend pays for its freedom."""
    total = 0.0
    for held in range(len(parts)):
        others = [part for place, part in enumerate(parts) if place != held]
        fine = [(sum(b[0] for b in bins), sum(b[1] for b in bins)) for bins in zip(*others, strict=True)]
        cuts, tallies = _pooled(edges, fine, trend, settings)
        bads, rows = sum(b for _, b in tallies), sum(g + b for g, b in tallies)
        place = np.searchsorted(
            np.array(cuts), np.append(edges - 1e-12 * np.abs(edges), np.inf), side="right"
        )
        for (good, bad), at in zip(parts[held], place, strict=True):
            own_good, own_bad = tallies[min(int(at), len(tallies) - 1)]
            rate = (own_bad + settings.prior * bads / rows) / (own_good + own_bad + settings.prior)
            rate = min(max(rate, 1e-6), 1 - 1e-6)
            total += bad * float(np.log(rate)) + good * float(np.log1p(-rate))
    return total


def _pooled(
    edges: Floats, fine: list[tuple[int, int]], direction: int, settings: BinSettings
) -> tuple[tuple[float, ...], list[tuple[int, int]]]:
    tallies, kept, at = [], [], 0
    for size in pool_adjacent_violators(fine, direction) if direction else [1] * len(fine):
        block = fine[at : at + size]
        tallies.append((sum(good for good, _ in block), sum(bad for _, bad in block)))
        at += size
        kept.append(at)
    cuts = [float(edges[end - 1]) for end in kept[:-1]]
    while len(tallies) > 1:
        gaps = [_chi_square(a, b) for a, b in pairwise(tallies)]
        weakest = int(np.argmin(gaps))
        if gaps[weakest] >= settings.chi_square:
            break
        merged = tuple(a + b for a, b in zip(tallies[weakest], tallies[weakest + 1], strict=True))
        tallies[weakest : weakest + 2] = [merged]  # type: ignore[list-item]
        del cuts[weakest]
    return tuple(cuts), tallies


def _chi_square(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Pearson's statistic of the two-by-two table of two bins."""
    a, b, c, d = (*one, *other)
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    return 0.0 if margins == 0 else (a + b + c + d) * (a * d - b * c) ** 2 / margins


def _tallies(bins: NDArray[np.intp], target: NDArray[np.int8], count: int) -> list[tuple[int, int]]:
    all_rows = np.bincount(bins, minlength=count)
    bads = np.bincount(bins, weights=target, minlength=count).astype(int)
    return [(int(n - bad), int(bad)) for n, bad in zip(all_rows, bads, strict=True)]


def _tally(target: NDArray[np.int8]) -> tuple[int, int]:
    bad = int(target.sum())
    return len(target) - bad, bad


def _woe(tally: tuple[int, int], rate: float, prior: float) -> float:
    """Log-odds of bad against the sample's, shrunk by ``prior`` average rows."""
    good, bad = tally
    odds = (bad + prior * rate) / (good + prior * (1 - rate))
    return float(np.log(odds) - np.log(rate / (1 - rate)))
