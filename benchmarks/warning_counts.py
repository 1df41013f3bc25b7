"""What is counted of a warner over past months: captures, lead, alerts and how many were right, at an equal number of alerts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmarks.warning_city import Floats, Ints, Past
from features.calendar import DAY

Flags = NDArray[np.bool_]
EARLIEST, LATEST, YEAR = 365, 30, 365
SKIPPED = 12
"""Months at either end of the past: before, little is known; after, no year is over."""
BUDGET = 0.02


@dataclass(frozen=True)
class Counted:
    """One warner: new alerts over loans at 0 days past due, and the defaults that it captured."""

    share: float
    captured: frozenset[int]
    of: int
    precision: float
    lead_days: float

    @property
    def coverage(self) -> float:
        """Of all defaults."""
        return len(self.captured) / self.of


class Bench:
    """A past with what all warners are measured by. A hit is an alert raised at 0 days past due, 30 to 365 days before
    the first missed due date; an alert is new where it did not stand at the month's end before.
    """

    def __init__(self, seen: Past) -> None:
        """Lay out the months."""
        self.seen = seen
        self.zero = seen.dpd == 0
        last = len(seen.ends) - SKIPPED
        self.used = self.zero & (seen.month >= SKIPPED) & (seen.month < last)
        first, end = int(seen.ends[SKIPPED]), int(seen.ends[last - 1])
        self.defaults = sorted(
            loan for loan, (missed, _) in seen.defaults.items()
            if first + LATEST * DAY <= missed <= end + EARLIEST * DAY
        )  # fmt: skip

    @cached_property
    def before(self) -> Ints:
        """The row of each loan a month before, -1 where there is none."""
        key = self.seen.month * 2**32 + np.unique(self.seen.loan, return_inverse=True)[1]
        order = np.argsort(key)
        at = np.minimum(np.searchsorted(key[order], key - 2**32), len(key) - 1)
        return np.where(key[order][at] == key - 2**32, order[at], -1)

    @cached_property
    def days(self) -> Floats:
        """Days from each row to the loan's first missed due date."""
        return (self.seen.missed - self.seen.ends[self.seen.month]) / DAY

    @cached_property
    def early(self) -> Flags:
        """Where an alert would be a hit."""
        return (self.seen.missed > 0) & (self.days >= LATEST) & (self.days <= EARLIEST)

    @cached_property
    def right(self) -> Flags:
        """Where a default follows within the year."""
        after = self.seen.since - self.seen.ends[self.seen.month]
        return (after > 0) & (after <= YEAR * DAY)

    def fresh(self, alert: Flags) -> Flags:
        """The alerts that are new, among the rows that are used."""
        return alert & ~np.where(self.before >= 0, alert[self.before], False) & self.used

    def counted(self, alert: Flags) -> Counted:
        """What these alerts bring."""
        new = self.fresh(alert)
        hit = new & self.early
        lead: dict[int, float] = {}
        for loan, days in zip(self.seen.loan[hit].tolist(), self.days[hit].tolist(), strict=True):
            lead[loan] = max(lead.get(loan, 0.0), days)
        return Counted(
            float(new.sum() / self.used.sum()), frozenset(lead) & frozenset(self.defaults), len(self.defaults),
            float(self.right[new].mean()) if new.any() else float("nan"),
            float(np.median(list(lead.values()))) if lead else float("nan"),
        )  # fmt: skip

    def limited(self, score: Floats, budget: float = BUDGET) -> Flags:
        """Alerts where the score reaches the limit at which so many are new a month; equals stand in an order by chance
        that is the same in all months. No outcome is looked at.
        """
        loans, place = np.unique(self.seen.loan, return_inverse=True)
        noise = 1e-9 * np.random.default_rng(0).random(len(loans))[place]
        score = np.where(self.zero, score + noise, -np.inf)
        alert = np.zeros(len(score), dtype=bool)
        for limit in np.quantile(score[self.used], np.linspace(0.999, 0.5, 500)):
            tried = score >= limit
            if self.fresh(tried).sum() > budget * self.used.sum():
                break
            alert = tried
        return alert


def paired(one: Counted, other: Counted, defaults: list[int], draws: int = 1000) -> tuple[float, float]:
    """Interval of 95 % of the difference in coverage, by bootstrap over borrowers, each of whom has one default."""
    gap = np.array([(loan in one.captured) - (loan in other.captured) for loan in defaults], dtype=float)
    picks = np.random.default_rng(5).integers(0, len(gap), (draws, len(gap)))
    low, high = np.percentile(gap[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def ratio_interval(
    one: Counted, other: Counted, defaults: list[int], draws: int = 1000
) -> tuple[float, float]:
    """Interval of 95 % of one's captures over another's, by the same bootstrap."""
    pair = np.array([(loan in one.captured, loan in other.captured) for loan in defaults], dtype=float)
    sums = pair[np.random.default_rng(5).integers(0, len(pair), (draws, len(pair)))].sum(axis=1)
    low, high = np.percentile(sums[:, 0] / np.maximum(sums[:, 1], 1), [2.5, 97.5])
    return float(low), float(high)
