"""What a subject says about bad information on it (REG-CR-05): recorded, and shown to whoever reviews."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import msgspec

from serving.rights.writing import open_text, seal_text
from serving.store.keys import KeyRing

MOST_TEXT = 500
_INSERT = """
INSERT INTO subject_statement (tenant_id, statement_id, subject_id, dataset, record_key, sealed, added_by, added_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_OF_SUBJECT = """
SELECT statement_id, dataset, sealed, added_at FROM subject_statement WHERE subject_id = $1
ORDER BY added_at, statement_id"""


class Statement(msgspec.Struct, frozen=True):
    """One statement; the instant in µs."""

    statement_id: UUID
    dataset: str
    text: str
    added_at: int


async def add(
    connection: asyncpg.Connection,
    keys: KeyRing,
    tenant: str,
    subject: int,
    key: int | None,
    statement: Statement,
    actor: UUID,
) -> None:
    """Keep a statement under the subject's key; ``key`` is that of the record, where one is named."""
    name = statement.statement_id
    sealed = await seal_text(connection, keys, subject, name, statement.text)
    values = (tenant, name, subject, statement.dataset, key, sealed, actor, statement.added_at)
    await connection.execute(_INSERT, *values)


async def of_subject(connection: asyncpg.Connection, keys: KeyRing, subject: int) -> list[Statement]:
    """All statements of a subject, oldest first."""
    rows = await connection.fetch(_OF_SUBJECT, subject)
    return [
        Statement(
            row["statement_id"], row["dataset"],
            await open_text(connection, keys, subject, row["statement_id"], row["sealed"]), row["added_at"],
        )
        for row in rows
    ]  # fmt: skip
