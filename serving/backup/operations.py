"""What `yidai backup` and `yidai restore` do: settings in, values out."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
import psycopg

from features.calendar import iso
from features.canonical import UNREADABLE
from features.terminal import Step
from features.timeline.lake import Lake, LakeBusy
from serving.backup.model import (
    DUMP,
    LAKE,
    MANIFEST,
    SCHEMA,
    DamagedBackup,
    Manifest,
    NewerBackup,
    NoBackup,
    NotEmpty,
    OtherKey,
    ToolFailed,
)
from serving.clock import wall_clock
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database, binaries, open_database
from serving.store.keys import KeyRing, Unreadable
from serving.store.migrate import head, known, migrate

_PATIENCE = 120.0
"""Seconds that a backup waits for whoever writes to the lake."""


def backup(settings: Settings, folder: Path, step: Step) -> Manifest:
    """Copy store and lake as of one moment into a new folder; decisions go on meanwhile, what writes to the lake waits.

    Raises:
        NotEmpty, LakeBusy, ToolFailed: there is no backup.
    """
    if folder.exists() and any(folder.iterdir()):
        raise NotEmpty(str(folder))
    database = open_store(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = KeyRing.open(settings.key_file)
    _, probe = keys.new_data_key()
    with _resting(Lake(settings.lake_root)):
        step("store", 0, 2)
        _dump(database, folder / DUMP)
        step("lake", 1, 2)
        if settings.lake_root.exists():
            shutil.copytree(settings.lake_root, folder / LAKE, ignore=shutil.ignore_patterns("*.lock"))
    files = {name: _digest(folder / name) for name in _names(folder)}
    made = Manifest(SCHEMA, iso(wall_clock()), head(), keys.identity, probe.hex(), files)
    _write(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(made)))
    return made


def restore(settings: Settings, folder: Path, step: Step) -> Manifest:
    """A backup into an empty store and an empty home that holds the master key; an older schema is brought up to date.

    Raises:
        NoBackup, DamagedBackup, NewerBackup, OtherKey, NotEmpty: nothing was changed.
        ToolFailed: the store is as empty as it was.
    """
    made = _checked(folder, step)
    _check_key(settings.key_file, made)
    if settings.lake_root.exists() and any(settings.lake_root.iterdir()):
        raise NotEmpty(str(settings.lake_root))
    database = open_database(settings)
    with psycopg.connect(database.admin_url) as connection:
        if connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public' LIMIT 1").fetchone():
            raise NotEmpty("the database")
    step("store", 1, 2)
    _load(database, folder / DUMP)
    migrate(database)
    if (folder / LAKE).exists():
        draft = settings.lake_root.with_name(".lake.restoring")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(folder / LAKE, draft)
        shutil.rmtree(settings.lake_root, ignore_errors=True)
        draft.rename(settings.lake_root)
    return made


def kept_apart(settings: Settings) -> list[Path]:
    """The files that a backup does not hold, and without which it is worth nothing."""
    return [settings.key_file, settings.signing_key_file]


@contextmanager
def _resting(lake: Lake) -> Iterator[None]:
    until = time.monotonic() + _PATIENCE
    while True:
        held = lake.writing()
        try:
            held.__enter__()
        except LakeBusy:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            break
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _check_key(path: Path, made: Manifest) -> None:
    if not path.exists():  # opening would make one
        raise OtherKey(path)
    keys = KeyRing.open(path)
    try:
        keys.unwrap(bytes.fromhex(made.probe))
    except Unreadable:
        raise OtherKey(path) from None
    if keys.identity != made.key:
        raise OtherKey(path)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _checked(folder: Path, step: Step) -> Manifest:
    try:
        made = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, *UNREADABLE):
        raise NoBackup(folder) from None
    if not known(made.migration):
        raise NewerBackup(made.migration)
    step("hashes", 0, 2)
    for name, digest in made.files.items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            raise DamagedBackup(name)
    if extra := set(_names(folder)) - {*made.files, MANIFEST}:
        raise DamagedBackup(min(extra))
    return made


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dump(database: Database, path: Path) -> None:
    with path.open("wb") as file:
        _run("pg_dump", database, "--format=custom", "--no-owner", stdout=file.fileno())
        os.fsync(file.fileno())


def _load(database: Database, path: Path) -> None:
    with path.open("rb") as file:
        _run(
            "pg_restore",
            database,
            "--no-owner",
            "--single-transaction",
            "--exit-on-error",
            stdin=file.fileno(),
        )


def _run(
    tool: str,
    database: Database,
    *arguments: str,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> None:
    parts = urlsplit(database.admin_url)
    name, _, address = parts.netloc.rpartition("@")
    plain = urlunsplit(parts._replace(netloc=f"{name.partition(':')[0]}@{address}"))
    # a password in the arguments would be seen by everybody on the machine
    environment = {**os.environ, **({"PGPASSWORD": unquote(parts.password)} if parts.password else {})}
    command = [str(binaries() / tool), "--dbname", plain, *arguments]
    done = subprocess.run(  # noqa: S603 - our own binaries and paths
        command, check=False, env=environment, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolFailed(tool, said[0] if said else "no message")


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
