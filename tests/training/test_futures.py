"""The future shuffled changes no feature, and a feature that reads it is found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import DAY, NEVER
from features.consent import Access, Purpose
from features.timeline.door import Door, MemoryLog
from tests.features.conftest import Loaded, loaded, small_city
from tests.training.test_labels import table
from training.futures import ReadsTheFuture, check_future, scramble
from training.population import read_people
from training.portfolio import find_portfolio, load_portfolio

__all__ = ["loaded", "small_city"]


@pytest.fixture(scope="module")
def read(loaded: Loaded):
    """Plan, tables, subjects, as-of instants and requests of the small city, without views through links."""
    city = load_portfolio(find_portfolio("city"))
    door = Door(loaded.lake, Access("test", Purpose.MODEL_DEVELOPMENT, "", 0), MemoryLog())
    found = door.whole(city.contracts, city.contracts)
    people, as_of, request = read_people(city, found.tables)
    views = sorted(set(city.plan.datasets) - set(city.contracts))
    more = door.whole(city.contracts, views, np.unique(people.subject))
    masked = {n: kind for n, kind in (found.left_out | more.left_out).items() if n in city.plan.datasets}
    return city.plan, found.tables | more.tables, masked, people.subject, as_of, request


def test_the_citys_features_do_not_read_the_future(read) -> None:
    plan, tables, masked, subjects, as_of, request = read
    matrix = plan.build(tables, subjects, as_of, masked, request)
    found = check_future(plan, tables, masked, subjects, as_of, request, matrix)
    assert found.rows == 24
    assert found.records > 1000


def test_features_computed_with_what_was_known_a_year_later_are_found(read) -> None:
    plan, tables, masked, subjects, as_of, request = read
    matrix = plan.build(tables, subjects, as_of + 365 * DAY, masked, request)
    with pytest.raises(ReadsTheFuture, match="records that became known after"):
        check_future(plan, tables, masked, subjects, as_of, request, matrix)


ROWS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 40), st.integers(0, 9))
def test_what_was_known_stays_and_nothing_of_the_future_becomes_known(rows, moment, seed) -> None:
    events = table(
        [
            {"subject": 1, "at": at * DAY, "known": known * DAY, "known_to": (known + 5) * DAY if ends else NEVER,
             "version": n, "amount": n}
            for n, (at, known, ends) in enumerate(rows)
        ],
        ("amount",),
    )  # fmt: skip
    other = scramble(events, moment * DAY, np.random.default_rng(seed))
    for day in range(moment + 1):
        before, after = events.visible(day * DAY), other.visible(day * DAY)
        assert before.columns["amount"].tolist() == after.columns["amount"].tolist()
        assert before.valid_from.tolist() == after.valid_from.tolist()
