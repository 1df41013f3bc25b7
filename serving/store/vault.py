"""The vault over PostgreSQL: keyed hash to subject, the number encrypted, one data key a subject."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import numpy as np
import psycopg
from numpy.typing import NDArray

from features.contracts.model import SubjectKind
from features.errors import NotFound
from features.identity.held import HeldRecord, PersonalText
from features.identity.vault import random_ids
from serving.store import texts as personal
from serving.store.engine import Database
from serving.store.keys import KeyRing, seal, unseal
from serving.store.rotation import hold_keys
from serving.store.session import Connection, owner_transaction

_LOCK = 7420003
_CHUNK = 20_000


class UnknownSubject(NotFound):
    """A number of right form that stands in no record."""

    def __init__(self, place: str = "id_number") -> None:
        super().__init__(
            "no record of any department knows this number.",
            place=place,
            remedy="Compare it with the document; a newcomer has to be decided by a person.",
        )


def subject_of(connection: Connection, keys: KeyRing, kind: SubjectKind, number: str) -> int | None:
    """The subject of a checked number, by its keyed hash alone; None where no record knows it."""
    statement = "SELECT subject_id FROM subject_of(%s, %s)"
    row = connection.execute(statement, (kind.value, keys.pseudonym(kind, number))).fetchone()
    return None if row is None else int(row[0])


async def subject_of_async(
    asking: asyncpg.Pool | asyncpg.Connection, keys: KeyRing, kind: SubjectKind, number: str
) -> int:
    """As ``subject_of``, for the request's path.

    Raises:
        UnknownSubject: no record knows the number.
    """
    statement = "SELECT subject_id FROM subject_of($1, $2)"
    found = await asking.fetchval(statement, kind.value, keys.pseudonym(kind, number))
    if found is None:
        raise UnknownSubject
    return int(found)


class PostgresVault:
    """``features.identity.vault.Vault`` for the owner of the database; used by ingest and erasure."""

    def __init__(self, database: Database, keys: KeyRing) -> None:
        self._database = database
        self._keys = keys
        self._known: dict[tuple[str, str], int] = {}

    def assign(self, kind: SubjectKind, numbers: Sequence[str]) -> NDArray[np.int64]:
        """See ``Vault.assign``. Ids are never given twice, not even after an erasure."""
        wanted = [number for number in dict.fromkeys(numbers) if (kind.value, number) not in self._known]
        for start in range(0, len(wanted), _CHUNK):
            self._assign(kind.value, wanted[start : start + _CHUNK])
        found = (self._known[kind.value, number] for number in numbers)
        return np.fromiter(found, np.int64, len(numbers))

    def find(self, kind: SubjectKind, number: str) -> int | None:
        """See ``Vault.find``."""
        with self._connection() as connection:
            return subject_of(connection, self._keys, kind, number)

    def number_of(self, subject: int) -> str:
        """The number of a subject.

        Raises:
            UnknownSubject: erased, or never known.
        """
        with self._connection() as connection:
            row = connection.execute(
                "SELECT number, wrapped_key FROM subject WHERE subject_id = %s", (subject,)
            ).fetchone()
        if row is None:
            raise UnknownSubject
        return unseal(self._keys.unwrap(row[1]), row[0], b"number").decode()

    def keep(self, texts: Sequence[PersonalText]) -> None:
        """See ``TextVault.keep``."""
        if not texts:
            return
        with self._connection() as connection:
            personal.keep(connection, self._keys, texts)

    def texts(self) -> list[PersonalText]:
        """See ``TextVault.texts``."""
        with self._connection() as connection:
            return list(personal.texts(connection, self._keys))

    def hold(self, records: Sequence[HeldRecord]) -> int:
        """See ``TextVault.hold``."""
        with self._connection() as connection:
            return personal.hold(connection, self._keys, records)

    def erase(self, subject: int) -> None:
        """Forget a subject: its number, its key and what is online of it, for every tenant.

        What was encrypted under the key is unreadable then.
        """
        with self._connection() as connection:
            connection.execute("DELETE FROM subject_timeline WHERE subject_id = %s", (subject,))
            connection.execute("DELETE FROM subject WHERE subject_id = %s", (subject,))
        self._known = {key: known for key, known in self._known.items() if known != subject}

    def _assign(self, kind: str, numbers: list[str]) -> None:
        hashes = {self._keys.pseudonym(kind, number): number for number in numbers}
        with self._connection() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            statement = (
                "SELECT number_hash, subject_id FROM subject WHERE kind = %s AND number_hash = ANY(%s)"
            )
            known: dict[bytes, int] = dict(connection.execute(statement, (kind, list(hashes))).fetchall())
            new = [(h, number) for h, number in hashes.items() if h not in known]
            known |= self._insert(connection, kind, new)
        for number_hash, number in hashes.items():
            self._known[kind, number] = known[number_hash]

    def _insert(self, connection: Connection, kind: str, new: list[tuple[bytes, str]]) -> dict[bytes, int]:
        if not new:
            return {}
        statement = "UPDATE subject_counter SET given = given + %s RETURNING given - %s"
        row = connection.execute(statement, (len(new), len(new))).fetchone()
        assert row is not None
        hold_keys(connection, self._keys)
        ids = random_ids(int(row[0]), len(new), np.random.default_rng(secrets.randbits(128)))
        copy = "COPY subject (kind, number_hash, subject_id, number, wrapped_key) FROM STDIN"
        with connection.cursor().copy(copy) as rows:
            for (number_hash, number), subject in zip(new, ids.tolist(), strict=True):
                key, wrapped = self._keys.new_data_key()
                rows.write_row((kind, number_hash, subject, seal(key, number.encode(), b"number"), wrapped))
        return {number_hash: subject for (number_hash, _), subject in zip(new, ids.tolist(), strict=True)}

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        with owner_transaction(self._database) as connection:
            yield connection
