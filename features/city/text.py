"""Instants, days, months and ids as the text that feeds carry; and the identity numbers of a city."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET
from features.identity.numbers import person_check_digit

Ints = NDArray[np.int64]


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
    bodies = [f"34{1600 + int(k) // 300_000:04}{year}{1 + int(k) // 1000 % 12:02}{1 + int(k) // 12_000 % 25:02}{int(k) % 1000:03}"
              for k, year in zip(g.permutation(serial), years, strict=True)]  # fmt: skip
    numbers = np.array([body + person_check_digit(body) for body in bodies])
    return People(numbers[:n], numbers[n:], member_of)


def birth_text(numbers: NDArray[np.str_]) -> list[str]:
    """The birth date in each number."""
    return [f"{number[6:10]}-{number[10:12]}-{number[12:14]}" for number in numbers]


def id_text(prefix: str, values: Ints) -> pa.Array:
    """``prefix`` and eight digits of each value."""
    text = pc.utf8_lpad(pa.array(np.asarray(values, dtype=np.int64)).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, text, "")


def _local(moments: Ints) -> pa.Array:
    return pa.array(
        ((np.asarray(moments, dtype=np.int64) + CHINA_OFFSET) // 1_000_000).astype("datetime64[s]")
    )


def instant_text(moments: Ints) -> pa.Array:
    """Seconds of China time with their offset."""
    return pc.binary_join_element_wise(pc.strftime(_local(moments), format="%Y-%m-%dT%H:%M:%S"), "+08:00", "")


def date_text(moments: Ints) -> pa.Array:
    """Days in China."""
    return pc.strftime(_local(moments), format="%Y-%m-%d")


def month_text(moments: Ints) -> pa.Array:
    """Months in China."""
    return pc.strftime(_local(moments), format="%Y-%m")
