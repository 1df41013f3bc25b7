"""Grades: is the master scale sound, what its tests can see, and PDs for books with hardly a default.

A scale is fixed across models; its checks run when it is designed (refused) and on each book (findings).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm

from features.errors import Invalid
from training.documents import MasterScale

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
MIN_GRADES = 10
MAX_SHARE = 0.25
"""Of a book in one grade."""
LEVEL = 0.05
"""Chance of any false alarm among the tests of all grades."""
POWER_FACTOR = 1.5
"""The true rate over the mean PD for which the power of a grade's test is stated."""
LARGEST_PD = 0.9999


class UnsoundScale(Invalid):
    """A scale that may not be put into force."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="master scale", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Concentration:
    """The fullest grade of a book, and whether that is too full."""

    grade: int
    share: float

    @property
    def too_full(self) -> bool:
        """Whether one grade holds more of the book than it may."""
        return self.share > MAX_SHARE


def check_scale(scale: MasterScale) -> None:
    """Refuse a scale that cannot serve every model.

    Raises:
        UnsoundScale: fewer than ten grades before default, bounds out of order, or a first grade below the floor.
    """
    upper = np.array(scale.upper)
    if len(upper) < MIN_GRADES:
        raise UnsoundScale(f"{len(upper)} grades before default.", f"Give at least {MIN_GRADES}.")
    if (np.diff(upper) <= 0).any() or upper[-1] != 1.0:
        raise UnsoundScale("its bounds do not rise to 1.", "Order `upper`; its last bound is 1.")
    if not 0 < scale.floor < upper[0]:
        raise UnsoundScale(
            f"the floor {scale.floor} is no PD of the first grade.", "Lower it, or widen grade 1."
        )


def concentration(grade: Int64, grades: int) -> Concentration:
    """The fullest of the grades 1 to ``grades`` (int64 [rows])."""
    shares = np.bincount(grade, minlength=grades + 1)[1:] / max(len(grade), 1)
    fullest = int(np.argmax(shares))
    return Concentration(fullest + 1, float(shares[fullest]))


def design_check(scale: MasterScale, pd: Floats) -> None:
    """Refuse a scale of which one grade would hold too much of the book it is designed on (PD float64 [rows]).

    Raises:
        UnsoundScale: see ``check_scale``; or a grade over 25 %.
    """
    check_scale(scale)
    found = concentration(scale.grade(pd), len(scale.upper))
    if found.too_full:
        problem = f"grade {found.grade} holds {found.share:.0%} of the book, over {MAX_SHARE:.0%}."
        raise UnsoundScale(problem, "Cut that grade in two.")


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted so that the chance of any false alarm among them stays at the level (Holm 1979)."""
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    adjusted = np.empty(count)
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min((count - rank) * p_values[int(place)], 1.0))
        adjusted[place] = largest
    return [float(value) for value in adjusted]


def jeffreys(bads: int, rows: int, pd: float) -> float:
    """Probability that the true rate is at most ``pd`` after so many bads (Jeffreys' prior; REG-IRB-05)."""
    return float(beta.cdf(pd, bads + 0.5, rows - bads + 0.5)) if rows else 1.0


def power(rows: int, pd: float, tests: int = 1, factor: float = POWER_FACTOR) -> float:
    """Chance that the Jeffreys test of a grade rejects where the true rate is ``factor`` times its PD.

    The level is that of the strictest step among ``tests`` (Bonferroni's), so that it holds for Holm's as a least.
    """
    if not rows or pd <= 0:
        return 0.0
    low, high = 0, rows
    if jeffreys(rows, rows, pd) >= LEVEL / tests:
        return 0.0
    while low < high:  # p falls as bads rise: the fewest that reject
        middle = (low + high) // 2
        if jeffreys(middle, rows, pd) < LEVEL / tests:
            high = middle
        else:
            low = middle + 1
    return float(binom.sf(low - 1, rows, min(factor * pd, 1.0)))


def shift_to(sample_rate: float, rate: float) -> float:
    """Logits by which scores move from the sample's bad rate to another (prior correction, King and Zeng 2001).

    Raises:
        UnsoundScale: a rate that is none.
    """
    if not (0 < sample_rate < 1 and 0 < rate < 1):
        raise UnsoundScale("an anchor without a rate.", "Give rates between 0 and 1.")
    return float(np.log(rate / (1 - rate)) - np.log(sample_rate / (1 - sample_rate)))


def with_margin(pd: Floats, margin: float) -> Floats:
    """PDs with what a downturn adds, ``margin`` as a share of the PD; never 1.

    Raises:
        UnsoundScale: a negative margin.
    """
    if margin < 0:
        raise UnsoundScale("a downturn that makes PDs smaller.", "Give a margin of 0 or more.")
    return np.minimum(pd * (1 + margin), LARGEST_PD)


def rate_interval(bads: int, rows: int) -> tuple[float, float]:
    """Ends of the 95 % interval of a bad rate (Jeffreys'); 0 and 1 where there is no bad, or nothing else."""
    low, high = (float(beta.ppf(q, bads + 0.5, rows - bads + 0.5)) for q in (0.025, 0.975))
    return low if bads else 0.0, high if bads < rows else 1.0


def most_prudent(
    rows: Sequence[int], bads: Sequence[int], *, confidence: float = 0.75, correlation: float = 0.0
) -> list[float]:
    """Upper PDs of grades, best first, where defaults are few or none (Pluto and Tasche 2005).

    A grade's PD is bounded with its own rows and those of all worse grades: the order of grades is taken as
    right, nothing else. With an asset ``correlation`` defaults share one normal factor.

    Raises:
        UnsoundScale: grades without rows, more bads than rows, or a confidence that is none.
    """
    if not rows or len(rows) != len(bads) or any(not 0 <= b <= n for n, b in zip(rows, bads, strict=False)):
        raise UnsoundScale("grades and defaults do not match.", "Give rows and bads of every grade.")
    if not (0 < confidence < 1 and 0 <= correlation < 1) or min(rows) < 1:
        raise UnsoundScale("no bound of such grades.", "Give rows in each and a confidence between 0 and 1.")
    return [
        _upper(sum(rows[place:]), sum(bads[place:]), confidence, correlation) for place in range(len(rows))
    ]


def _upper(rows: int, bads: int, confidence: float, correlation: float) -> float:
    if bads == rows:
        return 1.0
    if correlation == 0:
        return float(beta.ppf(confidence, bads + 1, rows - bads))
    nodes = np.linspace(-9.0, 9.0, 2001)
    weights = norm.pdf(nodes) / norm.pdf(nodes).sum()

    def beyond(pd: float) -> float:
        hit = norm.cdf((norm.ppf(pd) - np.sqrt(correlation) * nodes) / np.sqrt(1 - correlation))
        return float((weights * binom.cdf(bads, rows, hit)).sum()) - (1 - confidence)

    return float(brentq(beyond, 1e-12, 1 - 1e-12, xtol=1e-12))
