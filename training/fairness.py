"""Whether a model treats groups alike: groups are read to test, never to train (REG-FA-01 to REG-FA-05).

Every figure is a function of sums over rows, so that its interval comes from drawing whole groups of rows
(households) again: the rows of one household are not independent. Protected attributes are read for the
purpose ``fairness_test`` alone, by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import FeatureMatrix, Missing
from training.validation import Interval

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Int64 = NDArray[np.int64]

DRAWS = 400
SEED = 29
LEAST_RATIO = 0.80
MOST_SMD = 0.30
MOST_GAP = 0.05
MOST_PRICE_GAP = 2_500
"""Ppm a year between groups of the same grade, a quarter of a percentage point."""
PROXY = 0.02
"""Share of an attribute's entropy from which a feature needs a written reason."""
FEWEST = 30
"""A group of fewer rows gets no verdict: its figures are mostly chance."""
FEWEST_BADS = 20
"""Calibration gets none on fewer bads."""


class GroupResult(msgspec.Struct, frozen=True):
    """A group beside the largest of its attribute; gaps are the group's figure minus the other's.

    ``impact`` is the ratio of approval rates, ``smd`` the standardised difference of the log-odds,
    ``opportunity`` the gap of approval among goods, ``calibration`` mean PD over bad rate,
    ``price_gap_ppm`` the mean gap of the rate within grades, ``premium_gap_ppm`` the gap of what is paid beyond
    what the group's own bad rate costs. None where there are no rows to tell it by.
    """

    attribute: str
    group: str
    reference: str
    rows: int
    bads: int
    approved: Interval | None
    impact: Interval | None
    smd: Interval | None
    opportunity: Interval | None
    calibration: Interval | None
    price_gap_ppm: Interval | None
    premium_gap_ppm: Interval | None
    findings: tuple[str, ...]


class Proxy(msgspec.Struct, frozen=True):
    """How much of an attribute a feature tells: its share of the attribute's entropy, and why it is used."""

    feature: str
    attribute: str
    share: float
    rationale: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a model says of n rows, and what is known of them.

    ``log_odds`` and ``pd`` float64, ``grade`` int64, ``rate_ppm`` float64 the price; ``target`` int8 is -1 where
    the outcome is not known; ``cluster`` int64 are rows that stand or fall together; ``approved`` flags.
    """

    log_odds: Floats
    pd: Floats
    grade: Int64
    rate_ppm: Floats
    target: NDArray[np.int8]
    cluster: Int64
    approved: Flags


@dataclass(frozen=True, slots=True)
class Attribute:
    """A protected attribute of n rows: the place of each row's group in ``groups``, -1 where not known."""

    name: str
    groups: tuple[str, ...]
    place: Int64


def compare_groups(
    judged: Judgement, attributes: Sequence[Attribute], loss: float = 0.45
) -> tuple[GroupResult, ...]:
    """Every group of every attribute beside the largest one; ``loss`` is the share lost of a bad loan."""
    found = []
    for attribute in attributes:
        sizes = np.bincount(attribute.place[attribute.place >= 0], minlength=len(attribute.groups))
        if (sizes > 0).sum() < 2:
            continue
        reference = int(np.argmax(sizes))
        sums = _Sums(judged, loss)
        other = sums.of(attribute.place == reference)
        for place, name in enumerate(attribute.groups):
            if place != reference and sizes[place]:
                rows = attribute.place == place
                names = attribute.name, name, attribute.groups[reference]
                found.append(_result(judged, names, rows, sums.of(rows), other))
    return tuple(found)


def find_proxies(
    matrix: FeatureMatrix, attributes: Sequence[Attribute], rationale: Mapping[str, str]
) -> tuple[Proxy, ...]:
    """Features that tell at least ``PROXY`` of an attribute's entropy, the most telling first."""
    found = []
    for place, column in enumerate(matrix.columns):
        binned = bins_of(matrix.values[:, place], matrix.missing[:, place])
        for attribute in attributes:
            share = entropy_share(binned, attribute)
            if share >= PROXY:
                found.append(
                    Proxy(column.name, attribute.name, round(float(share), 4), rationale.get(column.name, ""))
                )
    return tuple(sorted(found, key=lambda one: (-one.share, one.feature, one.attribute)))


def bins_of(values: Floats, missing: NDArray[np.uint8]) -> Int64:
    """Tenths of the present values, int64 [rows], and a bin for each kind of absence."""
    present = missing == Missing.PRESENT
    edges = (
        np.unique(np.quantile(values[present], np.linspace(0.1, 0.9, 9))) if present.any() else np.empty(0)
    )
    return np.where(present, 4 + np.searchsorted(edges, values, side="right"), missing).astype(np.int64)


