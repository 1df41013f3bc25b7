"""What an alert does to its borrower's lines: frozen by one person, thawed by two, cut to no less than is drawn."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from serving.offers import repository as offers

ALERT_FREEZE = "ALERT_FREEZE"
"""Why a line is frozen that an alert froze."""
_FREEZE = f"""
UPDATE offer SET alert_hold = $2, frozen_at = coalesce(frozen_at, $3),
    frozen_for = CASE WHEN '{ALERT_FREEZE}' = ANY (frozen_for) THEN frozen_for ELSE frozen_for || '{ALERT_FREEZE}'::text END
WHERE subject_id = $1 AND state = 'accepted' AND alert_hold IS NULL RETURNING decision_id"""  # noqa: S608
_HELD = "SELECT 1 FROM offer WHERE alert_hold = $1 LIMIT 1"
_THAW = f"""
UPDATE offer SET alert_hold = NULL, frozen_for = array_remove(frozen_for, '{ALERT_FREEZE}'),
    frozen_at = CASE WHEN cardinality(array_remove(frozen_for, '{ALERT_FREEZE}')) > 0 THEN frozen_at END
WHERE alert_hold = $1 RETURNING decision_id"""  # noqa: S608
_CUT = """
WITH before AS (
    SELECT decision_id, holder, held_fen FROM offer
    WHERE subject_id = $1 AND state = 'accepted' AND limit_fen > greatest(drawn_fen, $2) ORDER BY decision_id FOR UPDATE
)
UPDATE offer o SET limit_fen = greatest(o.drawn_fen, $2), held_fen = least(o.held_fen, greatest(o.drawn_fen, $2))
FROM before b WHERE o.decision_id = b.decision_id AND o.tenant_id = current_setting('yidai.tenant')
RETURNING o.decision_id, b.holder, b.held_fen - o.held_fen AS freed"""


async def freeze(connection: asyncpg.Connection, subject: int, alert: UUID, now: int) -> list[UUID]:
    """Freeze the borrower's lines; those that were by this."""
    return [row[0] for row in await connection.fetch(_FREEZE, subject, alert, now)]


async def held(connection: asyncpg.Connection, alert: UUID) -> bool:
    """Whether an alert holds a line."""
    return await connection.fetchval(_HELD, alert) is not None


async def thaw(connection: asyncpg.Connection, alert: UUID) -> list[UUID]:
    """End what an alert froze; a line that is frozen for something else stays so."""
    return [row[0] for row in await connection.fetch(_THAW, alert)]


async def cut(connection: asyncpg.Connection, subject: int, limit_fen: int) -> list[UUID]:
    """Lower the borrower's lines to a limit, which frees the household's cap of what they hold no longer."""
    rows = await connection.fetch(_CUT, subject, limit_fen)
    for row in rows:
        await offers.free(connection, row["holder"], row["freed"])
    return [row["decision_id"] for row in rows]
