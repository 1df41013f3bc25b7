"""A person is forgotten, when the law allows it: nobody reads or finds the person again, and proofs stay."""

from __future__ import annotations

from uuid import UUID

import pyarrow.parquet as pq
import pytest
from psycopg import sql

from features.calendar import instant
from features.timeline.compaction import compact
from features.timeline.lake import Lake
from serving.access.model import Permission
from serving.decisions.replay import ReplayStatus, replay
from serving.records.erasure import forget_erased, kept_until, statutory_rules
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.feeding import online, subject_of, vault_of
from tests.serving.records.sending import case, flushed, sent, versions
from tests.serving.world import GOOD, LATE, MIDDLE, PLAN, POOR, Bank, Client, problem


def erase(client: Client, number: str, reason: str = "asked in writing", role: str = "administrator"):
    body = {"id_number": number, "reason": reason}
    return client.as_(role).ask("DELETE", "/v1/subjects", json=body)


def loan(number: str, name: str, ended: str = "", state: str = "active") -> dict[str, str]:
    contract = PLAN.contracts["loan"]
    known = {
        "id_number": number, "loan_id": name, "application_id": f"A{name}", "drawn_at": "2024-01-10T09:00:00",
        "granted_at": "2024-01-09T09:00:00", "due_on": "2025-01-10", "ended_at": ended, "principal": "10000",
        "annual_rate_ppm": "54000", "term_months": "12", "state": state, "published_at": ended or "2024-01-10T10:00:00",
    }  # fmt: skip
    return {name: known.get(name, "") for name in (contract.subject_field, *contract.names)}


def everything(bank: Bank) -> str:
    """What the database and the lake hold, as text."""
    found = []
    with owner_transaction(bank.database) as owner:
        names = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            rows = owner.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))).fetchall()
            found += [text for (text,) in rows]
    for path in bank.settings.lake_root.rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            found.append(path.read_bytes().decode("latin-1"))
        elif path.is_file():
            table = pq.read_table(path, partitioning=None)
            found += [str(column.to_pylist()) for column in table.columns]
    return "\n".join(found)


def test_who_was_erased_cannot_be_found_and_the_proofs_stay(
    client: Client, bank: Bank, caplog, capfd
) -> None:
    sent(client, [case(POOR, "E1", kind="civil")])
    flushed(bank)
    sent(client, [case(POOR, "E2", kind="civil")])
    consent = client.consent_id(POOR)
    name = UUID(client.decide(POOR, consent).json()["decision_id"])
    subject = subject_of(bank, POOR)
    got = erase(client, POOR)
    assert got.status_code == 200, got.text
    assert got.json() == {"subject_id": subject}
    problem(erase(client, POOR), 404, "unknown_subject")
    problem(client.decide(POOR, consent), 404, "unknown_subject")
    lake = Lake(bank.settings.lake_root)
    for contract in PLAN.contracts.values():
        assert len(lake.raw(contract, [subject]).subject) == 0
    dropped = [done.erased for done in compact(lake, PLAN.contracts, bank.clock())]
    assert sum(dropped) > 0
    with tenant_transaction(bank.database, "city") as connection:
        assert connection.execute(
            "SELECT count(*) FROM record_tail WHERE subject_id = %s", (subject,)
        ).fetchone() == (0,)
        logged = "SELECT detail->>'reason' FROM audit_log WHERE action = 'subject.erased' AND object = %s"
        assert connection.execute(logged, (str(subject),)).fetchone() == ("asked in writing",)
    text = everything(bank)
    assert POOR not in text
    assert POOR.encode().hex() not in text
    assert not any(POOR in r.getMessage() for r in caplog.records if r.name not in {"httpx", "httpcore"})
    assert POOR not in "".join(capfd.readouterr())
    (found,) = replay(bank.settings, bank.database, bank.authority("auditor", Permission.REPLAY), name)
    assert found.status is ReplayStatus.ERASED
    assert sent(client, [case(POOR, "E1", kind="civil")])["accepted"] == 1
    assert subject_of(bank, POOR) != subject
    assert len(versions(bank, POOR)) == 1
    assert forget_erased(bank.database, lake) == 1


def test_an_open_loan_and_a_statutory_period_refuse(client: Client, bank: Bank) -> None:
    assert sent(client, [loan(LATE, "L1")], "loan")["accepted"] == 1
    problem(erase(client, LATE), 409, "loan_open")
    ended = loan(LATE, "L1", "2024-06-01T09:00:00", "settled")
    assert sent(client, [ended], "loan")["accepted"] == 1
    told = problem(erase(client, LATE), 409, "statutory_retention")
    assert "2034-06-01" in told["detail"]
    assert online(bank, LATE) is None
    assert vault_of(bank).number_of(subject_of(bank, LATE)) == LATE


def test_who_may_erase_and_what_is_asked(client: Client) -> None:
    problem(erase(client, GOOD, role="risk_officer"), 403, "not_permitted")
    problem(erase(client, GOOD, reason=f"because of {GOOD}"), 422, "no_reason")
    problem(erase(client, GOOD, reason=" "), 422, "no_reason")


def test_a_crash_before_the_lake_was_told_is_made_good(client: Client, bank: Bank) -> None:
    subject = subject_of(bank, MIDDLE)
    assert erase(client, MIDDLE).status_code == 200
    (bank.settings.lake_root / "_erased").unlink()
    lake = Lake(bank.settings.lake_root)
    contract = PLAN.contracts["bank_transaction"]
    assert len(lake.raw(contract, [subject]).subject) > 0
    forget_erased(bank.database, lake)
    assert len(lake.raw(contract, [subject]).subject) == 0


@pytest.mark.parametrize(
    ("ended", "until"),
    [("2006-05-01", None), ("2010-03-31", "2015-03-31"), ("2019-12-01", "2024-12-01"),
     ("2020-02-29", "2030-02-28"), ("2025-07-01", "2035-07-01")],
)  # fmt: skip
def test_the_statutory_period_is_that_of_the_day_and_a_stricter_one_extends_it(ended, until) -> None:
    found = kept_until(instant(ended), statutory_rules())
    assert (found and found[1]) == (until and instant(until))
