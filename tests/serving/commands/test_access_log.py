"""Who read what, when and why, in a real store; and what a withdrawal does to the very next read."""

from __future__ import annotations

import psycopg
import pytest

from features.calendar import instant
from features.consent import Access, Purpose
from features.errors import Conflict, Invalid
from features.matrix import Missing
from features.timeline.door import Door, FileLog
from features.timeline.lake import Lake
from serving.access.model import NotPermitted, Permission
from serving.commands.access_reading import ReadRow, asked, told
from serving.decisions.replay import replay
from serving.store.session import RefusedByStore, tenant_transaction
from serving.watch import service as watching
from serving.watch.values import build_shares
from tests.serving.feeding import ingest, subject_of
from tests.serving.watch.test_watch import DUE, LOAN, PAID, SIGNALS
from tests.serving.world import CATEGORIES, GOOD, LATE, PLAN, Bank, Client, problem

NOVEMBER = instant("2024-11-20")
WATCHED = "post_loan_management"


def log(bank: Bank, number: str = "", role: str = "auditor", **changes) -> list[ReadRow]:
    """What the auditor is told."""
    typed = {"actor": "", "purpose": "", "since": "", "until": "", "most": 1000, **changes}
    question = asked("person" if number else "", number, **typed)
    return told(bank.settings, bank.database, bank.authority(role, Permission.READ_ACCESS_LOG), question)


@pytest.fixture(scope="module", autouse=True)
def loan(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """LATE owes what it has not paid."""
    made, folder = "2024-08-01T09:00:00", tmp_path_factory.mktemp("loans")
    row = [LATE, "L2", "AL2", made, made, "2025-08-01", "", 9000, 60000, 12, "active", made]
    ingest(bank, folder / "a", "loan", LOAN, [row])
    ingest(bank, folder / "b", "loan_instalment", DUE, [[LATE, "L2", 1, "2024-09-12", "750.50", made]])
    ingest(bank, folder / "c", "loan_payment", PAID, [[LATE, "L2", 1, "2024-09-11T09:00:00", "1", 0]])


def test_a_decision_and_a_prefill_are_told_with_who_when_what_and_why(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD, categories=["bureau", "court"])
    assert client.decide(GOOD, consent).status_code == 201
    assert (
        client.ask("POST", "/v1/prefill", json={"id_number": GOOD, "consent_id": consent}).status_code == 200
    )
    person = f"subject {subject_of(bank, GOOD)}"
    hydrated, decided, prefilled = log(bank, GOOD, purpose="credit_assessment")[-3:]
    assert (hydrated.who, hydrated.whose, hydrated.consents) == ("working set", person, (consent,))
    assert {"bureau_repayment", "court_case", "bank_transaction"} <= set(hydrated.datasets)
    assert "tax_filing" in hydrated.left_out
    for read in (decided, prefilled):
        assert (read.who, read.whose, read.purpose) == ("integration_engineer", person, "credit_assessment")
        assert read.consents == (consent,)
        assert "consent" in read.why
        assert {"bureau", "court"} <= set(read.categories)
    assert "contract" in prefilled.why
    assert "tax_filing" not in prefilled.datasets


def test_what_is_refused_is_no_read(client: Client, bank: Bank) -> None:
    ended = client.consent_id(GOOD, valid_from="2024-01-01", valid_to="2025-01-02")
    before = log(bank)
    problem(client.decide(GOOD, ended), 403, "consent_expired")
    problem(client.ask("POST", "/v1/prefill", json={"id_number": GOOD, "consent_id": ended}), 403)
    assert log(bank) == before


def test_a_replay_is_a_read_of_the_auditors(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    client.decide(GOOD, consent)
    client.ask("DELETE", f"/v1/consents/{consent}")
    found = list(replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY)))
    assert {one.status.value for one in found} == {"same"}
    reads = log(bank, GOOD, actor="auditor")
    assert {read.purpose for read in reads} == {"audit"}
    assert {read.why for read in reads} >= {("contract", "earlier_processing", "open_data")}


def test_the_question_can_be_narrowed_and_nobody_else_may_ask_it(client: Client, bank: Bank) -> None:
    client.consent_id(GOOD)
    everything = log(bank)
    assert log(bank, since="2100-01-01") == log(bank, until="2000-01-01") == []
    assert [read for read in everything if read.purpose == "upkeep"] == log(bank, purpose="upkeep")
    assert log(bank, most=1) == everything[:1]
    assert log(bank, LATE) != log(bank, GOOD)
    assert log(bank, role="stranger") == []
    with pytest.raises(NotPermitted):
        log(bank, role="risk_officer")
    with pytest.raises(Invalid, match="marketing"):
        log(bank, purpose="marketing")


