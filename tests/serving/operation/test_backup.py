"""A backup that was restored elsewhere is proven: replayed to the byte, and verified by who kept a checkpoint outside."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from serving import operations
from serving.backup.model import MANIFEST, DamagedBackup, NewerBackup, NoBackup, NotEmpty, OtherKey
from serving.backup.operations import backup, kept_apart, restore
from serving.log import operations as sealed_log
from serving.settings import Settings
from serving.store.engine import open_database
from serving.store.keys import KeyFile
from serving.store.session import owner_transaction
from tests.serving.records.sending import case, sent
from tests.serving.world import GOOD, LATE, Bank, Client

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


def quiet(*_: object) -> None:
    """No progress is shown."""


def rows(settings: Settings) -> dict[str, str]:
    """A digest of each table's rows."""
    with owner_transaction(open_database(settings)) as owner:
        names = [name for (name,) in owner.execute(TABLES).fetchall()]
        each = "SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {} t"
        return {name: owner.execute(each.format(name)).fetchone()[0] for name in names}


@dataclass
class Kept:
    """What is kept outside: the folder, a checkpoint, and what the store held."""

    folder: Path
    checkpoint: Path
    rows: dict[str, str]
    decisions: int


@pytest.fixture(scope="module")
def kept(client: Client, bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Decisions, some sealed and one not, and a record that is in the lake and one that waits for it."""
    outside = tmp_path_factory.mktemp("outside")
    people = [(number, client.consent_id(number)) for number in (GOOD, LATE)]
    assert sent(client, [case(GOOD, "B1")])["accepted"] == 1
    assert all(client.decide(*each).status_code == 201 for each in people * 2)
    sealed_log.seal_all(bank.settings, bank.database, bank.clock())
    note = outside / "kept.txt"
    auditor = replace(bank.settings, token=bank.tokens["auditor"])
    note.write_text(sealed_log.checkpoint(auditor).note)
    assert client.decide(*people[0]).status_code == 201
    before = rows(bank.settings)
    made = backup(bank.settings, outside / "backup", quiet)
    assert made.files
    return Kept(outside / "backup", note, before, 5)


@pytest.fixture
def empty(bank: Bank, tmp_path: Path) -> Settings:
    """Another home with the keys, and another database with nothing in it."""
    settings = replace(
        bank.settings, home=tmp_path / "home", database_url="", database_name="restored", token=bank.tokens["auditor"],
        master_key_file=bank.settings.master_key_file, log_key_file=bank.settings.signing_key_file,
    )  # fmt: skip
    admin = bank.settings.database_url
    other = admin.replace(f"/{bank.settings.database_name}?", "/restored?")
    assert other != admin
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")
        connection.execute("CREATE DATABASE restored")
    settings.home.mkdir()
    return replace(settings, database_url=other)


def test_what_was_restored_replays_to_the_byte_and_verifies_from_outside(kept: Kept, empty: Settings) -> None:
    restore(empty, kept.folder, quiet)
    assert rows(empty) == kept.rows
    found = list(operations.replay(empty))
    assert len(found) == kept.decisions
    assert {one.status.value for one in found} == {"same"}, found
    verified = sealed_log.verify(empty, [kept.checkpoint], quiet)
    assert verified.findings == ()
    sealed_log.seal_all(empty, open_database(empty), 1_800_000_000_000_000)
    assert sealed_log.verify(empty, [kept.checkpoint], quiet).findings == (), "the log goes on where it was"


def test_nothing_is_restored_over_something(kept: Kept, empty: Settings, bank: Bank) -> None:
    with pytest.raises(NotEmpty, match="the database"):
        restore(replace(empty, database_url=bank.settings.database_url), kept.folder, quiet)
    (empty.lake_root / "court_case").mkdir(parents=True)
    with pytest.raises(NotEmpty, match="lake"):
        restore(empty, kept.folder, quiet)
    with pytest.raises(NotEmpty):
        backup(bank.settings, kept.folder, quiet)
    assert rows(bank.settings).keys() == kept.rows.keys()


def test_the_keys_are_not_in_it_and_another_key_opens_nothing(
    kept: Kept, empty: Settings, bank: Bank, tmp_path: Path
) -> None:
    secrets = [path.read_bytes().strip() for path in kept_apart(bank.settings)]
    for path in kept.folder.rglob("*"):
        assert path.is_dir() or not any(secret in path.read_bytes() for secret in secrets)
    for name in ("none", "another"):
        key = tmp_path / name
        if name == "another":
            key.write_text("ab" * 32)
        with pytest.raises(OtherKey):
            restore(replace(empty, master_key_file=key), kept.folder, quiet)
        assert key.exists() == (name == "another"), "none is made by the way"


def test_a_key_file_that_was_rotated_away_opens_no_older_backup(
    empty: Settings, bank: Bank, tmp_path: Path
) -> None:
    path = tmp_path / "rotated.key"
    of_its_day = replace(KeyFile.read(bank.settings.key_file), master=b"1" * 32)
    of_its_day.write(path)
    backup(replace(bank.settings, master_key_file=path), tmp_path / "backup", quiet)
    replace(of_its_day, master=b"2" * 32).write(path)
    with pytest.raises(OtherKey):
        restore(replace(empty, master_key_file=path), tmp_path / "backup", quiet)
    of_its_day.write(path)
    restore(replace(empty, master_key_file=path), tmp_path / "backup", quiet)
    assert rows(empty) == rows(bank.settings)


def test_a_backup_that_was_changed_or_not_finished_is_refused(
    kept: Kept, empty: Settings, tmp_path: Path
) -> None:
    def changed(name: str) -> Path:
        return Path(shutil.copytree(kept.folder, tmp_path / name))

    segment = next(path.relative_to(kept.folder) for path in kept.folder.rglob("*.parquet"))
    (changed("shorter") / segment).unlink()
    (changed("other") / segment).write_bytes(b"other")
    (changed("more") / "lake" / "more.parquet").write_bytes(b"")
    for name in ("shorter", "other", "more"):
        with pytest.raises(DamagedBackup):
            restore(empty, tmp_path / name, quiet)
    unfinished = changed("unfinished")
    (unfinished / MANIFEST).unlink()
    with pytest.raises(NoBackup):
        restore(empty, unfinished, quiet)
    newer = changed("newer")
    manifest = json.loads((newer / MANIFEST).read_text()) | {"migration": "9999"}
    (newer / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(NewerBackup):
        restore(empty, newer, quiet)
    assert rows(empty) == {}
