"""Tenants, actors and their tokens. Tokens are random; only their SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils

from features.errors import Conflict, NotFound
from serving.access.model import Actor, NobodyKnown, Role, Scope
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import owner_transaction, store_errors

_ACTOR_OF_TOKEN = "SELECT actor_id, tenant_id, name, roles, permissions, products FROM actor_of_token"
_REFUSED = "the token is unknown, expired or revoked."


class UnknownActor(NotFound):
    """No actor of this name in the tenant."""

    def __init__(self, tenant: str, name: str) -> None:
        super().__init__(f"tenant {tenant} has no actor {name!r}.", remedy="Create the actor first.")


class RolesDiffer(Conflict):
    """The actor exists with other roles."""

    def __init__(self, name: str, roles: Iterable[str]) -> None:
        super().__init__(
            f"{name} exists already, with the roles {', '.join(sorted(roles))}.", remedy="Take another name."
        )


def create_tenant(database: Database, tenant: str, title: str, now: int) -> None:
    """Make a tenant known; again is no fault."""
    with owner_transaction(database) as connection:
        statement = "INSERT INTO tenant VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
        connection.execute(statement, (tenant, title, now))


def tenants(database: Database) -> list[str]:
    """All tenants."""
    with owner_transaction(database) as connection:
        found = connection.execute("SELECT tenant_id FROM tenant ORDER BY tenant_id").fetchall()
    return [row[0] for row in found]


def create_token(
    database: Database,
    tenant: str,
    name: str,
    roles: Iterable[Role],
    now: int,
    *,
    expires_at: int | None = None,
    scope: Scope | None = None,
    by: UUID | None = None,
) -> str:
    """A new bearer token for an actor, who is created if need be. It is shown once and never stored.

    It may do what the actor's roles grant, or as much of that as its ``scope`` says. ``by`` is who made it, nobody known
    where a command did.

    Raises:
        RolesDiffer: an actor of that name has other roles.
    """
    token, limits = new_secret(), scope or Scope()
    wanted = sorted(role.value for role in roles)
    with owner_transaction(database) as connection:
        found = connection.execute(
            "SELECT actor_id, roles FROM actor WHERE tenant_id = %s AND name = %s", (tenant, name)
        ).fetchone()
        if found and sorted(found[1]) != wanted:
            raise RolesDiffer(name, found[1])
        actor = found[0] if found else new_id()
        if not found:
            values = (actor, tenant, name, wanted, now)
            connection.execute(
                "INSERT INTO actor (actor_id, tenant_id, name, roles, created_at) VALUES (%s, %s, %s, %s, %s)",
                values,
            )
        connection.execute(
            "INSERT INTO token (token_hash, actor_id, created_at, expires_at, permissions, products) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (
                token_hash(token),
                actor,
                now,
                expires_at,
                _sorted(limits.permissions),
                _sorted(limits.products),
            ),
        )
        connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
        record(connection, tenant, now, by, "token.created", name, roles=wanted)
    return token


def revoke_tokens(
    database: Database, tenant: str, name: str, now: int, key: str = "", by: UUID | None = None
) -> int:
    """End every token of an actor, or the one whose hash begins with ``key``; returns how many.

    Raises:
        UnknownActor: no such actor.
    """
    with owner_transaction(database) as connection:
        found = connection.execute(
            "SELECT actor_id FROM actor WHERE tenant_id = %s AND name = %s", (tenant, name)
        ).fetchone()
        if found is None:
            raise UnknownActor(tenant, name)
        done = connection.execute(
            "UPDATE token SET revoked_at = %s WHERE actor_id = %s AND revoked_at IS NULL"
            " AND starts_with(encode(token_hash, 'hex'), %s)",
            (now, found[0], key),
        )
        connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
        record(connection, tenant, now, by, "token.revoked", name)
        return done.rowcount


def actor_of(database: Database, token: str, now: int) -> Actor:
    """Who a token stands for (commands).

    Raises:
        NobodyKnown: unknown, expired or revoked.
    """
    if not token:
        raise NobodyKnown("nobody is asking: YIDAI_TOKEN is empty.")
    with owner_transaction(database) as connection:
        row = connection.execute(f"{_ACTOR_OF_TOKEN}(%s, %s)", (token_hash(token), now)).fetchone()
    return _actor(row)


def actor_names(database: Database, tenant: str) -> dict[UUID, str]:
    """The names of a tenant's actors by id, ended ones too."""
    with owner_transaction(database) as connection:
        statement = "SELECT actor_id, name FROM actor WHERE tenant_id = %s"
        return dict(connection.execute(statement, (tenant,)).fetchall())


async def actor_of_async(pool: asyncpg.Pool, token: str, now: int) -> Actor:
    """Who a token stands for (requests); see ``actor_of``."""
    async with store_errors():
        return _actor(await pool.fetchrow(f"{_ACTOR_OF_TOKEN}($1, $2)", token_hash(token), now))


def token_hash(token: str) -> bytes:
    """What is stored of a token: it has 256 random bits, so a plain hash suffices."""
    return hashlib.sha256(token.encode()).digest()


def new_secret() -> str:
    """A key's secret, of 256 random bits."""
    return f"yd_{secrets.token_urlsafe(32)}"


def new_id() -> UUID:
    """A UUIDv7."""
    return UUID(bytes=uuid_utils.uuid7().bytes)


def _actor(row: Any) -> Actor:
    if row is None:
        raise NobodyKnown(_REFUSED)
    roles = frozenset(Role(role) for role in row[3])
    return Actor(UUID(str(row[0])), row[2], row[1], roles, Scope.read(row[4], row[5]))


def _sorted(names: Iterable[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)
