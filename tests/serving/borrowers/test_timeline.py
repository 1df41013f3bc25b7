"""Records of a borrower as months and pages: nothing is lost, nothing comes twice, and nothing names anybody."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, NEVER, NULL, instant
from features.timeline.events import EventTable
from serving.borrowers.model import LEAST_REASON, WeakReason, checked_reason, masked
from serving.borrowers.timeline import A_PAGE, MONTHS, timeline
from serving.process.telling import NumberInText
from tests.serving.world import GOOD, PLAN

NAMES = ("bank_transaction", "social_insurance", "bureau_repayment")
CONTRACTS = {name: PLAN.contracts[name] for name in NAMES}
AS_OF = instant("2024-12-31")
Days = list[tuple[int, int]]


def table(name: str, days: Days) -> EventTable:
    """Events so many days before the moment, known so many days later."""
    true = np.sort(np.array([AS_OF - before * DAY for before, _ in days], dtype=np.int64))
    known = true + np.array([later * DAY for _, later in days], dtype=np.int64)
    one = np.ones(len(days), dtype=np.int64)
    columns = {field: np.full(len(days), NULL) for field in CONTRACTS[name].names}
    return EventTable(one, true, one * NEVER, known, one * NEVER, one, columns)


@given(
    st.fixed_dictionaries(
        {name: st.lists(st.tuples(st.integers(-30, 900), st.integers(0, 60)), max_size=60) for name in NAMES}
    )
)
def test_the_pages_together_are_all_that_was_known_the_latest_first(days: dict[str, Days]) -> None:
    tables = {name: table(name, each) for name, each in days.items()}
    seen: list[tuple[int, int, str]] = []
    after, turned = 0, 0
    while True:
        found = timeline(CONTRACTS, tables, (), AS_OF, "", after)
        assert len(found.records) <= A_PAGE
        seen += [(one.valid_from, one.known_from, one.dataset) for one in found.records]
        after, turned = found.after, turned + 1
        if not after:
            break
    assert all(a[0] >= b[0] for a, b in pairwise(seen))
    wanted = [
        (true, known, name)
        for name, each in tables.items()
        for true, known in zip(each.valid_from.tolist(), each.known_from.tolist(), strict=True)
        if true <= AS_OF and known <= AS_OF
    ]
    assert sorted(seen) == sorted(wanted)
    assert found.whole == len(wanted)
    assert turned == max(1, -(-len(wanted) // A_PAGE))


@given(st.lists(st.integers(0, 1_500), max_size=80))
def test_months_count_what_falls_into_them_and_the_total_all(days: list[int]) -> None:
    tables = {"social_insurance": table("social_insurance", [(day, 0) for day in days])}
    found = timeline(CONTRACTS, tables, (), AS_OF, "", 0)
    months = [
        "-".join(str(np.datetime64(AS_OF - day * DAY + 8 * 3_600_000_000, "us")).split("-")[:2])
        for day in days
    ]
    assert len(found.months) == MONTHS
    if not days:
        assert found.sources == ()
        return
    (source,) = found.sources
    assert source.total == len(days)
    assert list(source.counts) == [months.count(month) for month in found.months]


def test_one_source_alone_is_told_by_its_records_and_the_picture_stays_whole() -> None:
    tables = {name: table(name, [(k, 0) for k in range(5)]) for name in NAMES}
    found = timeline(CONTRACTS, tables, ["court_case", "bureau_repayment"], AS_OF, "bank_transaction", 0)
    assert {one.dataset for one in found.records} == {"bank_transaction"}
    assert found.whole == 5
    assert len(found.sources) == 3
    assert [one.dataset for one in found.not_read] == ["bureau_repayment"], (
        "what no contract here names is not told"
    )


@given(st.text("0123456789Xx", max_size=24))
def test_a_masked_number_keeps_its_length_and_five_characters_at_most(number: str) -> None:
    hidden = masked(number)
    assert len(hidden) == len(number)
    assert len(hidden.replace("*", "")) <= 5
    assert number[3:-2] == "" or set(hidden[3:-2]) == {"*"}


@pytest.mark.parametrize("text", ["", " " * 20, "x" * (LEAST_REASON - 1), "a b" + " " * 20, "x" * 501])
def test_a_reason_that_says_nothing_reveals_nothing(text: str) -> None:
    with pytest.raises(WeakReason):
        checked_reason(text)


def test_a_reason_names_nobody() -> None:
    with pytest.raises(NumberInText):
        checked_reason(f"I want to see {GOOD}.")
