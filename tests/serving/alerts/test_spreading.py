"""What follows from an alert: for whom a borrower guarantees, the household, the village; told of nobody more than that."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from features.calendar import instant
from serving.alerts.neighbours import Neighbours
from serving.alerts.seeing import Seen, record_seen
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.book import Book
from serving.watch.document import Group, Level
from serving.watch.evaluate import Hit, Outcome
from tests.serving.alerts.desk import forget_alerts, raised, sighting, stored
from tests.serving.world import Bank

END = instant("2024-11-30T20:00")
SECRET = ("法院", "Court case C1 of 50,000 yuan.", "核实", "Ask.")
NAMES = ("L1", "L2", "L3", "L4")
"""Loans of the subjects 1 to 4."""


@pytest.fixture(autouse=True)
def nothing_raised(bank: Bank) -> None:
    """No alert is left of another test."""
    forget_alerts(bank)


def look(bank: Bank, hits: list[tuple[int, str, Level]], at: int = END, **beside: Any) -> dict[Any, Any]:
    """A whole book in which these rows hit; all alerts then."""
    zero = np.zeros(4, np.int64)
    book = Book(np.arange(4), np.arange(1, 5), zero, zero)
    told = tuple(Hit(row, signal, level, *SECRET, "court_check", Group.EARLY) for row, signal, level in hits)
    known = {"villages": (None,) * 4, "guarantors": {}} | beside
    seen = Seen(
        book, Outcome(told, {}, {}, {"s": np.zeros(4, bool)}), NAMES, "d", at, at, beside=Neighbours(**known)
    )
    with tenant_transaction(bank.database, "city") as connection:
        record_seen(connection, "city", seen)
    return stored(bank)


def test_a_red_guarantor_raises_an_alert_that_names_its_cause_and_nothing_of_it(bank: Bank) -> None:
    found = look(bank, [(1, "court_enforced", Level.RED)], guarantors={0: (2,), 3: (2, 9), 1: (2,)})
    cause = found["L2", "court_enforced"].alert_id
    assert {key for key in found if key[1] == "guarantor_weak"} == {
        ("L1", "guarantor_weak"), ("L4", "guarantor_weak"),
    }  # fmt: skip
    linked = found["L1", "guarantor_weak"]
    assert (linked.level, linked.cause_id, linked.playbook) == ("orange", cause, "linked_review")
    assert "Court" not in json.dumps(linked.evidence)
    assert "court" not in json.dumps(linked.evidence)


def test_it_spreads_no_further_and_not_from_less_than_red(bank: Bank) -> None:
    chain = {0: (2,), 2: (1,)}
    found = look(bank, [(1, "court_enforced", Level.RED)], guarantors=chain)
    assert ("L3", "guarantor_weak") not in found
    forget_alerts(bank)
    assert set(look(bank, [(1, "ss_stop", Level.ORANGE)], guarantors=chain)) == {("L2", "ss_stop")}


def test_a_linked_alert_is_quiet_when_its_cause_is_gone_and_waits_for_a_person(bank: Bank) -> None:
    ties = {0: (2,)}
    look(bank, [(1, "s", Level.RED)], guarantors=ties)
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE alert SET state = 'released', released_at = 1 WHERE signal = 's'")
    for end in ("2024-12-31T20:00", "2025-01-31T20:00"):
        found = look(bank, [], instant(end), guarantors=ties)
    assert found["L1", "guarantor_weak"].state == "pending_release"


def test_a_household_is_told_only_that_a_borrower_of_it_is_in_alert(bank: Bank) -> None:
    with owner_transaction(bank.database) as owner:
        for subject, household in ((1, 77), (2, 77), (3, 78)):
            owner.execute(
                "INSERT INTO subject_timeline (tenant_id, subject_id, version, packed, hydrated_at, household)"
                " VALUES ('city', %s, 1, '', 1, %s) ON CONFLICT (tenant_id, subject_id) DO UPDATE SET household = %s",
                (subject, household, household),
            )
    found = look(bank, [(1, "court_enforced", Level.RED)])
    linked = found["L1", "household_alert"]
    assert {key for key in found if key[1] == "household_alert"} == {("L1", "household_alert")}
    assert linked.level == "yellow"
    assert linked.evidence["en"] == "A loan at this bank of a borrower of the same household has a red alert."


def test_a_village_that_a_disaster_hits_has_one_alert_with_its_loans(bank: Bank) -> None:
    hits = [(row, "disaster_epidemic", Level.ORANGE) for row in range(4)]
    found = look(bank, hits, villages=("a1", "a1", "b2", None))
    assert {(key, row.scope) for key, row in found.items()} == {
        (("a1", "disaster_epidemic"), "village"), (("b2", "disaster_epidemic"), "village"),
        (("L4", "disaster_epidemic"), "loan"),
    }  # fmt: skip
    assert found["a1", "disaster_epidemic"].evidence["loans"] == "L1, L2"
    assert found["a1", "disaster_epidemic"].subject_id is None
    again = look(bank, hits, villages=("a1", "a1", "b2", None))
    assert {row.alert_id for row in again.values()} == {row.alert_id for row in found.values()}


def test_several_borrowers_of_a_village_within_a_month_are_one_village_alert(bank: Bank) -> None:
    villages = ("a1", "a1", "a1", "b2")
    two = look(
        bank, [(0, "s", Level.YELLOW), (1, "s", Level.YELLOW), (3, "s", Level.YELLOW)], villages=villages
    )
    assert ("a1", "village_alert") not in two
    three = look(
        bank, [(row, "s", Level.YELLOW) for row in range(3)], instant("2024-11-30T21:00"), villages=villages
    )
    alert = three["a1", "village_alert"]
    assert (alert.level, alert.village, alert.evidence["loans"]) == ("orange", "a1", "L1, L2, L3")
    assert three["L1", "s"].village == "a1"


def test_a_look_at_one_loan_tells_nothing_of_neighbours(bank: Bank) -> None:
    raised(bank, [sighting(level=Level.RED)], loans=["L1"])
    assert set(stored(bank)) == {("L1", "ss_stop")}
