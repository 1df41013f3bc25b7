"""The sample city's loans run through the book: what its feed says of lateness, the book finds by itself."""

from __future__ import annotations

from collections import defaultdict

import pytest

from features.calendar import DAY, instant
from features.canonical import code_of
from features.loans.feeds import positions
from features.loans.model import State, day_of
from features.loans.rows import BOOK

END = instant("2025-07-01")
BEFORE = instant("2024-09-18")


@pytest.fixture(scope="module")
def feeds(loaded):
    return {name: loaded.lake.read(loaded.contracts[name]) for name in BOOK}


def rows(table) -> list[dict[str, int]]:
    names = list(table.columns)
    return [
        dict(zip(names, values, strict=True))
        for values in zip(*(c.tolist() for c in table.columns.values()), strict=True)
    ]


@pytest.mark.parametrize("as_of", [BEFORE, END])
def test_days_late_of_the_feed_are_those_of_the_book(feeds, as_of) -> None:
    told = {
        (row["loan_id"], row["number"]): row["days_late"]
        for row in rows(feeds["loan_payment"].visible(as_of))
    }
    found = {
        (code, number): line.settled_day - line.due_day
        for code, one in positions(feeds, as_of)
        for number, line in enumerate(one.lines, start=1)
        if line.settled_day is not None
    }
    assert len(told) > 300
    assert found == told


@pytest.mark.parametrize("as_of", [BEFORE, END])
def test_dpd_is_the_age_of_the_oldest_instalment_without_a_payment(feeds, as_of) -> None:
    paid = {(row["loan_id"], row["number"]) for row in rows(feeds["loan_payment"].visible(as_of))}
    oldest: dict[int, int] = defaultdict(int)
    for row in rows(feeds["loan_instalment"]):
        if (row["loan_id"], row["number"]) not in paid:
            late = (as_of - row["due_on"]) // DAY
            oldest[row["loan_id"]] = max(oldest[row["loan_id"]], late, 0)
    found = {code: one.dpd for code, one in positions(feeds, as_of)}
    assert found == {code: oldest[code] for code in found}
    assert sum(dpd > 0 for dpd in found.values()) > 5


def test_no_record_of_the_city_is_refused_and_every_state_is_that_of_the_feed(feeds) -> None:
    told = {row["loan_id"]: row["state"] for row in rows(feeds["loan"].visible(END))}
    for code, one in positions(feeds, END):
        assert not one.refused
        assert one.due.total_fen == one.paid.total_fen + one.owed.total_fen
        assert (one.state is State.SETTLED) == (told[code] == code_of("settled"))
        assert (one.state is State.CHARGED_OFF) == (told[code] == code_of("charged_off"))


def test_a_loan_is_not_seen_before_it_was_told(feeds) -> None:
    first = min(row["drawn_at"] for row in rows(feeds["loan"]) if row["drawn_at"] > 0)
    assert not list(positions(feeds, first - 1))
    assert {day_of(one.as_of) for _, one in positions(feeds, END)} == {day_of(END)}