def entropy_share(binned: Int64, attribute: Attribute) -> float:
    """Mutual information of bins and groups over the groups' entropy, less what chance would show.

    Independent bins and groups have about (bins - 1)(groups - 1) / 2n of it (Miller and Madow).
    """
    known = attribute.place >= 0
    if not known.any():
        return 0.0
    table = np.zeros((int(binned.max()) + 1, len(attribute.groups)))
    np.add.at(table, (binned[known], attribute.place[known]), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    joint = table / table.sum()
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    held = joint > 0
    information = float((joint[held] * np.log(joint[held] / expected[held])).sum())
    chance = (table.shape[0] - 1) * (table.shape[1] - 1) / (2 * table.sum())
    shares = joint.sum(axis=0)
    entropy = -float((shares * np.log(shares)).sum())
    return max(information - chance, 0.0) / entropy if entropy > 0 else 0.0


class _Sums:
    """Sums over rows, by draw: the first draw is the rows themselves, float64 [draws, figures]."""

    def __init__(self, judged: Judgement, loss: float) -> None:
        _, self._cluster = np.unique(judged.cluster, return_inverse=True)
        count = int(self._cluster.max()) + 1
        drawn = np.random.default_rng(SEED).poisson(1.0, (DRAWS, count)).astype(np.float64)
        self._weights = np.vstack([np.ones((1, count)), drawn])
        known, good = judged.target >= 0, judged.target == 0
        bad = (judged.target == 1).astype(np.float64)
        grades = [judged.grade == grade for grade in np.unique(judged.grade[judged.approved])]
        premium = judged.rate_ppm - loss * 1e6 * bad
        self._figures = np.column_stack([
            np.ones(len(bad)), judged.approved, judged.log_odds, judged.log_odds**2, good, good & judged.approved,
            known, np.where(known, judged.pd, 0.0), bad, known & judged.approved,
            np.where(known & judged.approved, premium, 0.0),
            *(rows & judged.approved for rows in grades),
            *(np.where(rows & judged.approved, judged.rate_ppm, 0.0) for rows in grades),
        ]).astype(np.float64)  # fmt: skip

    def of(self, rows: Flags) -> Floats:
        """The sums of these rows in each draw."""
        by_cluster = np.zeros((self._weights.shape[1], self._figures.shape[1]))
        np.add.at(by_cluster, self._cluster[rows], self._figures[rows])
        return np.asarray(self._weights @ by_cluster)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    return np.asarray(np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0))


def _impact(own: Floats, other: Floats) -> Floats:
    return _ratio(_ratio(own[:, 1], own[:, 0]), _ratio(other[:, 1], other[:, 0]))


def _smd(own: Floats, other: Floats) -> Floats:
    def moments(sums: Floats) -> tuple[Floats, Floats]:
        mean = _ratio(sums[:, 2], sums[:, 0])
        return mean, np.maximum(_ratio(sums[:, 3], sums[:, 0]) - mean**2, 0.0)

    (one, spread), (two, wide) = moments(own), moments(other)
    return _ratio(one - two, np.sqrt((spread + wide) / 2))


def _opportunity(own: Floats, other: Floats) -> Floats:
    return _ratio(own[:, 5], own[:, 4]) - _ratio(other[:, 5], other[:, 4])


def _calibration(own: Floats, _: Floats) -> Floats:
    return _ratio(own[:, 7], own[:, 8])


def _price(own: Floats, other: Floats) -> Floats:
    """The gap of the mean rate within each grade, averaged over the group's approved rows."""
    grades = (own.shape[1] - 11) // 2
    counts, rates = own[:, 11 : 11 + grades], own[:, 11 + grades :]
    their_counts, their_rates = other[:, 11 : 11 + grades], other[:, 11 + grades :]
    both = (counts > 0) & (their_counts > 0)
    gap = rates / np.where(both, counts, 1) - their_rates / np.where(both, their_counts, 1)
    weights = np.where(both, counts, 0.0)
    return _ratio((np.where(both, gap, 0.0) * weights).sum(axis=1), weights.sum(axis=1))


def _premium(own: Floats, other: Floats) -> Floats:
    return _ratio(own[:, 10], own[:, 9]) - _ratio(other[:, 10], other[:, 9])


def _interval(figure: Callable[[Floats, Floats], Floats], own: Floats, other: Floats) -> Interval | None:
    values = figure(own, other)
    drawn = values[1:][np.isfinite(values[1:])]
    if not len(drawn) or not np.isfinite(values[0]):
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))


def _result(
    judged: Judgement, names: tuple[str, str, str], rows: Flags, own: Floats, other: Floats
) -> GroupResult:
    found = {
        "approved": _interval(lambda a, _: _ratio(a[:, 1], a[:, 0]), own, other),
        "impact": _interval(_impact, own, other), "smd": _interval(_smd, own, other),
        "opportunity": _interval(_opportunity, own, other), "calibration": _interval(_calibration, own, other),
        "price_gap_ppm": _interval(_price, own, other), "premium_gap_ppm": _interval(_premium, own, other),
    }  # fmt: skip
    count = int(rows.sum())
    bads = int((judged.target[rows] == 1).sum())
    return GroupResult(
        *names, count, bads, found["approved"], found["impact"], found["smd"], found["opportunity"],
        found["calibration"], found["price_gap_ppm"], found["premium_gap_ppm"], _findings(count, bads, found),
    )  # fmt: skip


def _findings(count: int, bads: int, found: Mapping[str, Interval | None]) -> tuple[str, ...]:
    """What misses a bound, and whether chance alone may explain it."""
    if count < FEWEST:
        return (f"{count} rows are too few for a verdict",)
    bounds = (
        (
            "impact",
            found["impact"],
            LEAST_RATIO,
            1 / LEAST_RATIO,
            f"under {LEAST_RATIO} or above its inverse",
        ),
        ("smd", found["smd"], -MOST_SMD, MOST_SMD, f"beyond {MOST_SMD}"),
        ("opportunity", found["opportunity"], -MOST_GAP, MOST_GAP, f"beyond {MOST_GAP:.0%}"),
        ("price", found["price_gap_ppm"], -MOST_PRICE_GAP, MOST_PRICE_GAP, f"beyond {MOST_PRICE_GAP} ppm"),
    )
    out = [
        f"{name} {one.value:.3g} {text}{'' if one.high < low or one.low > high else ', within chance'}"
        for name, one, low, high, text in bounds
        if one is not None and not low <= one.value <= high
    ]
    own = found["calibration"]
    if own is not None and bads >= FEWEST_BADS and not own.low <= 1.0 <= own.high:
        out.append(f"calibration {own.value:.2f}: PD is {'above' if own.value > 1 else 'below'} the bad rate")
    return tuple(out)
