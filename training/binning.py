"""Bins of one column, each with its weight of evidence.

Present values get some twenty quantile bins, pooled until the bad rate follows a trend (pool adjacent
violators) and neighbours differ (chi-square). NO_RECORD, every special code and every category have bins
of their own, which they share with nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.matrix import Column, ColumnKind, Missing
from training.pooling import Trend, pool

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]


FOLDS = 3
"""Parts between which a trend is chosen where none is declared."""
FREEDOMS = ((Trend.RISING, Trend.FALLING), (Trend.VALLEY, Trend.PEAK), (Trend.FREE,))
"""Trends that may be chosen, the plainest first: more freedom must gain more than its standard error."""


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

    ``counts`` are goods and bads of the present bins, then of NO_RECORD, then of each code. A scorecard that
    weighs bins puts its own points in the place of the evidence.
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
    among rising, falling, one turn (U-shaped, either way) and free.
    """
    present = missing == Missing.PRESENT
    codes = _own_codes(column, values[present], settings)
    plain = present & ~np.isin(values, codes)
    asked = missing <= Missing.NO_RECORD
    rate = float(target[asked if asked.any() else slice(None)].mean()) if len(target) else 0.0
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
    at = np.searchsorted(edges, values, side="right")
    fine = _tallies(at, target, len(edges) + 1)
    trend = column.sign
    if not trend:
        parts = np.stack([_tallies(at[k::FOLDS], target[k::FOLDS], len(edges) + 1) for k in range(FOLDS)])
        trend = _trend(parts, settings)
    ends, counts = pool(fine, trend, settings.chi_square)
    return tuple(edges[ends[:-1] - 1].tolist()), [(int(good), int(bad)) for good, bad in counts]


def _trend(parts: Int64, settings: BinSettings) -> Trend:
    """The plainest trend that no freer one clearly beats on held-out parts int64 [parts, bins, (goods, bads)]."""
    told = {trend: _held_out(parts, trend, settings) for one in FREEDOMS for trend in one}
    chosen = max(FREEDOMS[0], key=lambda trend: (parts * told[trend]).sum())
    for freer in FREEDOMS[1:]:
        best = max(freer, key=lambda trend: (parts * told[trend]).sum())
        gain = told[best] - told[chosen]
        total = (parts * gain).sum()
        if total > 0 and total**2 > (parts * gain**2).sum() - total**2 / parts.sum():
            chosen = best
    return chosen


def _held_out(parts: Int64, trend: int, settings: BinSettings) -> Floats:
    """Log likelihood of one good and one bad row of each bin [parts, bins, 2] under the bins of the other parts."""
    out = np.empty(parts.shape)
    for held, own in enumerate(parts):
        others = parts.sum(axis=0) - own
        ends, counts = pool(others, trend, settings.chi_square)
        average = counts[:, 1].sum() / max(counts.sum(), 1)
        rates = (counts[:, 1] + settings.prior * average) / (counts.sum(axis=1) + settings.prior)
        rate = np.clip(np.repeat(rates, np.diff(ends, prepend=0)), 1e-6, 1 - 1e-6)
        out[held, :, 0], out[held, :, 1] = np.log1p(-rate), np.log(rate)
    return out


def _tallies(bins: NDArray[np.intp], target: NDArray[np.int8], count: int) -> Int64:
    """Goods and bads [bins, 2]."""
    rows = np.bincount(bins, minlength=count)
    bads = np.bincount(bins, weights=target, minlength=count).astype(np.int64)
    return np.stack([rows - bads, bads], axis=1)


def _tally(target: NDArray[np.int8]) -> tuple[int, int]:
    bad = int(target.sum())
    return len(target) - bad, bad


def _woe(tally: tuple[int, int], rate: float, prior: float) -> float:
    """Log-odds of bad against the sample's, shrunk by ``prior`` average rows."""
    good, bad = tally
    odds = (bad + prior * rate) / (good + prior * (1 - rate))
    return float(np.log(odds) - np.log(rate / (1 - rate)))
