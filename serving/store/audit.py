"""The audit log: who did what to which object, written in the same transaction as the deed."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from serving.store.session import Connection

INSERT = "INSERT INTO audit_log (tenant_id, at, actor_id, action, object, detail) VALUES"


def record(
    connection: Connection, tenant: str, at: int, actor: UUID | None, action: str, thing: str, **detail: Any
) -> None:
    """Add an entry; ``detail`` holds no personal value."""
    connection.execute(
        f"{INSERT} (%s, %s, %s, %s, %s, %s)", (tenant, at, actor, action, thing, json.dumps(detail))
    )


async def record_async(
    connection: Any, tenant: str, at: int, actor: UUID | None, action: str, thing: str, **detail: Any
) -> None:
    """As ``record``, on an asyncpg connection."""
    await connection.execute(
        f"{INSERT} ($1, $2, $3, $4, $5, $6)", tenant, at, actor, action, thing, json.dumps(detail)
    )
