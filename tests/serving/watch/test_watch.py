"""A month-end of a small book, on a real database: who is told, with what evidence, and never twice."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from psycopg.rows import namedtuple_row

from features.calendar import DAY, instant
from features.consent import Access, Consent, Purpose
from features.timeline.door import Door, MemoryLog
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.alerts.seeing import Seen, record_seen
from serving.store.session import tenant_transaction
from serving.watch.book import Book
from serving.watch.document import Group
from serving.watch.service import WatchReport, look, watch
from serving.watch.signals import (
    SHIPPED,
    BrokenSignal,
    Hit,
    Level,
    Outcome,
    SignalsDocument,
    load_signals,
)
from tests.serving.alerts.desk import forget_alerts
from tests.serving.feeding import ingest, subject_of
from tests.serving.world import CATEGORIES, GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client

SIGNALS = load_signals(SHIPPED, [*(column.name for column in PLAN.columns), "dpd", "overdue_yuan"])
LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
PAID = "id_number loan_id number paid_at amount days_late"
NOVEMBER = instant("2024-11-20")


@pytest.fixture(scope="module", autouse=True)
def book(bank: Bank, client: Client, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Borrowers who consented to be watched. GOOD pays L1 and has settled L0; LATE pays nothing of L2 and L3; MIDDLE was late once; POOR draws later."""
    for number in (GOOD, LATE, MIDDLE, POOR):
        client.consent_id(number, purpose="post_loan_management")
    folder = tmp_path_factory.mktemp("loans")
    given = [
        (GOOD, "L0", "settled"), (GOOD, "L1", "active"), (LATE, "L2", "active"), (LATE, "L3", "active"),
        (MIDDLE, "L4", "active"),
    ]  # fmt: skip
    made = "2024-08-01T09:00:00"
    loans = [
        [n, loan, f"A{loan}", made, made, "2025-08-01", "", 9000, 60000, 12, state, made]
        for n, loan, state in given
    ]
    loans.append([POOR, "L5", "AL5", "2025-02-01T09:00:00", "2025-02-01T09:00:00", "", "", 5000, 60000, 12, "active", "2025-02-01T09:00:00"])  # fmt: skip
    dues = [
        [n, loan, k - 8, f"2024-{k:02d}-12", "750.50", made] for n, loan, _ in given for k in (9, 10, 11, 12)
    ]
    paid = [
        [GOOD, loan, k - 8, f"2024-{k:02d}-11T09:00:00", "750.50", 0]
        for loan in ("L0", "L1")
        for k in (9, 10, 11, 12)
    ]
    paid += [[MIDDLE, "L4", k - 8, f"2024-{k + 1:02d}-15T09:00:00", "750.50", 33] for k in (9, 10, 11)]
    ingest(bank, folder / "a", "loan", LOAN, loans)
    ingest(bank, folder / "b", "loan_instalment", DUE, dues)
    ingest(bank, folder / "c", "loan_payment", PAID, paid)


def run(bank: Bank, at: int, signals: SignalsDocument = SIGNALS, role: str = "risk_officer") -> WatchReport:
    """One run of the watch."""
    authority = bank.authority(role, Permission.HANDLE_ALERTS)
    lake, clock = Lake(bank.settings.lake_root), bank.clock()
    return watch(bank.database, authority, PLAN, signals, "0" * 64, lake, at, clock)


def door(bank: Bank) -> Door:
    """As the watch reads, for borrowers who consented to everything."""
    people = [subject_of(bank, number) for number in (GOOD, LATE, MIDDLE, POOR)]
    purpose = Purpose.POST_LOAN_MANAGEMENT
    consents = tuple(
        Consent(uuid4(), who, tuple(CATEGORIES), purpose.value, 0, 2**62, None, "city") for who in people
    )
    return Door(Lake(bank.settings.lake_root), Access("test", purpose, "city", 1, consents), MemoryLog())


def inbox(bank: Bank, loan: str = "") -> dict[tuple[str, str], Any]:
    """The open alerts by loan and signal."""
    asked = "SELECT * FROM alert WHERE state <> 'released' AND (%s = '' OR loan = %s)"
    with tenant_transaction(bank.database, "city") as connection:
        connection.row_factory = namedtuple_row
        return {(row.loan, row.signal): row for row in connection.execute(asked, (loan, loan)).fetchall()}


