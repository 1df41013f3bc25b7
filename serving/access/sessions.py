"""Sessions of the console: made at a sign-in, found by the secret in a cookie, ended by the person or an administrator."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import asyncpg

from features.errors import Unauthenticated
from serving.access.model import Actor, Role
from serving.access.repository import UnknownActor, token_hash
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction, store_errors

MOST_AGENT = 200
_SESSIONS = """
SELECT a.name, encode(s.session_hash, 'hex'), s.method, s.agent, s.made_at, s.seen_at, s.ends_at
FROM console_session s JOIN actor a USING (actor_id)
WHERE a.tenant_id = %s AND s.ended_at IS NULL AND s.ends_at > %s AND s.seen_at > %s ORDER BY a.name, s.made_at"""


class SessionOver(Unauthenticated):
    """No session, or one that has ended or was not used for too long."""

    def __init__(self) -> None:
        super().__init__("there is no session, or it has ended.", remedy="Sign in.")


class Method(StrEnum):
    """How a person showed who it is."""

    PASSWORD = "password"  # noqa: S105 - a kind, no secret
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Session:
    """An open session: ``csrf`` must come with each form, ``ends_at`` is µs. With ``must_change`` a new password comes
    first.
    """

    actor: Actor
    csrf: str
    ends_at: int
    must_change: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open session as an administrator sees it; ``key`` is the beginning of its hash, instants are µs."""

    name: str
    key: str
    method: Method
    agent: str
    made_at: int
    seen_at: int
    ends_at: int


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session lasts (µs): without being used, and at most."""

    idle: int
    whole: int


def begin(
    connection: Connection, tenant: str, actor: UUID, method: Method, agent: str, now: int, lasting: Lasting
) -> str:
    """A new session's secret, which is shown to the browser once; sessions that have ended long ago are forgotten."""
    secret = secrets.token_urlsafe(32)
    values = (
        token_hash(secret), actor, secrets.token_urlsafe(24), method.value, agent[:MOST_AGENT], now, now,
        now + lasting.whole,
    )  # fmt: skip
    connection.execute(
        "INSERT INTO console_session (session_hash, actor_id, csrf, method, agent, made_at, seen_at, ends_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        values,
    )
    connection.execute(
        "DELETE FROM console_session WHERE ends_at < %s OR ended_at < %s", (now - lasting.whole,) * 2
    )
    note(connection, tenant, actor, "session.begun", now, method=method.value)
    return secret


async def session_of(pool: asyncpg.Pool, secret: str, now: int, idle: int) -> Session:
    """Whose session a secret opens; it is used now.

    Raises:
        SessionOver: nobody's.
    """
    async with store_errors():
        row = await pool.fetchrow("SELECT * FROM actor_of_session($1, $2, $3)", token_hash(secret), now, idle)
    if row is None:
        raise SessionOver
    roles = frozenset(Role(role) for role in row["roles"])
    actor = Actor(UUID(str(row["actor_id"])), row["name"], row["tenant_id"], roles)
    return Session(actor, row["csrf"], row["ends_at"], row["must_change"])


def end(database: Database, secret: str, now: int) -> None:
    """End the session that a secret opens; again, or one that there is not, is no fault."""
    with owner_transaction(database) as connection:
        done = connection.execute(
            "UPDATE console_session s SET ended_at = %s FROM actor a"
            " WHERE a.actor_id = s.actor_id AND s.session_hash = %s AND s.ended_at IS NULL"
            " RETURNING a.tenant_id, a.actor_id",
            (now, token_hash(secret)),
        ).fetchone()
        if done is not None:
            note(connection, done[0], done[1], "session.ended", now)


def sessions_of(database: Database, tenant: str, now: int, lasting: Lasting) -> list[SessionRow]:
    """The open sessions of a tenant's people."""
    with owner_transaction(database) as connection:
        rows = connection.execute(_SESSIONS, (tenant, now, now - lasting.idle)).fetchall()
    return [SessionRow(row[0], row[1][:12], Method(row[2]), *row[3:]) for row in rows]


def end_sessions(
    database: Database, tenant: str, name: str, now: int, key: str = "", by: UUID | None = None
) -> int:
    """End every session of a person, or the one whose hash begins with ``key``; returns how many.

    Raises:
        UnknownActor: nobody of that name.
    """
    with owner_transaction(database) as connection:
        actor = actor_named(connection, tenant, name)
        return end_all(connection, tenant, actor, now, key, by)


def end_all(
    connection: Connection, tenant: str, actor: UUID, now: int, key: str = "", by: UUID | None = None
) -> int:
    """As ``end_sessions``, in the caller's transaction."""
    done = connection.execute(
        "UPDATE console_session SET ended_at = %s WHERE actor_id = %s AND ended_at IS NULL"
        " AND starts_with(encode(session_hash, 'hex'), %s)",
        (now, actor, key),
    ).rowcount
    if done:
        note(connection, tenant, by, "session.revoked", now, str(actor), sessions=done)
    return done


def actor_named(connection: Connection, tenant: str, name: str) -> UUID:
    """The person of that name, who has not been ended.

    Raises:
        UnknownActor: nobody.
    """
    if "\0" in name:
        raise UnknownActor(tenant, name)
    found = connection.execute(
        "SELECT actor_id FROM actor WHERE tenant_id = %s AND name = %s AND ended_at IS NULL", (tenant, name)
    ).fetchone()
    if found is None:
        raise UnknownActor(tenant, name)
    actor: UUID = found[0]
    return actor


def note(
    connection: Connection,
    tenant: str,
    actor: UUID | None,
    action: str,
    now: int,
    thing: str = "",
    **detail: object,
) -> None:
    """An entry of the audit log from an owner's transaction."""
    connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
    record(connection, tenant, now, actor, action, thing, **detail)
