"""Statements of the tenant's loans."""

from __future__ import annotations

from uuid import UUID

import asyncpg

ADD = """
INSERT INTO loan_account (tenant_id, loan_id, subject_id, sent_by, sent_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING"""
SUBJECT = "SELECT subject_id FROM loan_account WHERE loan_id = $1"
ALL = "SELECT loan_id FROM loan_account"


async def add(
    connection: asyncpg.Connection, tenant: str, loan_id: UUID, subject: int, actor: UUID, now: int
) -> None:
    """A loan of the tenant's; again changes nothing."""
    await connection.execute(ADD, tenant, loan_id, subject, actor, now)


async def subject_of(connection: asyncpg.Connection, loan_id: UUID) -> int | None:
    """Whose loan it is; None where the tenant has none of that id."""
    found = await connection.fetchval(SUBJECT, loan_id)
    return None if found is None else int(found)


async def every(connection: asyncpg.Connection) -> list[str]:
    """The ids of all loans of the tenant."""
    return [str(row[0]) for row in await connection.fetch(ALL)]
