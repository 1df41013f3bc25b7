"""What every department's feed is written with: numbers, days, who farms, and chance that says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY
from features.city.latent import Attributes, Emissions, Lives
from features.city.parameters import LAGS
from features.city.text import People
from features.identity.numbers import uscc_check_digit

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Table = dict[str, Any]
HOUR = 3_600_000_000
VILLAGES = 60
PRODUCTS = np.array(["wheat", "maize", "rice", "soybean", "vegetables", "fruit", "pigs", "poultry"])


class City(Protocol):
    """What the departments' feeds need to know of the city."""

    lives: Lives
    known: Attributes
    emitted: Emissions
    people: People
    months: int
    starts: Ints
    base: NDArray[np.float64]
    g: np.random.Generator

    def day(self, month: Ints, day: Ints | int, hour: Ints | int = 9) -> Ints:
        """Instant of a day and hour of a month."""


@dataclass(frozen=True, slots=True)
class Office:
    """A city with the generator of its noise.

    ``farms`` [n] and ``mu`` (area of land) are noise too; ``feeds`` are the registers that others repeat.
    """

    city: City
    g: np.random.Generator
    farms: Flags
    mu: NDArray[np.float64]
    feeds: dict[str, Table]

    @staticmethod
    def of(city: City, feeds: dict[str, Table]) -> Office:
        """An office whose noise is drawn apart, so that the other feeds stay what they are without it."""
        g, n = city.g.spawn(1)[0], len(city.lives.kind)
        return Office(city, g, g.random(n) < 0.55, np.round(g.lognormal(1.8, 0.5, n), 2), feeds)

    @property
    def ends(self) -> int:
        """The instant after the last record."""
        return int(self.city.starts[self.city.months])

    def some(self, share: float) -> Ints:
        """A share of all households, by chance alone."""
        return np.flatnonzero(self.g.random(len(self.farms)) < share)

    def before(self, count: int, low: int, high: int) -> Ints:
        """Days between ``low`` and ``high`` days before the city begins."""
        return np.asarray(self.city.starts[0] - self.g.integers(low, high, count) * DAY)

    def within(self, count: int) -> Ints:
        """Days of the city's time, from its first month to a month before its last."""
        return self.city.day(
            self.g.integers(0, self.city.months - 1, count), self.g.integers(1, 26, count), 0
        )

    def amounts(self, count: int, mean: float, spread: float = 0.5) -> NDArray[np.float64]:
        """Amounts in yuan whose logarithm has that mean and spread."""
        return np.round(self.g.lognormal(mean, spread, count), 2)

    def number(self, person: Ints) -> NDArray[np.str_]:
        """Identity numbers of heads."""
        return np.asarray(self.city.people.heads[person])

    def monthly(self, members: Flags | Ints, months: Ints) -> tuple[Ints, Ints]:
        """(person, month) of every member in each of these months."""
        people = np.flatnonzero(members) if members.dtype == bool else members
        return np.repeat(people, len(months)), np.tile(months, len(people))

    def told(self, source: str, chosen: Flags) -> tuple[Ints, Ints, Ints]:
        """(person, month, publication by day 25) of a source's chosen records that are told in time."""
        person, month, late = told(self.city.emitted, source, chosen)
        day, hour = self.g.integers(18, 26, len(person)), self.g.integers(8, 18, len(person))
        return person, month, self.city.day(month + late, day, hour)


def told(emitted: Emissions, source: str, chosen: Flags) -> tuple[Ints, Ints, Ints]:
    """(person, month, months late) of a source's chosen records that are told within the city's time."""
    lag, months = emitted.lag[source], chosen.shape[1]
    person, month = np.nonzero(chosen & (lag < LAGS) & (np.arange(months)[None, :] + lag < months))
    return person, month, lag[person, month]


def firm_codes(count: int) -> NDArray[np.str_]:
    """Unified social credit codes of the firms, in the order of their owners."""
    bodies = [f"92341600MA{place:07}" for place in range(count)]
    return np.array([body + uscc_check_digit(body) for body in bodies], dtype="<U18")
