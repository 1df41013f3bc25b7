"""The state of one alert, folded from what was seen of its signal: pure, and the same whatever the order of arrival.

A *point* is a month's end. Within a month a run may raise an alert or its level by what the signal says; repetition counts
from point to point only, when the month's last day has been looked at or a later month has. What is seen of one month is kept
as one ``Point``, and ``merged`` is commutative, associative and idempotent: runs that come twice, late or after a clock that
jumped change nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from features.calendar import CHINA_OFFSET, DAY, month_index, month_start
from serving.watch.signals import Level

LEVELS = tuple(Level)
"""The gravest last; a level as a number is its place, and 0 is none: ``rank``."""
TOP = len(LEVELS)
ESCALATES, DISPOSES, RELEASES = 2, 3, 2
"""Points in a row that raise the level by one, that demand a disposal, and points without the signal before a release."""
BANDS = (30, 90, 270, 360)
"""Days past due whose crossing forces the top level."""


class AlertState(StrEnum):
    """Where an alert stands; only a person ever writes ``released``."""

    NEW = "new"
    ONGOING = "ongoing"
    PENDING_RELEASE = "pending_release"
    """The signal is gone; a person confirms."""
    RELEASED = "released"


class Coverage(StrEnum):
    """Whether there is enough to speak of time at all."""

    FULL = "full"
    PARTIAL = "partial"
    """One point was observed."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one run saw of a signal at ``at`` (µs): ``rank`` of the level it told, 0 for its absence, None where it could not
    be told. ``dpd`` is the loan's days past due then.
    """

    at: int
    rank: int | None
    dpd: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """All that was seen in the month that ends at ``point`` (µs).

    ``gravest`` is the highest rank of any hit (0: none) and ``band`` the highest band of days past due at one;
    ``last_day`` counts days since 1970 in China of the last observation that could tell, -1 if none could, and ``last_rank``
    is the gravest of that day.
    """

    point: int
    gravest: int = 0
    band: int = 0
    last_day: int = -1
    last_rank: int = 0

    @property
    def at_its_end(self) -> bool:
        """Whether the month's last day was looked at."""
        return self.last_day == day_of(self.point) - 1

    @property
    def told(self) -> bool:
        """Whether anything could be told in this month."""
        return self.last_day >= 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What follows from all points of an alert. ``streak`` is the number of points in a row with the signal, ``quiet`` of
    points without it since the last hit. ``disposal`` is the point (µs) at which a disposal became due, None if none did.
    """

    state: AlertState
    level: Level
    streak: int
    quiet: int
    band: int
    coverage: Coverage
    disposal: int | None


def rank(level: Level) -> int:
    """A level as a number, 1 to ``TOP``."""
    return LEVELS.index(level) + 1


def day_of(moment: int) -> int:
    """The day of a moment in China, counted from 1970."""
    return (moment + CHINA_OFFSET) // DAY


def point_of(moment: int, before: int = 0) -> int:
    """The point to which a moment belongs: the end of its month, or of so many months before."""
    month = int(month_index(np.array([moment]))[0])
    return int(month_start(month + 1 - before))


def band_of(dpd: int) -> int:
    """How many of the bands so many days past due have reached."""
    return sum(dpd >= limit for limit in BANDS)


def seen(observation: Observation) -> Point:
    """One observation as all that is known of its month."""
    point = point_of(observation.at)
    if observation.rank is None:
        return Point(point)
    band = band_of(observation.dpd) if observation.rank else 0
    return Point(point, observation.rank, band, day_of(observation.at), observation.rank)


def merged(one: Point, other: Point) -> Point:
    """What both say of the same month: of the later day, and the gravest of the same day."""
    last = max((one.last_day, one.last_rank), (other.last_day, other.last_rank))
    return Point(one.point, max(one.gravest, other.gravest), max(one.band, other.band), *last)


def standing(points: Sequence[Point], *, steady: bool = False) -> Standing | None:
    """What follows from the points, given in order; None where no hit is among them.

    Repetition raises no level and demands no disposal where the signal is ``steady``: the rule that combines has weighed it.
    """
    first = next((place for place, each in enumerate(points) if each.gravest), None)
    if first is None:
        return None
    fold = _Fold(steady=steady)
    last_told = max((each.point for each in points if each.told), default=0)
    before: int | None = None
    for each in points[first:]:
        fold.adjoin(each, gap=before is not None and point_of(before) != each.point)
        if each.told and (each.at_its_end or each.point < last_told):
            fold.count(each)
        before = each.point
    return fold.result()


@dataclass(slots=True)
class _Fold:
    """The running values of ``standing``."""

    level: int = 0
    streak: int = 0
    quiet: int = 0
    band: int = 0
    observed: int = 0
    lasting: bool = False
    disposal: int | None = None
    steady: bool = False

    def adjoin(self, each: Point, *, gap: bool) -> None:
        """What a signal says counts at once; a month in which nobody looked ends a row of points."""
        if gap:
            self.streak = 0
        if each.gravest:
            self.level = max(self.level, each.gravest)
            self.quiet = 0
        if each.band > self.band:
            self.band, self.level = each.band, TOP
        self.observed += each.told

    def count(self, each: Point) -> None:
        """What repetition says counts at the point."""
        if not each.last_rank:
            self.streak, self.quiet = 0, self.quiet + 1
            return
        self.streak += 1
        if self.streak == ESCALATES:
            self.level, self.lasting = min(self.level + (not self.steady), TOP), True
        if self.streak >= DISPOSES and self.disposal is None and not self.steady:
            self.disposal = each.point

    def result(self) -> Standing:
        """As it is told."""
        state = AlertState.ONGOING if self.lasting else AlertState.NEW
        if self.quiet >= RELEASES:
            state = AlertState.PENDING_RELEASE
        coverage = Coverage.FULL if self.observed > 1 else Coverage.PARTIAL
        level = LEVELS[self.level - 1]
        return Standing(state, level, self.streak, self.quiet, self.band, coverage, self.disposal)
