"""Who stands beside a borrower, read through the door: guarantors by contract, villages by consent."""

from __future__ import annotations

from uuid import uuid4

import numpy as np
import pytest

from features.calendar import instant
from features.canonical import code_of
from features.consent import Access, Consent, Purpose
from features.timeline.door import Door, MemoryLog
from features.timeline.lake import Lake
from serving.alerts.neighbours import neighbours
from serving.watch.book import Book
from tests.serving.feeding import ingest, subject_of
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, POOR, Bank

NOW = instant("2024-11-20")
GUARANTEE = (
    "id_number guarantee_no loan_id guarantor_id_number signed_on ends_on amount ring_size published_at"
)
REGISTER = "id_number household_no role birth_date name address phone village registered_since registered_until published_at"


@pytest.fixture(scope="module")
def book(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Book:
    """L1 of GOOD and L2 of LATE. MIDDLE guarantees for L1, POOR for all that LATE owes; another's guarantee is over."""
    folder, at = tmp_path_factory.mktemp("beside"), "2024-01-02T09:00:00"
    ingest(bank, folder / "a", "guarantee", GUARANTEE, [
        [GOOD, "G1", "L1", MIDDLE, "2024-01-01", "", 5000, 2, at],
        [LATE, "G2", "", POOR, "2024-01-01", "", 5000, 2, at],
        [GOOD, "G3", "L1", POOR, "2023-01-01", "2024-02-01", 5000, 2, at],
    ])  # fmt: skip
    ingest(bank, folder / "b", "population_register", REGISTER, [
        [who, f"H{who[-4:]}", "head", "1985-06-12", "", "", "", village, "2020-01-01", "", at]
        for who, village in ((GOOD, "Upper"), (LATE, "Upper"))
    ])  # fmt: skip
    zero = np.zeros(2, np.int64)
    loans = np.array([code_of("L1"), code_of("L2")])
    return Book(loans, np.array([subject_of(bank, GOOD), subject_of(bank, LATE)]), zero, zero)


def door(bank: Bank, *who: str) -> Door:
    """As the watch reads, with consents of these to their register."""
    purpose = Purpose.POST_LOAN_MANAGEMENT
    consents = tuple(
        Consent(uuid4(), subject_of(bank, each), ("identity",), purpose.value, 0, 2**62, None, "city")
        for each in who
    )
    return Door(Lake(bank.settings.lake_root), Access("test", purpose, "city", 1, consents), MemoryLog())


def test_guarantors_are_those_whose_guarantee_holds(bank: Bank, book: Book) -> None:
    found = neighbours(PLAN, door(bank), book, NOW)
    assert found.guarantors == {0: (subject_of(bank, MIDDLE),), 1: (subject_of(bank, POOR),)}
    early = neighbours(PLAN, door(bank), book, instant("2024-01-20"))
    assert set(early.guarantors[0]) == {subject_of(bank, MIDDLE), subject_of(bank, POOR)}


def test_a_village_is_known_of_who_allows_the_register(bank: Bank, book: Book) -> None:
    assert neighbours(PLAN, door(bank), book, NOW).villages == (None, None)
    one = neighbours(PLAN, door(bank, GOOD), book, NOW).villages
    both = neighbours(PLAN, door(bank, GOOD, LATE), book, NOW).villages
    assert one == (both[0], None)
    assert both[0] is not None
    assert both[0] == both[1]
