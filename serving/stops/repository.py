"""Statements of stops."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from serving.stops.model import Scope, Stop, StopKind

_BEGIN = """
INSERT INTO approval_stop (tenant_id, stop_id, kind, name, reason, stopped_at, stopped_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, kind, name) WHERE ended_at IS NULL DO NOTHING
RETURNING stop_id"""
_END = """
UPDATE approval_stop SET ended_at = $3, ended_by = $4, ended_for = $5
WHERE kind = $1 AND name = $2 AND ended_at IS NULL RETURNING stop_id"""
_SOME = """
SELECT kind, name, reason, stopped_at, stopped_by::text, ended_at, ended_by::text, ended_for
FROM approval_stop WHERE $1 OR ended_at IS NULL ORDER BY stopped_at DESC, stop_id DESC LIMIT 1000"""


async def begin(
    connection: asyncpg.Connection,
    tenant: str,
    stop_id: UUID,
    scope: Scope,
    reason: str,
    now: int,
    actor: UUID,
) -> bool:
    """Whether a stop begins; not where one of the same holds."""
    found = await connection.fetchval(
        _BEGIN, tenant, stop_id, scope.kind.value, scope.name, reason, now, actor
    )
    return found is not None


async def end(connection: asyncpg.Connection, scope: Scope, reason: str, now: int, actor: UUID) -> bool:
    """Whether a stop that held ends."""
    return await connection.fetchval(_END, scope.kind.value, scope.name, now, actor, reason) is not None


async def some(connection: asyncpg.Connection, *, ended: bool) -> list[Stop]:
    """Those that hold, or all; the latest first."""
    rows = await connection.fetch(_SOME, ended)
    return [Stop(StopKind(row["kind"]), *list(row.values())[1:]) for row in rows]
