"""Whoever owns the database changes, removes, adds or swaps a row of any table: it is found, and the row is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from serving.log import repository
from serving.log.checkpoint import Checkpoint, Signer
from serving.log.model import Part, Verification
from serving.log.sealing import BrokenLog
from serving.store.engine import Database
from serving.store.session import RefusedByStore, owner_transaction, tenant_transaction
from tests.serving.log.ledger import NOW, Ledger, new_ledger

TABLES = (
    "decision",
    "decision_link",
    "receipt_unsealed",
    "log_leaf",
    "log_tile",
    "log_key",
    "log_checkpoint",
)
NAME = UUID("00000000-0000-7000-8000-000000000000")


@pytest.fixture(scope="module")
def ledger(store, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """700 receipts, sealed by a hundred, five that wait, one decision that follows another; and a copy of all of it."""
    made = new_ledger(store[1], "city", tmp_path_factory.mktemp("key"))
    made.decides(700)
    with owner_transaction(made.database) as owner:
        owner.execute(
            "INSERT INTO decision_link (tenant_id, decision_id, parent_id, kind, about) SELECT 'city',"
            " min(decision_id::text)::uuid, max(decision_id::text)::uuid, 'person', gen_random_uuid() FROM decision"
        )
    assert made.seal(100) == 700
    made.decides(5)
    with owner_transaction(made.database) as owner:
        for table in TABLES:
            owner.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
    return made


@pytest.fixture
def kept(ledger: Ledger) -> Iterator[list[tuple[str, Checkpoint]]]:
    """What an outsider holds; after the test all rows are as they were."""
    with tenant_transaction(ledger.database, "city") as connection:
        found = repository.checkpoints(connection)
    yield [("kept.txt", found[-1])]
    with owner_transaction(ledger.database) as owner:
        owner.execute("SET session_replication_role = replica")
        for table in TABLES:
            owner.execute(f"DELETE FROM {table}")
            owner.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")


def tampered(ledger: Ledger, *statements: str) -> None:
    """As the owner, past triggers and constraints."""
    with owner_transaction(ledger.database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("ALTER TABLE decision DROP CONSTRAINT IF EXISTS decision_check")
        for statement in statements:
            done = owner.execute(statement)
            assert done.rowcount, statement


def named(found: Verification) -> set[tuple[str, str]]:
    return {(one.part.value, one.place) for one in found.findings}


def sealed_at(ledger: Ledger, place: int) -> UUID:
    with owner_transaction(ledger.database) as owner:
        row = owner.execute("SELECT decision_id FROM log_leaf WHERE place = %s", (place,)).fetchone()
    assert row is not None
    return row[0]


def test_an_untouched_log_has_no_finding(ledger: Ledger, kept) -> None:
    found = ledger.verify(kept)
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
def test_a_changed_column_of_a_decision(ledger: Ledger, kept, change: str) -> None:
    name = sealed_at(ledger, 321)
    tampered(ledger, f"UPDATE decision SET {change} WHERE decision_id = '{name}'")
    found = ledger.verify()
    assert named(found) == {("decision", str(name))}
    assert "sealed as leaf 321" in found.findings[0].problem


def test_a_removed_decision(ledger: Ledger, kept) -> None:
    name = sealed_at(ledger, 321)
    tampered(ledger, f"DELETE FROM decision WHERE decision_id = '{name}'")
    assert named(ledger.verify()) == {("decision", str(name))}


def test_two_decisions_that_changed_places(ledger: Ledger, kept) -> None:
    one, other = sealed_at(ledger, 10), sealed_at(ledger, 600)
    tampered(
        ledger,
        f"UPDATE decision SET decision_id = '{NAME}' WHERE decision_id = '{one}'",
        f"UPDATE decision SET decision_id = '{one}' WHERE decision_id = '{other}'",
        f"UPDATE decision SET decision_id = '{other}' WHERE decision_id = '{NAME}'",
    )
    assert named(ledger.verify()) == {("decision", str(one)), ("decision", str(other))}


def test_a_decision_that_came_in_past_the_log(ledger: Ledger, kept) -> None:
    tampered(
        ledger,
        f"INSERT INTO decision SELECT tenant_id, '{NAME}', 'new', request_digest, subject_id, consent_id, actor_id,"
        " decided_at, outcome, answer, receipt, receipt_hash FROM decision LIMIT 1",
    )
    assert named(ledger.verify()) == {("decision", str(NAME))}


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM decision_link", "UPDATE decision_link SET kind = 'again'",
        f"UPDATE decision_link SET parent_id = '{NAME}'", f"UPDATE decision_link SET about = '{NAME}'",
    ],
)  # fmt: skip
def test_a_changed_or_removed_link(ledger: Ledger, kept, change: str) -> None:
    with owner_transaction(ledger.database) as owner:
        name = owner.execute("SELECT decision_id FROM decision_link").fetchone()
    tampered(ledger, change)
    assert named(ledger.verify()) == {("decision", str(name[0]))}


def test_an_inserted_link(ledger: Ledger, kept) -> None:
    name = sealed_at(ledger, 5)
    tampered(
        ledger,
        f"INSERT INTO decision_link VALUES ('city', '{name}', '{sealed_at(ledger, 6)}', 'person', '{NAME}')",
    )
    assert named(ledger.verify()) == {("decision", str(name))}


def test_what_waits_and_is_removed_or_hidden(ledger: Ledger, kept) -> None:
    with owner_transaction(ledger.database) as owner:
        rows = owner.execute("SELECT decision_id FROM receipt_unsealed ORDER BY decision_id").fetchall()
    removed, hidden, sealed = rows[0][0], rows[1][0], sealed_at(ledger, 3)
    tampered(
        ledger,
        f"DELETE FROM decision WHERE decision_id = '{removed}'",
        f"DELETE FROM receipt_unsealed WHERE decision_id = '{hidden}'",
        f"INSERT INTO receipt_unsealed VALUES ('city', '{sealed}')",
    )
    found = ledger.verify()
    assert named(found) == {("decision", str(name)) for name in (removed, hidden, sealed)}
    assert found.waiting == 3


def test_a_changed_leaf(ledger: Ledger, kept) -> None:
    tampered(ledger, "UPDATE log_leaf SET leaf_hash = sha256('x') WHERE place = 321")
    found = ledger.verify()
    assert {("leaf", "321"), ("leaf", "300 to 399")} <= named(found)
    assert {part for part, _ in named(found)} == {"leaf"}


def test_a_decision_and_its_leaf_changed_together(ledger: Ledger, kept) -> None:
    """The row fits its leaf again; the tree does not fit its checkpoints."""
    name = sealed_at(ledger, 321)
    tampered(ledger, f"UPDATE decision SET outcome = 'decline' WHERE decision_id = '{name}'")
    tampered(ledger, *_leaf_made_to_fit(ledger, name))
    found = ledger.verify()
    assert ("leaf", "300 to 399") in named(found)
    assert Part.DECISION not in {one.part for one in found.findings}


def _leaf_made_to_fit(ledger: Ledger, name: UUID) -> list[str]:
    from serving.log.entry import SealedRow, leaf_of

    with owner_transaction(ledger.database) as owner:
        row = owner.execute(repository._ROW.replace("$1", "%s"), (name,)).fetchone()
    assert row is not None
    leaf = leaf_of("city", SealedRow(*row)).hex()
    return [f"UPDATE log_leaf SET leaf_hash = '\\x{leaf}' WHERE decision_id = '{name}'"]


def test_a_removed_leaf(ledger: Ledger, kept) -> None:
    name = sealed_at(ledger, 321)
    tampered(ledger, "DELETE FROM log_leaf WHERE place = 321")
    assert {("leaf", "321"), ("decision", str(name))} <= named(ledger.verify())


def test_two_leaves_that_changed_places(ledger: Ledger, kept) -> None:
    tampered(
        ledger,
        "UPDATE log_leaf SET place = 9999 WHERE place = 310",
        "UPDATE log_leaf SET place = 310 WHERE place = 321",
        "UPDATE log_leaf SET place = 321 WHERE place = 9999",
    )
    assert ("leaf", "300 to 399") in named(ledger.verify())


def test_an_inserted_leaf_at_the_end(ledger: Ledger, kept) -> None:
    tampered(ledger, f"INSERT INTO log_leaf VALUES ('city', 700, '{NAME}', sha256('x'), {NOW + 9})")
    assert {("decision", str(NAME)), ("checkpoint", "size 701")} <= named(ledger.verify())


def test_a_changed_moment(ledger: Ledger, kept) -> None:
    tampered(ledger, "UPDATE log_leaf SET sealed_at = sealed_at + 7 WHERE place = 321")
    assert {("checkpoint", "size 321"), ("checkpoint", "size 322")} == named(ledger.verify())


def test_tiles(ledger: Ledger, kept) -> None:
    tampered(
        ledger,
        "UPDATE log_tile SET root = sha256('x') WHERE (level, place) = (1, 0)",
        "DELETE FROM log_tile WHERE (level, place) = (1, 1)",
        "INSERT INTO log_tile VALUES ('city', 2, 0, sha256('x'))",
    )
    places = ("level 1, place 0", "level 1, place 1", "level 2, place 0")
    assert named(ledger.verify()) == {("tile", place) for place in places}


def test_tiles_that_changed_places(ledger: Ledger, kept) -> None:
    tampered(
        ledger,
        "UPDATE log_tile SET place = 9 WHERE place = 0",
        "UPDATE log_tile SET place = 0 WHERE place = 1",
        "UPDATE log_tile SET place = 1 WHERE place = 9",
    )
    assert named(ledger.verify()) == {("tile", f"level 1, place {place}") for place in (0, 1)}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("UPDATE log_checkpoint SET root = sha256('x') WHERE size = 300", "size 300, key"),
        ("UPDATE log_checkpoint SET signature = sha512('x') WHERE size = 300", "size 300, key"),
        ("UPDATE log_checkpoint SET origin = 'other' WHERE size = 300", "size 300, key"),
        ("UPDATE log_checkpoint SET key_id = 'abcd' WHERE size = 300", "size 300, key"),
        ("UPDATE log_checkpoint SET size = 301 WHERE size = 300", "size 301, key"),
        ("UPDATE log_checkpoint SET sealed_at = 1 WHERE size = 300", "size 300"),
        ("DELETE FROM log_checkpoint WHERE size = 300", "size 300"),
        (
            "INSERT INTO log_checkpoint (SELECT tenant_id, 350, key_id, origin, root, signature, sealed_at FROM log_checkpoint LIMIT 1)",
            "size 350, key",
        ),
    ],
)  # fmt: skip
def test_checkpoints(ledger: Ledger, kept, change: str, place: str) -> None:
    tampered(ledger, change)
    found = named(ledger.verify())
    assert any(part == "checkpoint" and name.startswith(place) for part, name in found), found
    assert "decision" not in {part for part, _ in found}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("UPDATE log_key SET public_key = sha256('x')", Part.KEY),
        ("UPDATE log_key SET name = 'other'", Part.KEY),
        ("UPDATE log_key SET first_at = 1", Part.KEY),
        ("DELETE FROM log_key", Part.CHECKPOINT),
    ],
)
def test_keys(ledger: Ledger, kept, change: str, part: Part) -> None:
    tampered(ledger, change)
    assert part in {one.part for one in ledger.verify().findings}


def test_an_inserted_key(ledger: Ledger, kept, tmp_path: Path) -> None:
    key = Signer.open(tmp_path / "other.key").key(ledger.origin)
    values = f"'city', '\\x{key.key_id.hex()}', '{key.name}', '\\x{key.public.hex()}', {NOW}"
    tampered(ledger, f"INSERT INTO log_key VALUES ({values})")
    assert named(ledger.verify()) == {("key", key.key_id.hex())}


def test_a_log_cut_at_its_end_is_found_by_who_kept_its_checkpoint(ledger: Ledger, kept) -> None:
    tampered(
        ledger,
        "DELETE FROM log_checkpoint WHERE size > 600",
        "INSERT INTO receipt_unsealed SELECT tenant_id, decision_id FROM log_leaf WHERE place >= 600",
        "DELETE FROM log_leaf WHERE place >= 600",
    )
    assert ledger.verify().findings == (), "within itself it is whole"
    assert named(ledger.verify(kept)) == {("kept checkpoint", "kept.txt")}


@pytest.mark.parametrize("key", ["same.key", "other.key"])
def test_a_log_rewritten_from_its_beginning_is_found_by_who_kept_its_checkpoint(
    ledger: Ledger, kept, tmp_path: Path, key: str
) -> None:
    tampered(
        ledger,
        f"UPDATE decision SET outcome = 'decline' WHERE decision_id = '{sealed_at(ledger, 321)}'",
        "INSERT INTO receipt_unsealed SELECT tenant_id, decision_id FROM log_leaf",
        *(f"DELETE FROM {table}" for table in TABLES if table.startswith("log_")),
    )
    signs = ledger if key == "same.key" else Ledger(ledger.database, "city", tmp_path / key, ledger.origin)
    assert signs.seal() == 705
    assert ledger.verify().findings == (), "within itself it is whole"
    found = ledger.verify(kept)
    assert named(found) == {("kept checkpoint", "kept.txt")}
    assert "rewritten" in found.findings[0].problem


def test_nothing_is_sealed_upon_a_log_that_was_changed(ledger: Ledger, kept) -> None:
    tampered(ledger, "UPDATE log_tile SET root = sha256('x') WHERE place = 0")
    with pytest.raises(BrokenLog, match="700 leaves"):
        ledger.seal()
    tampered(ledger, "DELETE FROM log_leaf WHERE place = 699")
    with pytest.raises(BrokenLog):
        ledger.seal()
    assert ledger.verify().waiting == 5


@pytest.mark.parametrize("table", [name for name in TABLES if name.startswith("log_")])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET tenant_id = tenant_id", "TRUNCATE {}"])
def test_the_applications_role_only_adds(database: Database, table: str, change: str) -> None:
    with owner_transaction(database) as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute(change.format(table))
    with (
        pytest.raises((psycopg.errors.InsufficientPrivilege, RefusedByStore)),
        tenant_transaction(database, "city") as app,
    ):
        app.execute(change.format(table))


@pytest.fixture(scope="module")
def database(store) -> Database:
    return store[1]
