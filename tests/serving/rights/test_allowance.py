"""Two free reports a year, two more within the first half of 2026: counted against an oracle that lists them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, instant, local_date
from serving.rights.allowance import YEARLY, Allowance, Extra, allowance

BEGINS, ENDS = instant("2025-01-01"), instant("2028-01-01")
MOMENTS = st.lists(st.integers(BEGINS, ENDS - 1), max_size=30).map(sorted)


def granted(document: Allowance, moments: list[int]) -> list[str | None]:
    """What each report takes, one after the other."""
    used: dict[int, Counter[str]] = {}
    told = []
    for at in moments:
        year = used.setdefault(local_date(at).year, Counter())
        taken = document.free(year, at)
        if taken is not None:
            year[taken] += 1
        told.append(taken)
    return told


@given(MOMENTS)
def test_free_are_the_first_two_of_a_year_and_two_more_of_the_first_half_of_2026(moments: list[int]) -> None:
    told = granted(allowance(), moments)
    for year in (2025, 2026, 2027):
        mine = [(at, one) for at, one in zip(moments, told, strict=True) if local_date(at).year == year]
        early = [at for at, _ in mine if year == 2026 and local_date(at).month <= 6]
        free = sum(one is not None for _, one in mine)
        assert free == min(len(early), 2) + min(len(mine) - min(len(early), 2), 2)


@given(MOMENTS)
def test_whoever_used_less_is_never_refused_where_more_was_free(moments: list[int]) -> None:
    told = granted(allowance(), moments)
    for place, at in enumerate(moments):
        if told[place] is not None:
            fewer = granted(allowance(), [*moments[: max(place - 1, 0)], at])
            assert fewer[-1] is not None


def test_the_extra_is_used_first_so_that_the_yearly_ones_are_left() -> None:
    day = instant("2026-03-01")
    told = granted(allowance(), [day, day + DAY, day + 2 * DAY, day + 3 * DAY, day + 4 * DAY])
    assert told == ["first_half_2026", "first_half_2026", YEARLY, YEARLY, None]


def test_the_day_after_an_extra_ends_it_is_gone() -> None:
    extra = Extra("x", "2026-01-01", "2026-07-01", 2, "REG-CR-06")
    document = Allowance(1, 0, "REG-CR-06", (extra,))
    assert document.free({}, instant("2026-07-01") - 1) == "x"
    assert document.free({}, instant("2026-07-01")) is None
