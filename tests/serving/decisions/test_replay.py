"""A decision is decided again to the same bytes, whatever happened since; and what was tampered with is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from psycopg import Connection

from serving.access.model import Permission
from serving.decisions.replay import Replayed, ReplayStatus, replay
from serving.decisions.repository import UnknownDecision
from serving.registry.model import Kind
from serving.store.session import owner_transaction
from tests.serving.feeding import COURT, ingest, rehydrate, subject_of, vault_of
from tests.serving.world import (
    DISHONEST,
    GOOD,
    LATE,
    MIDDLE,
    POOR,
    STRANGER,
    Bank,
    Client,
    policy_with,
    scorecard,
)

REPAYMENT = "id_number account month dpd_bucket due paid published_at"


def decided(client: Client, number: str) -> UUID:
    """A new decision about somebody."""
    got = client.decide(number, client.consent_id(number))
    assert got.status_code == 201, got.text
    return UUID(got.json()["decision_id"])


def again(bank: Bank, name: UUID | None = None, role: str = "auditor") -> list[Replayed]:
    """Replay one, or all."""
    return list(replay(bank.settings, bank.database, bank.authority(role, Permission.REPLAY), name))


def status(bank: Bank, name: UUID) -> ReplayStatus:
    """What comes of one."""
    (found,) = again(bank, name)
    assert found.decision_id == name
    return found.status


@contextmanager
def tampering(bank: Bank) -> Iterator[Connection]:
    """Somebody who owns the database and takes its guards away."""
    with owner_transaction(bank.database) as owner:
        owner.execute("ALTER TABLE decision DISABLE TRIGGER append_only")
        yield owner
        owner.execute("ALTER TABLE decision ENABLE TRIGGER append_only")


def test_everybody_replays_the_same(client: Client, bank: Bank) -> None:
    names = {decided(client, number) for number in (GOOD, LATE, MIDDLE, DISHONEST, STRANGER)}
    found = {each.decision_id: each for each in again(bank)}
    assert names <= set(found)
    assert {each.status for each in found.values()} == {ReplayStatus.SAME}
    assert {each.differences for each in found.values()} == {()}


def test_what_was_ingested_later_is_not_read_even_if_it_was_known_before(
    client, bank, tmp_path: Path
) -> None:
    consent = client.consent_id(GOOD)
    before = client.decide(GOOD, consent).json()
    late = [GOOD, "C9", "2023-05-01", "", 80_000, "dishonest", "2023-05-03T09:00:00"]
    corrected = [GOOD, f"A{GOOD[-4:]}", "2024-11", 5, 900, 0, "2024-11-28T09:00:00"]
    assert ingest(bank, tmp_path / "a", "court_case", COURT, [late]).loaded == 1
    assert ingest(bank, tmp_path / "b", "bureau_repayment", REPAYMENT, [corrected]).loaded == 1
    assert status(bank, UUID(before["decision_id"])) is ReplayStatus.SAME
    rehydrate(bank)
    after = client.decide(GOOD, consent).json()
    assert (before["outcome"], after["outcome"]) == ("approve", "decline")
    assert {status(bank, UUID(each["decision_id"])) for each in (before, after)} == {ReplayStatus.SAME}


def test_what_was_promoted_later_changes_no_replay(client: Client, bank: Bank) -> None:
    name = decided(client, MIDDLE)
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk", 2.0))
    bank.approved("bundle.rating", Kind.BUNDLE, scorecard("rating", -1.0))
    bank.approved("policy", Kind.POLICY, policy_with(random_approval=None))
    other = decided(client, MIDDLE)
    assert {status(bank, name), status(bank, other)} == {ReplayStatus.SAME}
    bank.approved("bundle.risk", Kind.BUNDLE, scorecard("risk"))


def test_partial_consents_and_later_withdrawal_replay(client: Client, bank: Bank) -> None:
    consent = client.consent_id(LATE, categories=["court", "social_insurance"])
    name = UUID(client.decide(LATE, consent).json()["decision_id"])
    client.ask("DELETE", f"/v1/consents/{consent}")
    assert status(bank, name) is ReplayStatus.SAME


@pytest.mark.parametrize(
    "change",
    [
        "receipt = set_byte(receipt, 40, get_byte(receipt, 40) # 1)",
        (
            "receipt = set_byte(receipt, 40, get_byte(receipt, 40) # 1),"
            " receipt_hash = sha256(set_byte(receipt, 40, get_byte(receipt, 40) # 1))"
        ),
        "receipt = '', receipt_hash = sha256('')",
        "answer = answer || '\\x20'",
        "outcome = CASE outcome WHEN 'decline' THEN 'approve' ELSE 'decline' END",
        "decided_at = decided_at - 1",
        "actor_id = '00000000-0000-0000-0000-000000000000'",
        "consent_id = '00000000-0000-0000-0000-000000000000'",
    ],
)
def test_a_tampered_row_is_broken(client: Client, bank: Bank, change: str) -> None:
    bank.approved("policy", Kind.POLICY, policy_with())
    name, untouched = decided(client, MIDDLE), decided(client, MIDDLE)
    with tampering(bank) as owner:
        done = owner.execute(f"UPDATE decision SET {change} WHERE decision_id = %s", (name,))
        assert done.rowcount == 1
    (found,) = again(bank, name)
    assert found.status is ReplayStatus.BROKEN
    assert found.differences
    assert status(bank, untouched) is ReplayStatus.SAME


def test_another_decisions_receipt_is_broken(client: Client, bank: Bank) -> None:
    name, other = decided(client, LATE), decided(client, LATE)
    with tampering(bank) as owner:
        owner.execute(
            "UPDATE decision d SET receipt = o.receipt, receipt_hash = o.receipt_hash FROM decision o"
            " WHERE d.decision_id = %s AND o.decision_id = %s", (name, other),
        )  # fmt: skip
    assert status(bank, name) is ReplayStatus.BROKEN


def test_who_was_erased_is_erased_and_the_rest_of_the_run_goes_on(client: Client, bank: Bank) -> None:
    name = decided(client, POOR)
    vault_of(bank).erase(subject_of(bank, POOR))
    found = {each.decision_id: each.status for each in again(bank)}
    assert found[name] is ReplayStatus.ERASED
    assert ReplayStatus.SAME in found.values()
    auditor = client.as_("auditor")
    assert auditor.ask("GET", f"/v1/decisions/{name}").status_code == 200
    for part in ("explanation", "receipt"):
        got = auditor.ask("GET", f"/v1/decisions/{name}/{part}")
        assert (got.status_code, got.json()["code"]) == (404, "erased")


def test_nobody_replays_another_tenants_or_an_unknown_decision(client: Client, bank: Bank) -> None:
    name = decided(client, GOOD)
    with pytest.raises(UnknownDecision):
        again(bank, uuid4())
    with pytest.raises(UnknownDecision):
        again(bank, name, role="stranger")
    assert again(bank, role="stranger") == []


def test_a_record_that_is_gone_from_the_lake_is_listed(client: Client, bank: Bank) -> None:
    name = decided(client, MIDDLE)
    for path in (bank.settings.lake_root / "bureau_repayment").rglob("*.parquet"):
        path.unlink()
    (found,) = again(bank, name)
    assert found.status is ReplayStatus.DIFFERENT
    assert any(line.startswith("facts.bur_") for line in found.differences)