def test_reads_of_commands_beside_the_lake_and_of_everybody_are_told_too(bank: Bank) -> None:
    lake = Lake(bank.settings.lake_root)
    access = Access("yidai train", Purpose.MODEL_DEVELOPMENT, "", bank.clock())
    Door(lake, access, FileLog(lake.root)).whole(PLAN.contracts, ["court_case"])
    (read,) = log(bank, GOOD, purpose="model_development")
    assert (read.whose, read.datasets, read.why) == (
        "everybody",
        ("court_case",),
        ("pseudonymised_statistics",),
    )


@pytest.mark.parametrize("statement", ["UPDATE access_log SET purpose = 'audit'", "DELETE FROM access_log"])
def test_the_log_is_never_changed(client: Client, bank: Bank, statement: str) -> None:
    client.consent_id(GOOD)
    with (
        pytest.raises((Conflict, RefusedByStore, psycopg.errors.InsufficientPrivilege)),
        tenant_transaction(bank.database, "city") as connection,
    ):
        connection.execute(statement)
    with pytest.raises(psycopg.Error, match="append-only"), psycopg.connect(bank.database.admin_url) as owner:
        owner.execute(statement)


def test_a_withdrawal_acts_on_the_next_decision_and_the_next_prefill(client: Client, bank: Bank) -> None:
    consent = client.consent_id(GOOD)
    body = {"id_number": GOOD, "consent_id": consent}
    assert client.decide(GOOD, consent).status_code == 201
    assert client.ask("POST", "/v1/prefill", json=body).status_code == 200
    client.ask("DELETE", f"/v1/consents/{consent}")
    problem(client.decide(GOOD, consent), 403, "consent_withdrawn")
    problem(client.ask("POST", "/v1/prefill", json=body), 403, "consent_withdrawn")


def look(bank: Bank) -> tuple[set[str], set[str]]:
    """Datasets that a watch reads, and those that it leaves out, as its entry tells."""
    officer, lake = bank.authority("risk_officer", Permission.HANDLE_ALERTS), Lake(bank.settings.lake_root)
    watching.watch(bank.database, officer, PLAN, SIGNALS, "0" * 64, lake, NOVEMBER, bank.clock())
    rows = log(bank, LATE, purpose=WATCHED, actor="risk_officer")
    last = [row for row in rows if row.when == rows[-1].when]
    return {name for row in last for name in row.datasets}, {name for row in last for name in row.left_out}


def test_the_watch_reads_the_banks_own_and_what_the_borrower_consented_to(client: Client, bank: Bank) -> None:
    own = {"bank_transaction", "loan", "loan_payment"}
    given = {"bureau_account", "court_case"}
    read, left_out = look(bank)
    assert own <= read
    assert given <= left_out
    client.consent_id(LATE, categories=CATEGORIES)
    assert given <= look(bank)[1], "a consent to assess a credit is none to watch"
    consent = client.consent_id(LATE, categories=["bureau", "court"], purpose=WATCHED)
    read, left_out = look(bank)
    assert own | given <= read
    assert "tax_filing" in left_out
    client.ask("DELETE", f"/v1/consents/{consent}")
    read, left_out = look(bank)
    assert own <= read
    assert given <= left_out


def test_of_each_borrower_only_what_that_borrower_allows_reaches_a_signal(client: Client, bank: Bank) -> None:
    people = [subject_of(bank, LATE), subject_of(bank, GOOD)]
    client.consent_id(LATE, categories=["bureau"], purpose=WATCHED)
    with tenant_transaction(bank.database, "city") as connection:
        officer = bank.authority("risk_officer", Permission.HANDLE_ALERTS)
        door = watching.door_of(connection, officer, Lake(bank.settings.lake_root), bank.clock())
        import numpy as np

        who = np.array(people)
        tables, shares = door.shares(PLAN.contracts, PLAN.datasets, who)
        matrix = build_shares(PLAN, tables, shares, who, np.full(len(who), NOVEMBER), {})
    place = matrix.names.index("bur_overdue_cnt_12m")
    assert matrix.missing[:, place].tolist() == [Missing.PRESENT, Missing.NOT_AUTHORISED]
