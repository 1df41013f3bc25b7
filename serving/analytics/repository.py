"""Rows of reports and of issues; nothing commits here."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from serving.registry import repository as registry_rows
from serving.store.session import Connection
from serving.watch.models import SLOTS

PORTFOLIO, MONITORING = "portfolio", "monitoring"
_KEEP = """
INSERT INTO report (tenant_id, kind, about, as_of, made_at, body) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, kind, about, as_of) DO UPDATE SET made_at = excluded.made_at, body = excluded.body
WHERE report.body <> excluded.body"""
_KEPT = """
SELECT as_of, made_at, body FROM report WHERE kind = $1 AND about = $2 AND as_of <= $3 ORDER BY as_of DESC LIMIT 1"""
_ISSUES = """
SELECT i.issue_id, i.model, i.bundle, i.kind, i.month, i.about, i.figure, i.bound AS "limit", i.todo, i.owner, i.opened_at,
       i.due_at, i.closed_at, name_of_actor(i.closed_by::text) AS closed_by, i.reason
FROM model_issue i WHERE ($1 OR i.closed_at IS NULL) AND ($2::uuid IS NULL OR i.issue_id = $2)
ORDER BY i.closed_at IS NOT NULL, i.due_at, i.model, i.month, i.kind, i.about LIMIT $3"""
_CLOSE = """
UPDATE model_issue SET closed_by = $2, closed_at = $3, reason = $4 WHERE issue_id = $1 AND closed_at IS NULL RETURNING 1"""


def keep(connection: Connection, tenant: str, kind: str, about: str, as_of: int, body: bytes, now: int) -> bool:  # fmt: skip
    """Keep a report of a month's end in place of the one before it; returns whether it says anything new."""
    done = connection.execute(_KEEP, (tenant, kind, about, as_of, now, body.decode()))
    return done.rowcount > 0


def in_force(connection: Connection, now: int) -> dict[str, str]:
    """Digests of what a tenant's book is worked out by."""
    slots = registry_rows.active(connection, now)
    return {slot: slots[slot] for slot in ("definitions", "classes", *SLOTS) if slot in slots}


async def kept(
    connection: asyncpg.Connection, kind: str, about: str, as_of: int
) -> tuple[int, int, str] | None:
    """The newest report at or before a moment: its moment, when it was made, and what it says."""
    row = await connection.fetchrow(_KEPT, kind, about, as_of)
    return None if row is None else (row["as_of"], row["made_at"], row["body"])


async def issues(
    connection: asyncpg.Connection, issue: UUID | None, most: int, *, closed: bool
) -> list[asyncpg.Record]:
    """Open issues, or all, the first due first."""
    return list(await connection.fetch(_ISSUES, closed, issue, most))


async def close(connection: asyncpg.Connection, issue: UUID, actor: UUID, reason: str, now: int) -> bool:
    """Close an open issue; False where there is none."""
    return await connection.fetchval(_CLOSE, issue, actor, now, reason) is not None
