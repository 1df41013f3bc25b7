"""What signals would have said over past months: how many alerts, how many defaults ahead of time, how often rightly.

The unit is a loan and a month. An alert is new where its level was not reached at the month's end before. A default is
covered where an orange or red stood, at 0 days past due, 30 to 365 days before the first due date that was missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, iso
from features.terminal import Step
from serving.proportion import wilson
from serving.watch.document import Group, SignalsDocument
from serving.watch.months import Month, Onset, codes, onsets, said
from serving.watch.values import Given, Reading, Sources

EARLIEST, LATEST = 365, 30
"""Days before the first missed due date between which an alert counts as early."""
PRECISE = 365
"""Days within which an alert's loan must default for it to have been right."""
ORANGE, RED = 2, 3


class Rate(msgspec.Struct, frozen=True):
    """A share with its interval of 95 % (Wilson); ``of`` is its denominator."""

    value: float
    low: float
    high: float
    of: int


class Line(msgspec.Struct, frozen=True):
    """A signal, or several counted as one.

    ``yellow``, ``orange`` and ``red`` are new alerts a month of each level; ``at_zero`` new oranges and reds a month at 0
    days past due and ``alerted_share`` those over all loans then; ``coverage`` of all defaults; ``precision`` of those new oranges
    and reds whose twelve months are over, and ``red_precision`` of the reds; ``lead_days`` the median from the first
    early alert to the first missed due date; ``skipped_share`` of loans and months of which it could not be told.
    """

    code: str
    number: int
    yellow: float
    orange: float
    red: float
    at_zero: float
    alerted_share: float
    coverage: Rate | None
    precision: Rate | None
    red_precision: Rate | None
    lead_days: float | None
    skipped_share: float


class Backtest(msgspec.Struct, frozen=True):
    """One document over past months. ``totals`` are early signals together, conduct, village, repayment, and all."""

    digest: str
    first: str
    last: str
    months: int
    loan_months: int
    defaults: int
    lines: tuple[Line, ...]
    totals: tuple[Line, ...]
    by_month: tuple[tuple[str, int, int, int], ...]
    """New yellow, orange and red alerts of each month."""


@dataclass(slots=True)
class _Tally:
    """What is counted of one line while the months pass."""

    new: dict[int, int]
    at_zero: int = 0
    right: int = 0
    over: int = 0
    red_right: int = 0
    red_over: int = 0
    skipped: int = 0


def backtest(
    document: SignalsDocument,
    digest: str,
    reading: Reading,
    sources: Sources,
    ends: Sequence[int],
    observed: Sequence[int],
    given: Given | None = None,
    progress: Step | None = None,
) -> Backtest:
    """Run a document over the month ends ``ends``, of which the first only tells what is new at the second.

    ``observed`` are the month ends at which defaults are looked for; those after ``ends`` tell what came of alerts.
    """
    tell = progress or (lambda *_: None)
    tell("defaults", 0, len(ends))
    bad = onsets(sources.book, observed)
    months = []
    for done, month in enumerate(said(document, reading, sources, ends, given)):
        tell(iso(month.end), done, len(ends))
        months.append(month)
    return counted(document, digest, months, bad, observed[-1])


def counted(
    document: SignalsDocument, digest: str, months: list[Month], bad: list[Onset], last: int
) -> Backtest:
    """What is counted of months that were looked at; defaults after ``last`` (µs) could not be seen."""
    seen = months[1:]
    of = {signal.code: signal for signal in document.signals}
    names = codes(document)
    groups = np.array([of[code].group for code in names])
    sight = _Sight(
        months, [one for one in bad if _in_sight(one, seen)], {one.loan: one.since for one in bad}, last
    )
    lines = [
        sight.line(code, of[code].number, np.arange(len(names)) == place) for place, code in enumerate(names)
    ]
    early = groups == Group.EARLY
    totals = [
        sight.line(group.value, 0, groups == group)
        for group in (Group.EARLY, Group.CONDUCT, Group.VILLAGE, Group.REPAYMENT)
    ]
    totals.append(
        sight.line("all but repayment", 0, early | (groups == Group.CONDUCT) | (groups == Group.VILLAGE))
    )
    everything = np.ones(len(names), dtype=bool)
    by_month = tuple(
        (iso(m.end - 1)[:7], *sight.new_of(place, everything)) for place, m in enumerate(seen, start=1)
    )
    return Backtest(
        digest, iso(seen[0].end - 1)[:7], iso(seen[-1].end - 1)[:7], len(seen), sum(len(m.loan) for m in seen),
        len(sight.bad), tuple(lines), tuple(totals), by_month,
    )  # fmt: skip


