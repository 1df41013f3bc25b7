"""Another master key: every data key is wrapped anew under it, while the processes go on, and then the old one is forgotten.

Killed at any moment, nothing is lost: the file has both keys until no data key needs the old one, and the next run
goes on. Receipts, numbers and texts are under data keys, which stay; pseudonyms are of the root, which stays too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from psycopg import sql

from features.errors import Conflict, Integrity
from serving.store.engine import Database
from serving.store.keys import MARKED, KeyFile, KeyRing, mark_of
from serving.store.session import Connection, owner_transaction

_WRITING, _ROTATING = 7420012, 7420013
_TABLES = {"subject": ("subject_id", "bigint"), "held_record": ("record_id", "bytea")}
_READ = """
SELECT {id}, wrapped_key FROM {table}
WHERE wrapped_key IS NOT NULL AND (octet_length(wrapped_key) <> %s OR substring(wrapped_key FOR 8) <> %s)
  AND (%s::{kind} IS NULL OR {id} > %s::{kind})
ORDER BY {id} LIMIT %s FOR UPDATE"""
_WRITE = """
UPDATE {table} t SET wrapped_key = u.wrapped FROM unnest(%s::{kind}[], %s::bytea[]) AS u (id, wrapped)
WHERE t.{id} = u.id"""


class RotationRuns(Conflict):
    """Another process rotates the master key just now."""

    def __init__(self) -> None:
        super().__init__("another rotation is under way.", remedy="Wait until it ends, and look again.")


class KeysRemain(Integrity):
    """Data keys under the old master key appeared while they were wrapped anew: somebody wraps with another key file."""

    def __init__(self, left: int) -> None:
        super().__init__(
            f"{left} data keys are still under an old master key; both keys were kept.",
            remedy="Give every process the same key file, then run `yidai keys rotate` again.",
        )


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation did: data keys wrapped anew, and whether it finished what an earlier run had begun."""

    wrapped: int
    resumed: bool


def hold_keys(connection: Connection, keys: KeyRing) -> None:
    """For the rest of the transaction data keys may be wrapped: under the newest master key, and no rotation passes by."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_WRITING,))
    keys.read_again()


def rotate(
    database: Database, path: Path, step: Callable[[int], None] = lambda _: None, batch: int = 1_000
) -> Rotated:
    """Put a new master key in the place of the old one; ``step`` is told how many data keys were wrapped.

    Raises:
        RotationRuns: by another process.
        KeysRemain: not everybody writes with this key file.
    """
    with owner_transaction(database) as guard:
        held = guard.execute("SELECT pg_try_advisory_lock(%s)", (_ROTATING,)).fetchone()
        if held != (True,):
            raise RotationRuns
        guard.commit()  # the lock is the session's; a transaction of hours would keep the server from tidying up
        file, resumed = _begin(path)
        _wait_for_writers(database)
        done = sum(_wrap_all(database, KeyRing.open(path), table, step, batch) for table in _TABLES)
        left = sum(_wrap_all(database, KeyRing.open(path), table, step, batch) for table in _TABLES)
        if left:
            raise KeysRemain(left)
        replace(file, master=file.following, following=None).write(path)
    return Rotated(done, resumed)


def _begin(path: Path) -> tuple[KeyFile, bool]:
    """The file with the new key beside the old one, and whether it had one already."""
    file = KeyFile.read(path)
    if file.following is not None:
        return file, True
    begun = replace(file, following=secrets.token_bytes(32))
    begun.write(path)
    return begun, False


def _wait_for_writers(database: Database) -> None:
    """Who wraps with the old key has ended; who begins now reads the file and has the new one."""
    with owner_transaction(database) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITING,))


def _wrap_all(database: Database, keys: KeyRing, table: str, step: Callable[[int], None], batch: int) -> int:
    done, last = 0, None
    while found := _wrap_some(database, keys, table, last, batch):
        done, last = done + len(found), found[-1]
        step(len(found))
    return done


def _wrap_some(database: Database, keys: KeyRing, table: str, last: Any, batch: int) -> list[Any]:
    """One transaction: the data keys after ``last`` that are not under the newest master key; gives whose they are."""
    name, kind = _TABLES[table]
    parts = {"table": sql.Identifier(table), "id": sql.Identifier(name), "kind": sql.SQL(kind)}
    with owner_transaction(database) as connection:
        wanted = (MARKED, mark_of(keys.newest), last, last, batch)
        rows = connection.execute(sql.SQL(_READ).format(**parts), wanted).fetchall()
        ids, again = [row[0] for row in rows], [keys.wrap_again(row[1]) for row in rows]
        connection.execute(sql.SQL(_WRITE).format(**parts), (ids, again))
    return ids
