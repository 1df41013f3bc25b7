"""A month-end of a small book, on a real database: who is told, with what evidence, and never twice."""

from __future__ import annotations

from uuid import uuid4

import pytest

from features.calendar import DAY, instant
from features.consent import Access, Consent, Purpose
from features.timeline.door import Door, MemoryLog
from features.timeline.lake import Lake
from serving.access.model import NotPermitted, Permission
from serving.store.session import tenant_transaction
from serving.watch.inbox import AlertRow, alerts
from serving.watch.service import WatchReport, look, watch
from serving.watch.signals import SHIPPED, BrokenSignal, Level, SignalsDocument, load_signals
from tests.serving.feeding import ingest, subject_of
from tests.serving.world import CATEGORIES, GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client

SIGNALS = load_signals(SHIPPED, [*(column.name for column in PLAN.columns), "dpd", "overdue_yuan"])
LOAN = "id_number loan_id application_id granted_at drawn_at due_on ended_at principal annual_rate_ppm term_months state published_at"  # fmt: skip
DUE = "id_number loan_id number due_on due_amount published_at"
PAID = "id_number loan_id number paid_at amount days_late"
OCTOBER, NOVEMBER, DECEMBER = instant("2024-10-20"), instant("2024-11-20"), instant("2024-12-20")


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


def inbox(bank: Bank, at: int, loan: str = "") -> dict[tuple[str, str], AlertRow]:
    """The month's alerts by loan and signal."""
    authority = bank.authority("risk_officer", Permission.HANDLE_ALERTS)
    return {(row.loan, row.signal): row for row in alerts(bank.database, authority, at, loan=loan)}


@pytest.fixture(autouse=True)
def empty_inbox(bank: Bank) -> None:
    """No alert is left of another test."""
    from serving.store.session import owner_transaction

    with owner_transaction(bank.database) as owner:
        owner.execute("DELETE FROM alert")


def test_only_drawn_loans_that_have_not_ended_are_watched(bank: Bank) -> None:
    open_loans, _ = look(PLAN, SIGNALS, door(bank), NOVEMBER)
    people = [subject_of(bank, number) for number in (GOOD, LATE, LATE, MIDDLE)]
    assert sorted(open_loans.subject.tolist()) == sorted(people)
    assert run(bank, instant("2025-03-01")).loans == 5


def test_an_alert_names_the_loan_and_its_evidence_can_be_checked(bank: Bank) -> None:
    run(bank, NOVEMBER)
    found = inbox(bank, NOVEMBER)
    assert {loan for loan, signal in found if signal == "dpd_open"} == {"L2", "L3", "L4"}
    alert = found["L2", "dpd_open"]
    assert (alert.level, alert.state, alert.points) == (Level.RED, "new", 1)
    assert alert.subject_id == subject_of(bank, LATE)
    assert alert.evidence_en == "69 days past due, 2,251.5 yuan overdue."
    assert alert.evidence_zh == "逾期 69 天，逾期金额 2,251.5 元。"
    assert alert.action_zh
    assert alert.action_en
    assert alert.signals_digest == "0" * 64
    assert found["L4", "dpd_open"].evidence_en == "8 days past due, 750.5 yuan overdue."


def test_running_again_raises_nothing_twice(bank: Bank) -> None:
    first = run(bank, NOVEMBER)
    before = inbox(bank, NOVEMBER)
    assert (first.raised, first.worsened) == (len(first.hits), 0)
    again = run(bank, NOVEMBER)
    assert (again.raised, again.worsened) == (0, 0)
    assert len(again.hits) == len(first.hits)
    later = run(bank, NOVEMBER + 3 * DAY)
    assert (later.raised, later.worsened) == (0, 0)
    assert inbox(bank, NOVEMBER) == before


def test_within_a_month_only_a_graver_level_changes_an_alert(bank: Bank) -> None:
    early, later = instant("2024-09-14"), instant("2024-09-25")
    assert run(bank, early).raised == 3
    assert inbox(bank, early)["L2", "dpd_open"].level is Level.YELLOW
    report = run(bank, later)
    assert (report.raised, report.worsened) == (0, 3)
    alert = inbox(bank, later)["L2", "dpd_open"]
    assert (alert.level, alert.state, alert.points) == (Level.ORANGE, "new", 1)
    assert alert.evidence_en == "13 days past due, 750.5 yuan overdue."
    assert (alert.raised_at, alert.updated_at) == (early, later)
    run(bank, early)
    assert inbox(bank, early)["L2", "dpd_open"].level is Level.ORANGE


def test_from_month_to_month_an_alert_is_ongoing_and_a_gap_begins_anew(bank: Bank) -> None:
    run(bank, OCTOBER)
    run(bank, NOVEMBER)
    alert = inbox(bank, NOVEMBER)["L2", "dpd_open"]
    assert (alert.state, alert.points) == ("ongoing", 2)
    run(bank, DECEMBER)
    assert inbox(bank, DECEMBER)["L2", "dpd_open"].points == 3
    assert inbox(bank, OCTOBER)["L2", "dpd_open"].state == "new"
    run(bank, instant("2025-02-20"))
    alert = inbox(bank, instant("2025-02-20"))["L2", "dpd_open"]
    assert (alert.state, alert.points) == ("new", 1)


def test_the_gravest_stand_first_and_one_loan_can_be_asked_for(bank: Bank) -> None:
    run(bank, NOVEMBER)
    levels = [row.level for row in inbox(bank, NOVEMBER).values()]
    assert levels == sorted(levels, key=[Level.RED, Level.ORANGE, Level.YELLOW].index)
    assert {loan for loan, _ in inbox(bank, NOVEMBER, "L2")} == {"L2"}
    authority = bank.authority("risk_officer", Permission.HANDLE_ALERTS)
    assert len(alerts(bank.database, authority, NOVEMBER, most=1)) == 1


def test_what_is_not_known_is_skipped_and_counted(bank: Bank) -> None:
    report = run(bank, instant("2025-03-01"))
    open_loans, outcome = look(PLAN, SIGNALS, door(bank), instant("2025-03-01"))
    assert report.skipped == outcome.skipped
    assert report.skipped["dpd_open"] == 0
    nothing_to_fail = len(open_loans.loan)
    assert {signal: n for signal, n in report.skipped.items() if n} == {"autopay_fail": nothing_to_fail}
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
    assert run(bank, NOVEMBER).not_authorised == dict.fromkeys(outcome.not_authorised, 0)


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
    assert inbox(bank, NOVEMBER) == {}


def test_only_who_handles_alerts_sees_them_and_only_of_the_own_tenant(bank: Bank) -> None:
    run(bank, NOVEMBER)
    with pytest.raises(NotPermitted):
        alerts(bank.database, bank.authority("auditor", Permission.REPLAY), NOVEMBER)
    assert alerts(bank.database, bank.authority("stranger", Permission.HANDLE_ALERTS), NOVEMBER) == []
