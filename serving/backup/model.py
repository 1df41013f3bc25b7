"""What a backup is: a dump of the store, a copy of the lake, and a list of both with their hashes."""

from __future__ import annotations

from pathlib import Path

import msgspec

from features.errors import Conflict, Integrity, Invalid, Unavailable

SCHEMA = 1
MANIFEST, DUMP, LAKE = "backup.json", "store.dump", "lake"


class Manifest(msgspec.Struct, frozen=True):
    """Written last: a folder without it is no backup. The master key is not in it: ``key`` is its short name, and ``probe`` was
    wrapped under it, in hexadecimal, so that only a key file of that day or one that still has its key opens it.
    """

    schema: int
    made_at: str
    migration: str
    key: str
    probe: str
    files: dict[str, str]


class NotEmpty(Conflict):
    """Something is there already."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "something is there already.",
            place=what,
            remedy="Name an empty or a new place; nothing was changed.",
        )


class NoBackup(Invalid):
    """A folder that is none, or one that was not finished."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"this is no whole backup: {MANIFEST} is missing or cannot be read.",
            place=str(folder),
            remedy="Name the folder that `yidai backup` was given; one that it did not finish is none.",
        )


class DamagedBackup(Integrity):
    """A file that is not as it was written."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "this file is missing or is not as it was written.",
            place=name,
            remedy="Take another backup; nothing was changed.",
        )


class OtherKey(Conflict):
    """The master key is not the one under which the backup's rows were encrypted."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            "this is not the key file of the backup's day, or there is none.",
            place=str(path),
            remedy="Bring the key file from where it is kept; without it nothing personal opens ever again.",
        )


class NewerBackup(Conflict):
    """Made by newer code than this."""

    def __init__(self, migration: str) -> None:
        super().__init__(
            f"the backup is at migration {migration}, which this code does not know.",
            remedy="Restore with the code that made it, or a newer one.",
        )


class ToolFailed(Unavailable):
    """pg_dump or pg_restore did not do it."""

    def __init__(self, tool: str, said: str) -> None:
        super().__init__(
            f"{tool}: {said}",
            remedy="The owner in YIDAI_DATABASE_URL must be a superuser; see docs/operations.md.",
        )
