"""Statements of webhooks, under row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from features.calendar import iso
from serving.store.session import Connection
from serving.webhooks.model import (
    LEASE,
    PROBES,
    Delivery,
    DeliveryState,
    Due,
    Endpoint,
    Sent,
    UnknownDelivery,
    UnknownEndpoint,
)

_ADD = """
INSERT INTO webhook_endpoint (tenant_id, endpoint_id, url, kinds, secret, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, url) WHERE removed_at IS NULL DO NOTHING
RETURNING endpoint_id"""
_LIST = """
SELECT e.endpoint_id, e.url, e.kinds, e.created_at,
       count(d.state) FILTER (WHERE d.state = 'waiting'), count(d.state) FILTER (WHERE d.state = 'dead')
FROM webhook_endpoint e LEFT JOIN webhook_delivery d USING (tenant_id, endpoint_id)
WHERE e.removed_at IS NULL GROUP BY e.tenant_id, e.endpoint_id ORDER BY e.created_at, e.endpoint_id"""
_LOCK = "SELECT secret FROM webhook_endpoint WHERE endpoint_id = $1 AND removed_at IS NULL FOR UPDATE"
_ROTATE = (
    "UPDATE webhook_endpoint SET secret = $2, old_secret = secret, old_until = $3 WHERE endpoint_id = $1"
)
_REMOVE = (
    "UPDATE webhook_endpoint SET removed_at = $2, old_secret = NULL, old_until = NULL WHERE endpoint_id = $1"
)
_DROP = """
UPDATE webhook_delivery SET state = 'dead', ended_at = $2, error = 'the webhook was removed.'
WHERE endpoint_id = $1 AND state = 'waiting'"""
_TRY = """
INSERT INTO webhook_delivery (tenant_id, endpoint_id, kind, payload, created_at, due_at)
VALUES ($1, $2::uuid, $3::text, webhook_payload($3::text, $4::bigint, json_build_object('endpoint_id', $2::uuid)), $4::bigint,
        $4::bigint) RETURNING delivery_id"""
_DELIVERIES = """
SELECT delivery_id, kind, state, created_at, due_at, attempts, status, error FROM webhook_delivery
WHERE endpoint_id = $1 AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR delivery_id = $3)
ORDER BY created_at DESC, delivery_id DESC LIMIT $4"""
_REPLAY = """
UPDATE webhook_delivery SET state = 'waiting', ended_at = NULL, attempts = 0, due_at = $3, error = ''
WHERE endpoint_id = $1 AND delivery_id = $2 AND state <> 'waiting' RETURNING delivery_id"""
_REPLAY_DEAD = """
UPDATE webhook_delivery SET state = 'waiting', ended_at = NULL, attempts = 0, due_at = $2, error = ''
WHERE endpoint_id = $1 AND state = 'dead' RETURNING delivery_id"""
_WITH_DUE = """
SELECT e.endpoint_id FROM webhook_endpoint e
WHERE e.removed_at IS NULL AND EXISTS (
    SELECT FROM webhook_delivery x
    WHERE x.tenant_id = e.tenant_id AND x.endpoint_id = e.endpoint_id AND x.state = 'waiting' AND x.due_at <= %(now)s
) AND NOT EXISTS (
    SELECT FROM webhook_delivery x
    WHERE x.tenant_id = e.tenant_id AND x.endpoint_id = e.endpoint_id AND x.state = 'waiting' AND x.due_at > %(now)s
      AND x.attempts BETWEEN 1 AND %(probes)s AND x.status IS NULL
) ORDER BY random()"""
_TAKE = """
WITH found AS MATERIALIZED (  -- once: a subquery may be run for each row, and would then lock more than it may
    SELECT x.tenant_id, x.delivery_id FROM webhook_delivery x
    WHERE x.endpoint_id = %(name)s AND x.state = 'waiting' AND x.due_at <= %(now)s
    ORDER BY {first} x.due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE webhook_delivery d SET due_at = %(now)s + %(lease)s FROM found, webhook_endpoint e
WHERE d.tenant_id = found.tenant_id AND d.delivery_id = found.delivery_id
  AND e.tenant_id = d.tenant_id AND e.endpoint_id = d.endpoint_id AND e.removed_at IS NULL
RETURNING d.delivery_id, e.endpoint_id, e.url, d.payload, d.attempts, e.secret,
          CASE WHEN e.old_until > %(now)s THEN e.old_secret END"""
_MOST_TRIED = "CASE WHEN x.attempts <= %(probes)s THEN x.attempts ELSE 0 END DESC,"
"""The delivery that an endpoint was left alone for is what it is tried with again, so that its waits grow."""
_DELIVERED = """
UPDATE webhook_delivery SET state = 'delivered', ended_at = %s, attempts = attempts + 1, status = %s, error = ''
WHERE delivery_id = %s AND state = 'waiting'"""
_LATER = """
UPDATE webhook_delivery SET attempts = attempts + 1, due_at = %s, status = %s, error = %s
WHERE delivery_id = %s AND state = 'waiting' AND due_at = %s"""
_DEAD = """
UPDATE webhook_delivery SET state = 'dead', ended_at = %s, attempts = attempts + 1, status = %s, error = %s
WHERE delivery_id = %s AND state = 'waiting' AND due_at = %s"""
_FORGET = "DELETE FROM webhook_delivery WHERE state = 'delivered' AND ended_at < %s"

Taken = tuple[UUID, UUID, str, str, int, bytes, bytes | None]
"""Delivery, endpoint, URL, payload, attempts before, the sealed secret and the one before it while that signs too."""


async def add(
    connection: asyncpg.Connection, tenant: str, name: UUID, url: str, kinds: Sequence[str], secret: bytes,
    actor: UUID, now: int,
) -> bool:  # fmt: skip
    """Register an endpoint; False if the URL is there."""
    return (await connection.fetchval(_ADD, tenant, name, url, list(kinds), secret, actor, now)) is not None


async def some(connection: asyncpg.Connection) -> list[Endpoint]:
    """The tenant's endpoints, the oldest first."""
    found = await connection.fetch(_LIST)
    return [Endpoint(row[0], row[1], tuple(row[2]), iso(row[3]), row[4], row[5]) for row in found]


async def lock(connection: asyncpg.Connection, name: UUID) -> None:
    """Nobody else changes it in the meantime.

    Raises:
        UnknownEndpoint: none of this tenant.
    """
    if await connection.fetchval(_LOCK, name) is None:
        raise UnknownEndpoint


async def rotate(connection: asyncpg.Connection, name: UUID, secret: bytes, until: int) -> None:
    """A new secret; the old one signs too until then, µs."""
    await connection.execute(_ROTATE, name, secret, until)


async def remove(connection: asyncpg.Connection, name: UUID, now: int) -> None:
    """It is told nothing any more, also not what waits."""
    await connection.execute(_REMOVE, name, now)
    await connection.execute(_DROP, name, now)


async def try_out(connection: asyncpg.Connection, tenant: str, name: UUID, kind: str, now: int) -> UUID:
    """Something to be sent that nothing happened for."""
    found: UUID = await connection.fetchval(_TRY, tenant, name, kind, now)
    return found


async def deliveries(
    connection: asyncpg.Connection,
    name: UUID,
    state: DeliveryState | None,
    most: int,
    one: UUID | None = None,
) -> list[Delivery]:
    """The latest of an endpoint, or ``one`` of them."""
    found = await connection.fetch(_DELIVERIES, name, state and state.value, one, most)
    return [
        Delivery(row[0], row[1], DeliveryState(row[2]), iso(row[3]), iso(row[4]), row[5], row[6], row[7])
        for row in found
    ]


async def replay(connection: asyncpg.Connection, name: UUID, delivery: UUID, now: int) -> None:
    """Send once more what was delivered or is dead, under the same id.

    Raises:
        UnknownDelivery: none that has ended.
    """
    if await connection.fetchval(_REPLAY, name, delivery, now) is None:
        raise UnknownDelivery


async def replay_dead(connection: asyncpg.Connection, name: UUID, now: int) -> int:
    """Send once more whatever is dead; returns how many."""
    return len(await connection.fetch(_REPLAY_DEAD, name, now))


def with_due(connection: Connection, now: int) -> list[UUID]:
    """The endpoints to which something is due, without those that are left alone because they did not answer."""
    found = connection.execute(_WITH_DUE, {"now": now, "probes": PROBES}).fetchall()
    return [name for (name,) in found]


def take(connection: Connection, name: UUID, now: int, most: int) -> list[Taken]:
    """Put off by the lease what is due to an endpoint and nobody else sends; one alone is what was tried before."""
    statement = _TAKE.format(first=_MOST_TRIED if most == 1 else "")
    asked = {"name": name, "now": now, "lease": LEASE, "most": most, "probes": PROBES}
    return connection.execute(statement, asked).fetchall()


def delivered(connection: Connection, due: Due, sent: Sent, now: int) -> None:
    """The receiver has it."""
    connection.execute(_DELIVERED, (now, sent.status, due.delivery_id))


def later(connection: Connection, due: Due, sent: Sent, due_at: int) -> None:
    """Try again then, unless another has taken it since the lease ended."""
    connection.execute(_LATER, (due_at, sent.status, sent.error, due.delivery_id, due.until))


def die(connection: Connection, due: Due, sent: Sent, now: int) -> None:
    """It is tried no more, unless another has taken it since."""
    connection.execute(_DEAD, (now, sent.status, sent.error, due.delivery_id, due.until))


def forget(connection: Connection, before: int) -> int:
    """Drop what was delivered before a moment, µs; returns how many."""
    return connection.execute(_FORGET, (before,)).rowcount