@pytest.fixture(autouse=True)
def empty_inbox(bank: Bank) -> None:
    """No alert is left of another test."""
    forget_alerts(bank)


def test_only_drawn_loans_that_have_not_ended_are_watched(bank: Bank) -> None:
    open_loans, _ = look(PLAN, SIGNALS, door(bank), NOVEMBER)
    people = [subject_of(bank, number) for number in (GOOD, LATE, LATE, MIDDLE)]
    assert sorted(open_loans.subject.tolist()) == sorted(people)
    assert run(bank, instant("2025-03-01")).loans == 5


def test_an_alert_names_the_loan_and_its_evidence_can_be_checked(bank: Bank) -> None:
    run(bank, NOVEMBER)
    found = inbox(bank)
    assert {loan for loan, signal in found if signal == "dpd_open"} == {"L2", "L3", "L4"}
    alert = found["L2", "dpd_open"]
    assert (alert.level, alert.state, alert.coverage) == ("red", "new", "partial")
    assert alert.subject_id == subject_of(bank, LATE)
    assert (
        alert.evidence["en"]
        == "69 days past due, 2,251.5 yuan overdue (as of 2024-11-20, this bank's loan book)."
    )
    assert alert.evidence["zh"] == "逾期 69 天，逾期金额 2,251.5 元（截至 2024-11-20，来源：本行还款台账）。"
    assert alert.evidence["action_zh"]
    assert alert.evidence["expects_en"]
    assert alert.signals_digest == "0" * 64
    assert (alert.dpd, alert.overdue_fen) == (69, 225_150)
    assert (
        found["L4", "dpd_open"].evidence["en"]
        == "8 days past due, 750.5 yuan overdue (as of 2024-11-20, this bank's loan book)."
    )


def test_running_again_raises_nothing_twice(bank: Bank) -> None:
    first = run(bank, NOVEMBER)
    before = inbox(bank)
    assert (first.raised, first.worsened) == (len(first.hits), 0)
    again = run(bank, NOVEMBER)
    assert (again.raised, again.worsened) == (0, 0)
    assert inbox(bank) == before
    later = run(bank, NOVEMBER + 3 * DAY)
    assert (later.raised, later.worsened) == (0, 0)
    after = inbox(bank)
    assert {key: (row.level, row.state, row.points, row.version) for key, row in after.items()} == {
        key: (row.level, row.state, row.points, row.version) for key, row in before.items()
    }
    assert after["L2", "dpd_open"].evidence["en"].startswith("72 days"), "the evidence is today's"


def test_within_a_month_only_a_graver_level_changes_an_alert(bank: Bank) -> None:
    early, later = instant("2024-09-14"), instant("2024-09-25")
    assert run(bank, early).raised == 3
    assert inbox(bank)["L2", "dpd_open"].level == "yellow"
    report = run(bank, later)
    assert (report.raised, report.worsened) == (0, 3)
    alert = inbox(bank)["L2", "dpd_open"]
    assert (alert.level, alert.state) == ("orange", "new")
    assert (
        alert.evidence["en"]
        == "13 days past due, 750.5 yuan overdue (as of 2024-09-25, this bank's loan book)."
    )
    assert (alert.raised_at, alert.updated_at) == (early, later)
    run(bank, early)
    assert inbox(bank)["L2", "dpd_open"] == alert, "what comes late changes nothing"


def test_from_point_to_point_an_alert_is_ongoing_and_three_demand_a_disposal(bank: Bank) -> None:
    ends = [instant(f"{day}T20:00:00") for day in ("2024-10-31", "2024-11-30", "2024-12-31")]
    told = []
    for end in ends:
        run(bank, end)
        alert = inbox(bank)["L2", "dpd_open"]
        told.append((alert.state, alert.points, alert.disposal_due is not None))
    assert told == [("new", 1, False), ("ongoing", 2, False), ("ongoing", 3, True)]
    before = inbox(bank)
    for end in reversed(ends):
        report = run(bank, end)
        assert (report.raised, report.worsened) == (0, 0)
    assert inbox(bank) == before
    run(bank, instant("2026-03-31T20:00:00"))
    assert inbox(bank)["L2", "dpd_open"].points == 1, "a clock that jumped is no row of points"


