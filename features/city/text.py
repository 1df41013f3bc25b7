"""Instants, days, months and ids as the text that feeds carry; and the identity numbers of a city."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET, DAY, SECOND
from features.identity.numbers import person_check_digit

Ints = NDArray[np.int64]
TWINS = 0.03
"""Share of members who were born on one day with another of their household."""


@dataclass(frozen=True, slots=True)
class People:
    """Identity numbers of the heads and their households' other members."""

    heads: NDArray[np.str_]
    members: NDArray[np.str_]
    member_of: Ints


def draw_people(n: int, g: np.random.Generator) -> People:
    """Heads of ``n`` households, and up to three other members of each, with valid numbers."""
    extra = g.integers(0, 4, n)
    member_of = np.repeat(np.arange(n), extra)
    years = np.concatenate([g.integers(1960, 1998, n), g.integers(1940, 2015, len(member_of))])
    serial = np.arange(len(years))
    bodies = [
        f"34{1600 + int(k) // 336_000:04}{year}{1 + int(k) % 12:02}{1 + int(k) // 12 % 28:02}{int(k) // 336 % 1000:03}"
        for k, year in zip(g.permutation(serial), years, strict=True)
    ]
    _bear_twins(bodies, n, member_of)
    numbers = np.array([body + person_check_digit(body) for body in bodies])
    return People(numbers[:n], numbers[n:], member_of)


def _bear_twins(bodies: list[str], n: int, member_of: Ints) -> None:
    """Let some members have the birth date of the member before them in the household."""
    drawn = np.random.default_rng(len(bodies)).random(len(member_of)) < TWINS
    same = np.zeros(len(member_of), dtype=bool)
    same[1:] = drawn[1:] & (member_of[1:] == member_of[:-1])
    for place, member in enumerate(n + np.flatnonzero(same)):
        bodies[member] = f"34{1700 + place // 1000:04}{bodies[member - 1][6:14]}{place % 1000:03}"


def birth_text(numbers: NDArray[np.str_]) -> list[str]:
    """The birth date in each number."""
    return [f"{number[6:10]}-{number[10:12]}-{number[12:14]}" for number in numbers]


def id_text(prefix: str, values: Ints) -> pa.Array:
    """``prefix`` and eight digits of each value."""
    text = pc.utf8_lpad(pa.array(np.asarray(values, dtype=np.int64)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, text, "")


def instant_text(moments: Ints) -> pa.Array:
    """Seconds of China time with their offset."""
    days, clock = np.divmod((moments + CHINA_OFFSET) // SECOND, DAY // SECOND)
    return pc.binary_join_element_wise(_day_text(days, "%Y-%m-%d"), _clock_text().take(pa.array(clock)), "T")


def date_text(moments: Ints) -> pa.Array:
    """Days in China."""
    return _day_text((moments + CHINA_OFFSET) // DAY, "%Y-%m-%d")


def month_text(moments: Ints) -> pa.Array:
    """Months in China."""
    return _day_text((moments + CHINA_OFFSET) // DAY, "%Y-%m")


def _day_text(days: Ints, form: str) -> pa.Array:
    """A text a day, written once for each day between the first and the last."""
    first, last = (int(days.min()), int(days.max())) if len(days) else (0, 0)
    every = pa.array(np.arange(first, last + 1).astype("datetime64[D]").astype("datetime64[s]"))
    return pc.strftime(every, format=form).take(pa.array(days - first))


@cache
def _clock_text() -> pa.Array:
    """Every second of a day."""
    return pa.array([f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}+08:00" for s in range(DAY // SECOND)])
