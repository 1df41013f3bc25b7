"""Whoever owns the database changes, removes, adds or swaps a row of any table: it is found, and the row is named."""

from __future__ import annotations

from uuid import UUID

import pytest

from serving.log import repository
from serving.log.model import Part
from serving.store.session import owner_transaction
from tests.serving.log.ledger import NOW, Ledger
from tests.serving.log.tampering import NAME, named, sealed_at, tampered


def test_an_untouched_log_has_no_finding(sealed_ledger: Ledger, kept) -> None:
    found = sealed_ledger.verify(kept)
    assert found.findings == ()
    assert (found.size, found.checkpoints, found.waiting) == (700, 7, 5)
    assert 59 < found.oldest_seconds < 61


@pytest.mark.parametrize(
    "change",
    [
        "receipt = receipt || 'x'", "receipt = receipt || 'x', receipt_hash = sha256(receipt || 'x')",
        "receipt_hash = sha256('x')", "answer = answer || ' '", "key_hash = 'k'", "request_digest = 'x'",
        "subject_id = subject_id + 1", "consent_id = gen_random_uuid()", "actor_id = gen_random_uuid()",
        "decided_at = decided_at - 1", "outcome = 'decline'",
    ],
)  # fmt: skip
def test_a_changed_column_of_a_decision(sealed_ledger: Ledger, kept, change: str) -> None:
    name = sealed_at(sealed_ledger, 321)
    tampered(sealed_ledger, f"UPDATE decision SET {change} WHERE decision_id = '{name}'")
    found = sealed_ledger.verify()
    assert named(found) == {("decision", str(name))}
    assert "sealed as leaf 321" in found.findings[0].problem


def test_a_removed_decision(sealed_ledger: Ledger, kept) -> None:
    name = sealed_at(sealed_ledger, 321)
    tampered(sealed_ledger, f"DELETE FROM decision WHERE decision_id = '{name}'")
    assert named(sealed_ledger.verify()) == {("decision", str(name))}


def test_two_decisions_that_changed_places(sealed_ledger: Ledger, kept) -> None:
    one, other = sealed_at(sealed_ledger, 10), sealed_at(sealed_ledger, 600)
    tampered(
        sealed_ledger,
        f"UPDATE decision SET decision_id = '{NAME}' WHERE decision_id = '{one}'",
        f"UPDATE decision SET decision_id = '{one}' WHERE decision_id = '{other}'",
        f"UPDATE decision SET decision_id = '{other}' WHERE decision_id = '{NAME}'",
    )
    assert named(sealed_ledger.verify()) == {("decision", str(one)), ("decision", str(other))}


def test_a_decision_that_came_in_past_the_log(sealed_ledger: Ledger, kept) -> None:
    tampered(
        sealed_ledger,
        f"INSERT INTO decision SELECT tenant_id, '{NAME}', 'new', request_digest, subject_id, consent_id, actor_id,"
        " decided_at, outcome, answer, receipt, receipt_hash FROM decision LIMIT 1",
    )
    assert named(sealed_ledger.verify()) == {("decision", str(NAME))}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM decision_link", "UPDATE decision_link SET kind = 'again'",
        f"UPDATE decision_link SET parent_id = '{NAME}'", f"UPDATE decision_link SET about = '{NAME}'",
    ],
)  # fmt: skip
def test_a_changed_or_removed_link(sealed_ledger: Ledger, kept, change: str) -> None:
    with owner_transaction(sealed_ledger.database) as owner:
        name = owner.execute("SELECT decision_id FROM decision_link").fetchone()
    tampered(sealed_ledger, change)
    assert named(sealed_ledger.verify()) == {("decision", str(name[0]))}


def test_an_inserted_link(sealed_ledger: Ledger, kept) -> None:
    name = sealed_at(sealed_ledger, 5)
    tampered(
        sealed_ledger,
        f"INSERT INTO decision_link VALUES ('city', '{name}', '{sealed_at(sealed_ledger, 6)}', 'person', '{NAME}')",
    )
    assert named(sealed_ledger.verify()) == {("decision", str(name))}