def test_what_contradicts_the_payment_record_says_so(bank: Bank) -> None:
    one = np.ones(1, np.int64)
    said = ("zh", "en", "zh", "en")
    early, repayment = Group.EARLY, Group.REPAYMENT
    for dpd, signal, group in (
        (0, "ss_stop", early),
        (3, "court_litigation", early),
        (0, "autopay_fail", repayment),
    ):
        outcome = Outcome((Hit(0, signal, Level.ORANGE, *said, "", group),), {}, {})
        with tenant_transaction(bank.database, "city") as connection:
            seen = Seen(Book(one, one, one * dpd, one * dpd), outcome, ("L9",), "", NOVEMBER, NOVEMBER)
            record_seen(connection, "city", seen)
    told = {signal: row.evidence.get("contradicts_en") for (_, signal), row in inbox(bank).items()}
    assert told.pop("ss_stop") == "The payment record says otherwise: nothing is overdue on this loan."
    assert told == {"court_litigation": None, "autopay_fail": None}


def test_a_loan_that_ends_leaves_its_alerts_to_a_person(bank: Bank) -> None:
    run(bank, NOVEMBER)
    with tenant_transaction(bank.database, "city") as connection:
        nothing = Outcome((), {}, {})
        for day in ("2024-12-31", "2025-01-31"):
            empty = Book(*(np.zeros(0, np.int64) for _ in range(4)))
            at = instant(f"{day}T20:00:00")
            record_seen(connection, "city", Seen(empty, nothing, (), "", at, at))
    assert {row.state for row in inbox(bank).values()} == {"pending_release"}


def test_what_is_not_known_is_skipped_and_counted(bank: Bank) -> None:
    report = run(bank, instant("2025-03-01"))
    open_loans, outcome = look(PLAN, SIGNALS, door(bank), instant("2025-03-01"))
    assert report.skipped == outcome.skipped
    assert report.skipped["dpd_open"] == 0
    everyone = len(open_loans.loan)
    never_delivered = {
        "other_bank_overdue",
        "account_frozen",
        "fund_backflow",
        "guarantor_weak",
        "score_drop",
    }
    assert {report.skipped[signal] for signal in never_delivered | {"autopay_fail"}} == {everyone}
    assert not [hit for hit in report.hits if hit.signal == "autopay_fail"]
    assert (outcome.blind["autopay_fail"].all(), outcome.blind["dpd_open"].any()) == (True, False)


def test_without_a_borrowers_consent_other_sources_are_not_authorised_rather_than_unknown(bank: Bank) -> None:
    nobody = Access("test", Purpose.POST_LOAN_MANAGEMENT, "city", 1)
    book, outcome = look(PLAN, SIGNALS, Door(Lake(bank.settings.lake_root), nobody, MemoryLog()), NOVEMBER)
    elsewhere = {"other_bank_overdue", "ss_stop", "court_litigation"}
    refused = {signal for signal, count in outcome.not_authorised.items() if count == len(book.loan)}
    assert elsewhere <= refused
    assert all(outcome.skipped[signal] == 0 for signal in elsewhere)
    assert outcome.not_authorised["dpd_open"] == 0
    assert not any(run(bank, NOVEMBER).not_authorised.values())


def test_each_run_is_in_the_audit_log(bank: Bank) -> None:
    report = run(bank, NOVEMBER)
    with tenant_transaction(bank.database, "city") as connection:
        row = connection.execute(
            "SELECT object, detail FROM audit_log WHERE action = 'watch.run' ORDER BY entry DESC LIMIT 1"
        ).fetchone()
    assert row == ("0" * 64, {"loans": 4, "raised": report.raised})


def test_a_signal_of_an_unknown_feature_stores_nothing(bank: Bank) -> None:
    import msgspec

    document = msgspec.to_builtins(SIGNALS)
    document["signals"][0]["levels"][0]["all"][0]["feature"] = "no_such_feature"
    with pytest.raises(BrokenSignal, match="no_such_feature"):
        run(bank, NOVEMBER, msgspec.convert(document, SignalsDocument))
    assert inbox(bank) == {}