def _in_sight(onset: Onset, months: Sequence[Month]) -> bool:
    """Whether an early alert on it could have been raised in these months."""
    return months[0].end + LATEST * DAY <= onset.missed <= months[-1].end + EARLIEST * DAY


@dataclass(frozen=True, slots=True)
class _Sight:
    """The months with the defaults that could have been seen coming, and the default of every loan (µs)."""

    months: list[Month]
    bad: list[Onset]
    since: dict[int, int]
    last: int

    def line(self, code: str, number: int, chosen: NDArray[np.bool_]) -> Line:
        tally = _Tally({1: 0, 2: 0, 3: 0})
        early: dict[int, list[int]] = {}
        for place, month in enumerate(self.months[1:], start=1):
            rank, new = self._ranks(place, chosen)
            self._count(tally, month, new)
            tally.skipped += int(month.skipped[chosen].sum())
            for loan in month.loan[(rank >= ORANGE) & (month.dpd == 0)].tolist():
                early.setdefault(loan, []).append(month.end)
        months, rows = len(self.months) - 1, sum(len(m.loan) for m in self.months[1:])
        at_zero = sum(int((m.dpd == 0).sum()) for m in self.months[1:])
        leads = [lead for onset in self.bad if (lead := _lead(onset, early.get(onset.loan, ()))) is not None]
        return Line(
            code, number, tally.new[1] / months, tally.new[2] / months, tally.new[3] / months, tally.at_zero / months,
            tally.at_zero / max(at_zero, 1), rate(len(leads), len(self.bad)), rate(tally.right, tally.over),
            rate(tally.red_right, tally.red_over), float(np.median(leads)) if leads else None,
            tally.skipped / max(rows * int(chosen.sum()), 1),
        )  # fmt: skip

    def new_of(self, place: int, chosen: NDArray[np.bool_]) -> tuple[int, int, int]:
        """New yellow, orange and red alerts of a month, each signal by itself."""
        found = [0, 0, 0, 0]
        for signal in np.flatnonzero(chosen).tolist():
            one = np.zeros_like(chosen)
            one[signal] = True
            for level, count in zip(*np.unique(self._ranks(place, one)[1], return_counts=True), strict=True):
                found[int(level)] += int(count)
        return found[1], found[2], found[3]

    def _ranks(self, place: int, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """The gravest rank of the chosen signals on each loan, and the same where it was not reached the month before."""
        now, before = self.months[place], self.months[place - 1]
        rank, earlier = _gravest(now, chosen), _gravest(before, chosen)
        at = np.minimum(np.searchsorted(before.loan, now.loan), max(len(before.loan) - 1, 0))
        was = np.zeros_like(rank)
        if len(before.loan):
            was = np.where(before.loan[at] == now.loan, earlier[at], 0).astype(np.int8)
        return rank, np.where(rank > was, rank, 0).astype(np.int8)

    def _count(self, tally: _Tally, month: Month, new: NDArray[np.int8]) -> None:
        for level in tally.new:
            tally.new[level] += int((new == level).sum())
        fresh = (new >= ORANGE) & (month.dpd == 0)
        tally.at_zero += int(fresh.sum())
        if month.end + PRECISE * DAY > self.last:
            return
        for loan, level in zip(month.loan[fresh].tolist(), new[fresh].tolist(), strict=True):
            right = month.end < self.since.get(loan, 0) <= month.end + PRECISE * DAY
            tally.over, tally.right = tally.over + 1, tally.right + right
            if level == RED:
                tally.red_over, tally.red_right = tally.red_over + 1, tally.red_right + right


def _gravest(month: Month, chosen: NDArray[np.bool_]) -> NDArray[np.int8]:
    rows: NDArray[np.int8] = month.rank[chosen].max(axis=0, initial=0)
    return rows


def _lead(onset: Onset, alerts: Sequence[int]) -> float | None:
    """Days from the first early alert to the missed due date; None where none was in time."""
    days = [(onset.missed - at) / DAY for at in alerts]
    return max((d for d in days if LATEST <= d <= EARLIEST), default=None)


def rate(count: int, of: int) -> Rate | None:
    """A share with its interval; None of nothing."""
    if not of:
        return None
    share = count / of
    low, high = wilson(share, of)
    return Rate(share, max(low, 0.0), min(high, 1.0), of)