def test_what_waits_and_is_removed_or_hidden(sealed_ledger: Ledger, kept) -> None:
    with owner_transaction(sealed_ledger.database) as owner:
        rows = owner.execute("SELECT decision_id FROM receipt_unsealed ORDER BY decision_id").fetchall()
    removed, hidden, sealed = rows[0][0], rows[1][0], sealed_at(sealed_ledger, 3)
    tampered(
        sealed_ledger,
        f"DELETE FROM decision WHERE decision_id = '{removed}'",
        f"DELETE FROM receipt_unsealed WHERE decision_id = '{hidden}'",
        f"INSERT INTO receipt_unsealed VALUES ('city', '{sealed}')",
    )
    found = sealed_ledger.verify()
    assert named(found) == {("decision", str(name)) for name in (removed, hidden, sealed)}
    assert found.waiting == 3


def test_a_changed_leaf(sealed_ledger: Ledger, kept) -> None:
    tampered(sealed_ledger, "UPDATE log_leaf SET leaf_hash = sha256('x') WHERE place = 321")
    found = sealed_ledger.verify()
    assert {("leaf", "321"), ("leaf", "300 to 399")} <= named(found)
    assert {part for part, _ in named(found)} == {"leaf"}


def test_a_decision_and_its_leaf_changed_together(sealed_ledger: Ledger, kept) -> None:
    """The row fits its leaf again; the tree does not fit its checkpoints."""
    name = sealed_at(sealed_ledger, 321)
    tampered(sealed_ledger, f"UPDATE decision SET outcome = 'decline' WHERE decision_id = '{name}'")
    tampered(sealed_ledger, *_leaf_made_to_fit(sealed_ledger, name))
    found = sealed_ledger.verify()
    assert ("leaf", "300 to 399") in named(found)
    assert Part.DECISION not in {one.part for one in found.findings}


def _leaf_made_to_fit(sealed_ledger: Ledger, name: UUID) -> list[str]:
    from serving.log.entry import SealedRow, leaf_of

    with owner_transaction(sealed_ledger.database) as owner:
        row = owner.execute(repository._ROW.replace("$1", "%s"), (name,)).fetchone()
    assert row is not None
    leaf = leaf_of("city", SealedRow(*row)).hex()
    return [f"UPDATE log_leaf SET leaf_hash = '\\x{leaf}' WHERE decision_id = '{name}'"]


def test_a_removed_leaf(sealed_ledger: Ledger, kept) -> None:
    name = sealed_at(sealed_ledger, 321)
    tampered(sealed_ledger, "DELETE FROM log_leaf WHERE place = 321")
    assert {("leaf", "321"), ("decision", str(name))} <= named(sealed_ledger.verify())


def test_two_leaves_that_changed_places(sealed_ledger: Ledger, kept) -> None:
    tampered(
        sealed_ledger,
        "UPDATE log_leaf SET place = 9999 WHERE place = 310",
        "UPDATE log_leaf SET place = 310 WHERE place = 321",
        "UPDATE log_leaf SET place = 321 WHERE place = 9999",
    )
    assert ("leaf", "300 to 399") in named(sealed_ledger.verify())


def test_an_inserted_leaf_at_the_end(sealed_ledger: Ledger, kept) -> None:
    tampered(sealed_ledger, f"INSERT INTO log_leaf VALUES ('city', 700, '{NAME}', sha256('x'), {NOW + 9})")
    assert {("decision", str(NAME)), ("checkpoint", "size 701")} <= named(sealed_ledger.verify())


def test_a_changed_moment(sealed_ledger: Ledger, kept) -> None:
    tampered(sealed_ledger, "UPDATE log_leaf SET sealed_at = sealed_at + 7 WHERE place = 321")
    assert {("checkpoint", "size 321"), ("checkpoint", "size 322")} == named(sealed_ledger.verify())
