"""The audit log: who did what to which object, written in the same transaction as the deed; and read again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from features.calendar import NEVER, iso
from serving.store.session import Connection

INSERT = "INSERT INTO audit_log (tenant_id, at, actor_id, action, object, detail) VALUES"

DEEDS = """
SELECT entry, at, name_of_actor(actor_id::text), action, coalesce(name_of_actor(object), object), detail
FROM audit_log
WHERE at >= %(since)s AND at < %(until)s
  AND (%(after)s::bigint IS NULL OR entry < %(after)s)
  AND (%(who)s::text IS NULL OR actor_id = id_of_actor(%(who)s))
  AND (%(action)s::text IS NULL OR action = %(action)s OR starts_with(action, %(action)s || '.'))
ORDER BY entry DESC LIMIT %(most)s"""


@dataclass(frozen=True, slots=True)
class WantedDeeds:
    """What an auditor asks for; None asks for all. Instants in µs, ``until`` excluded; ``after`` is the last entry that was
    told, ``action`` a deed or a group of them (``token`` for all of ``token.…``).
    """

    who: str | None = None
    action: str | None = None
    since: int = 0
    until: int = NEVER
    after: int | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class Deed:
    """One entry; ``who`` is None where a command did it that asks for no key."""

    entry: int
    when: str
    who: str | None
    action: str
    thing: str
    detail: dict[str, Any]


def deeds(connection: Connection, wanted: WantedDeeds) -> list[Deed]:
    """Deeds of the tenant, the newest first; people are named, as doers and where something was done to them."""
    names = ("who", "action", "since", "until", "after", "most")
    rows = connection.execute(DEEDS, {name: getattr(wanted, name) for name in names}).fetchall()
    return [Deed(row[0], iso(row[1]), *row[2:]) for row in rows]


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
