"""Statements of held records and of what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from features.errors import NotFound
from features.identity.held import HeldRecord, Verdict
from serving.store.keys import KeyRing
from serving.store.rotation import hold_keys
from serving.store.session import Connection
from serving.store.texts import open_record, seal_record

_WAITING = (
    "SELECT record_id, wrapped_key, sealed FROM held_record WHERE subject_id IS NULL ORDER BY record_id"
)
_ONE = """
SELECT h.record_id, h.subject_id, coalesce(h.wrapped_key, s.wrapped_key), h.sealed
FROM held_record h LEFT JOIN subject s USING (subject_id) WHERE starts_with(encode(h.record_id, 'hex'), %s)"""
_LINKED = """
SELECT h.record_id, h.subject_id, s.wrapped_key, h.sealed FROM held_record h JOIN subject s USING (subject_id)
WHERE %s::bigint IS NULL OR h.subject_id = %s ORDER BY h.record_id"""
_LAST = """
SELECT DISTINCT ON (record_id, subject_id) record_id, subject_id, verdict, probability, agreement, at, said_by, reason
FROM identity_verdict ORDER BY record_id, subject_id, entry DESC"""
_SAY = """
INSERT INTO identity_verdict (record_id, subject_id, verdict, probability, agreement, at, said_by, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""


class UnknownRecord(NotFound):
    """No held record, or more than one, begins like this."""

    def __init__(self, name: str, found: int) -> None:
        problem = "no held record has this id." if not found else f"{found} held records begin like this."
        super().__init__(
            problem,
            place=name,
            remedy="`yidai identity review` lists what is to decide, `yidai identity linked` what is linked.",
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A held record; ``subject`` is whom it is linked with."""

    record_id: bytes
    subject: int | None
    record: HeldRecord


@dataclass(frozen=True, slots=True)
class Said:
    """The last word on a record and a subject."""

    record_id: bytes
    subject: int
    verdict: Verdict
    probability: float
    agreement: dict[str, str]
    at: int
    said_by: str
    reason: str


def waiting(connection: Connection, keys: KeyRing) -> list[Held]:
    """The records that are linked with nobody."""
    rows = connection.execute(_WAITING).fetchall()
    return [Held(row[0], None, open_record(keys.unwrap(row[1]), row[2])) for row in rows]


def linked(connection: Connection, keys: KeyRing, subject: int | None) -> list[Held]:
    """The records that are linked with a subject, or with anybody."""
    rows = connection.execute(_LINKED, (subject, subject)).fetchall()
    return [Held(row[0], row[1], open_record(keys.unwrap(row[2]), row[3])) for row in rows]


def one(connection: Connection, keys: KeyRing, name: str) -> Held:
    """The record whose id begins with ``name``.

    Raises:
        UnknownRecord: none or several.
    """
    rows = connection.execute(_ONE, (name.lower(),)).fetchall() if name else []
    if len(rows) != 1:
        raise UnknownRecord(name, len(rows))
    record_id, subject, wrapped, sealed = rows[0]
    return Held(record_id, subject, open_record(keys.unwrap(wrapped), sealed))


def last_words(connection: Connection) -> list[Said]:
    """The last word on every pair, by record."""
    rows = connection.execute(_LAST).fetchall()
    return [Said(row[0], row[1], Verdict(row[2]), *row[3:]) for row in rows]


def say(connection: Connection, words: Iterable[Said]) -> None:
    """Add to what was said; nothing is taken back."""
    rows = [
        (w.record_id, w.subject, w.verdict.value, w.probability, json.dumps(w.agreement), w.at, w.said_by, w.reason)
        for w in words
    ]  # fmt: skip
    if rows:
        connection.cursor().executemany(_SAY, rows)


def give(connection: Connection, keys: KeyRing, held: Sequence[Held], subjects: Sequence[int]) -> None:
    """Put records under the keys of their subjects: who is erased takes them along."""
    found = connection.execute(
        "SELECT subject_id, wrapped_key FROM subject WHERE subject_id = ANY(%s)", (sorted(set(subjects)),)
    ).fetchall()
    opened = {subject: keys.unwrap(wrapped) for subject, wrapped in found}
    rows = [
        (subject, seal_record(opened[subject], each.record), each.record_id)
        for each, subject in zip(held, subjects, strict=True)
    ]
    statement = "UPDATE held_record SET subject_id = %s, wrapped_key = NULL, sealed = %s WHERE record_id = %s"
    connection.cursor().executemany(statement, rows)


def take_back(connection: Connection, keys: KeyRing, held: Held) -> None:
    """Put a record under a key of its own again."""
    hold_keys(connection, keys)
    key, wrapped = keys.new_data_key()
    connection.execute(
        "UPDATE held_record SET subject_id = NULL, wrapped_key = %s, sealed = %s WHERE record_id = %s",
        (wrapped, seal_record(key, held.record), held.record_id),
    )
