"""A record that is accepted raises its alert at once, and says what a look at the whole book would have said."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.calendar import DAY
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.alerts.desk import forget_alerts
from tests.serving.loans.desk import Desk
from tests.serving.watch.street import BORROWERS, Street, settle, subjects
from tests.serving.world import GOOD, LATE, POOR, STRANGER, Bank, Client

FROZEN = "account_frozen"


@pytest.fixture(scope="module")
def street(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> Street:
    """Four borrowers, everybody watched."""
    return settle(bank, client, tmp_path_factory.mktemp("loans"))


@pytest.fixture(autouse=True)
def empty_inbox(bank: Bank, street: Street) -> None:
    """No alert is left of another test, and nobody waits."""
    street.look()
    forget_alerts(bank)


def test_a_record_about_a_borrower_raises_its_alert(bank: Bank, street: Street) -> None:
    street.freeze(LATE)
    assert street.waiting() == subjects(bank, [LATE])
    assert len(street.look()) == 1
    alert = street.alerts()["L2", FROZEN]
    assert (alert["level"], alert["state"], alert["points"]) == ("red", "new", 0)
    assert {loan for loan, _ in street.alerts()} == {"L2"}
    assert street.waiting() == []
    assert street.look() == [], "nobody waits any more"


def test_who_owes_nothing_costs_nothing(street: Street) -> None:
    street.sue(STRANGER)
    assert street.waiting() == []


def test_many_records_about_one_wait_as_one(bank: Bank, street: Street) -> None:
    for _ in range(3):
        street.sue(GOOD)
    street.sue(LATE)
    assert sorted(street.waiting()) == subjects(bank, [GOOD, LATE])


def test_a_record_that_comes_while_its_borrower_is_looked_at_waits_beside(bank: Bank, street: Street) -> None:
    street.sue(GOOD)
    with tenant_transaction(bank.database, "city") as worker:
        worker.execute("SELECT 1 FROM watch_queue FOR UPDATE")
        street.sue(GOOD)
    assert street.waiting() == subjects(bank, [GOOD]) * 2
    assert len(street.look()) == 1, "and both are looked at together"


def test_a_record_that_is_known_later_is_looked_at_then(bank: Bank, street: Street) -> None:
    later = bank.clock.now + DAY
    now, bank.clock.now = bank.clock.now, later
    row = {"freeze_no": "LATER", "frozen_on": street.said()[:10], "authority": "court", "amount": "1"}
    said = street.said()
    bank.clock.now = now
    street.tell("account_freeze", GOOD, **row, published=said)
    assert street.look() == []
    assert street.waiting() == subjects(bank, [GOOD])
    bank.clock.now = later + 10_000_000
    street.look()
    assert street.alerts()["L1", FROZEN]["level"] == "red"


def lent(street: Street, number: str) -> Desk:
    """A loan that is told by call, nothing of it due yet."""
    desk, day = Desk(street.client), street.said()[:10]
    assert desk.grant(id_number=number, granted_at=day).status_code == 201
    due = {"due_on": "2026-01-05", "principal_fen": 1_000, "interest_fen": 0}
    assert desk.tell("drawdowns", at=day, amount_fen=1_000, schedule=[due]).status_code == 201
    return desk


def test_a_loan_told_by_call_is_watched_and_what_its_borrower_guarantees_follows(
    bank: Bank, street: Street
) -> None:
    desk = lent(street, STRANGER)
    assert street.waiting() == subjects(bank, [STRANGER])
    assert ("city", *subjects(bank, [STRANGER])) in street.watched()
    street.look()
    street.vouch(STRANGER, POOR)
    street.look()
    assert desk.loan not in {loan for loan, _ in street.alerts()}
    assert ("L4", "guarantor_weak") not in street.alerts()
    street.freeze(STRANGER)
    street.look()
    assert street.alerts()[desk.loan, FROZEN]["level"] == "red"
    found = street.alerts()["L4", "guarantor_weak"]
    assert (found["level"], found["caused"]) == ("orange", True)


def test_another_tenants_borrowers_are_nobody_here(bank: Bank, street: Street) -> None:
    """The lake is shared; whose loans they are is not."""
    assert street.night(tenant="other").loans == 0
    assert {tenant for tenant, _ in street.watched()} == {"city"}
    with tenant_transaction(bank.database, "other") as connection:
        assert connection.execute("SELECT count(*) FROM watched").fetchone() == (0,)


def test_without_signals_in_force_nobody_waits_for_ever(bank: Bank, street: Street) -> None:
    with owner_transaction(bank.database) as owner:
        owner.execute(
            "INSERT INTO watched SELECT 'other', subject_id, 0 FROM watched WHERE tenant_id = 'city'"
        )
    street.freeze(LATE)
    assert len(street.waiting()) == 2, "of two banks that lend to one person each looks"
    street.look()
    assert street.waiting() == []
    assert street.alerts("other") == {}
    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM watched WHERE tenant_id = 'other'")


def test_what_was_read_of_whom_is_written_down(bank: Bank, street: Street) -> None:
    street.freeze(LATE)
    street.look()
    asked = "SELECT subjects, datasets FROM access_log WHERE actor = 'watch' AND purpose = 'post_loan_management' ORDER BY at DESC LIMIT 1"
    with tenant_transaction(bank.database, "city") as connection:
        row = connection.execute(asked).fetchone()
    assert row is not None
    assert row[0] == subjects(bank, [LATE])
    assert {"account_freeze", "court_case", "loan"} <= set(row[1])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["freeze", "sue", "vouch", "pay"]),
        st.sampled_from(sorted(BORROWERS)),
        st.sampled_from([0, 0, 1, 19]),
    ),
    min_size=1,
    max_size=3,
)


def told(street: Street, what: str, number: str, turn: int) -> None:
    """One record of a stream."""
    if what == "vouch":
        others = [each for each in sorted(BORROWERS) if each != number]
        street.vouch(others[turn % len(others)], number)
    elif what == "pay":
        street.pay(number, 1 + turn % 2)
    else:
        getattr(street, what)(number)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_alerts_at_once_are_those_of_a_look_at_the_whole_book_after_each_record(
    bank: Bank, street: Street, steps: list[tuple[str, str, int]]
) -> None:
    """The book is bitemporal: it is looked at again as of each moment at which somebody was looked at."""
    forget_alerts(bank)
    looks = [bank.clock()]
    street.night(looks[0])
    for turn, (what, number, days) in enumerate(steps):
        bank.clock.now += days * DAY + 2_000_000
        if days:  # the night before, and what a new day does to loans that no record is about
            looks.append(bank.clock())
            street.night(looks[-1])
        told(street, what, number, turn)
        street.look()
        looks.append(bank.clock())
    last = bank.clock() + 1_000_000
    before = street.alerts()
    report = street.night(last)
    assert (report.raised, report.worsened) == (0, 0), "the night finds nothing that was not told at once"
    at_once = street.alerts()
    assert at_once.keys() == before.keys()
    forget_alerts(bank)
    for look in [*looks, last]:
        street.night(look)
    assert street.alerts() == at_once
