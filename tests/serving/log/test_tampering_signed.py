"""As for decisions and leaves, so for tiles, checkpoints and keys: whoever owns the database changes, removes, adds or swaps a row of any table: it is found, and the row is named."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from serving.log.checkpoint import Signer
from serving.log.model import Part
from serving.log.sealing import BrokenLog
from serving.store.engine import Database
from serving.store.session import RefusedByStore, owner_transaction, tenant_transaction
from tests.serving.log.ledger import NOW, Ledger
from tests.serving.log.tampering import TABLES, named, sealed_at, tampered


def test_tiles(sealed_ledger: Ledger, kept) -> None:
    tampered(
        sealed_ledger,
        "UPDATE log_tile SET root = sha256('x') WHERE (level, place) = (1, 0)",
        "DELETE FROM log_tile WHERE (level, place) = (1, 1)",
        "INSERT INTO log_tile VALUES ('city', 2, 0, sha256('x'))",
    )
    places = ("level 1, place 0", "level 1, place 1", "level 2, place 0")
    assert named(sealed_ledger.verify()) == {("tile", place) for place in places}


def test_tiles_that_changed_places(sealed_ledger: Ledger, kept) -> None:
    tampered(
        sealed_ledger,
        "UPDATE log_tile SET place = 9 WHERE place = 0",
        "UPDATE log_tile SET place = 0 WHERE place = 1",
        "UPDATE log_tile SET place = 1 WHERE place = 9",
    )
    assert named(sealed_ledger.verify()) == {("tile", f"level 1, place {place}") for place in (0, 1)}


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
def test_checkpoints(sealed_ledger: Ledger, kept, change: str, place: str) -> None:
    tampered(sealed_ledger, change)
    found = named(sealed_ledger.verify())
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
def test_keys(sealed_ledger: Ledger, kept, change: str, part: Part) -> None:
    tampered(sealed_ledger, change)
    assert part in {one.part for one in sealed_ledger.verify().findings}


def test_an_inserted_key(sealed_ledger: Ledger, kept, tmp_path: Path) -> None:
    key = Signer.open(tmp_path / "other.key").key(sealed_ledger.origin)
    values = f"'city', '\\x{key.key_id.hex()}', '{key.name}', '\\x{key.public.hex()}', {NOW}"
    tampered(sealed_ledger, f"INSERT INTO log_key VALUES ({values})")
    assert named(sealed_ledger.verify()) == {("key", key.key_id.hex())}


def test_a_log_cut_at_its_end_is_found_by_who_kept_its_checkpoint(sealed_ledger: Ledger, kept) -> None:
    tampered(
        sealed_ledger,
        "DELETE FROM log_checkpoint WHERE size > 600",
        "INSERT INTO receipt_unsealed SELECT tenant_id, decision_id FROM log_leaf WHERE place >= 600",
        "DELETE FROM log_leaf WHERE place >= 600",
    )
    assert sealed_ledger.verify().findings == (), "within itself it is whole"
    assert named(sealed_ledger.verify(kept)) == {("kept checkpoint", "kept.txt")}


@pytest.mark.parametrize("key", ["same.key", "other.key"])
def test_a_log_rewritten_from_its_beginning_is_found_by_who_kept_its_checkpoint(
    sealed_ledger: Ledger, kept, tmp_path: Path, key: str
) -> None:
    tampered(
        sealed_ledger,
        f"UPDATE decision SET outcome = 'decline' WHERE decision_id = '{sealed_at(sealed_ledger, 321)}'",
        "INSERT INTO receipt_unsealed SELECT tenant_id, decision_id FROM log_leaf",
        *(f"DELETE FROM {table}" for table in TABLES if table.startswith("log_")),
    )
    signs = (
        sealed_ledger
        if key == "same.key"
        else Ledger(sealed_ledger.database, "city", tmp_path / key, sealed_ledger.origin)
    )
    assert signs.seal() == 705
    assert sealed_ledger.verify().findings == (), "within itself it is whole"
    found = sealed_ledger.verify(kept)
    assert named(found) == {("kept checkpoint", "kept.txt")}
    assert "rewritten" in found.findings[0].problem


def test_nothing_is_sealed_upon_a_log_that_was_changed(sealed_ledger: Ledger, kept) -> None:
    tampered(sealed_ledger, "UPDATE log_tile SET root = sha256('x') WHERE place = 0")
    with pytest.raises(BrokenLog, match="700 leaves"):
        sealed_ledger.seal()
    tampered(sealed_ledger, "DELETE FROM log_leaf WHERE place = 699")
    with pytest.raises(BrokenLog):
        sealed_ledger.seal()
    assert sealed_ledger.verify().waiting == 5


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
