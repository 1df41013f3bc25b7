"""Connections that carry their tenant, and the translation of a lost database into one error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import psycopg

from features.errors import Conflict, Invalid, Unavailable
from serving.store.engine import Database

Connection = psycopg.Connection[tuple[Any, ...]]
_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # after a failover, a standby that is not the new primary
    asyncpg.TransactionRollbackError,  # deadlocks and failed serializations: nothing was done, done again it succeeds
)
_LOST_TO_COMMANDS = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)
"""The same of the other library, whose operational errors hold deadlocks and failed serializations."""
_REFUSALS = {
    "YD001": ("append_only", "what was recorded is never changed.", "Submit a new version."),
    "YD002": ("own_approval", "the author of a version may not approve it.", "Ask a second person."),
    "YD003": ("not_approved", "no second person has approved this version.", "Approve it first."),
}


class NoText(Invalid):
    """A text with a character that no text may have."""

    def __init__(self) -> None:
        super().__init__(
            "a text holds the character U+0000, which is no part of any text.",
            remedy="Send it without that character.",
        )


class StoreUnavailable(Unavailable):
    """The database does not take this just now; what was acknowledged before is safe."""

    def __init__(self) -> None:
        super().__init__(
            "the store does not answer.",
            remedy="Send the request again with the same Idempotency-Key; `yidai doctor` says what is wrong.",
        )


class RefusedByStore(Conflict):
    """A rule that the database itself holds."""

    def __init__(self, state: str) -> None:
        code, message, remedy = _REFUSALS[state]
        super().__init__(message, remedy=remedy, code=code)


@contextmanager
def tenant_transaction(database: Database, tenant: str, *, snapshot: bool = False) -> Iterator[Connection]:
    """One transaction of the application's role that sees this tenant only (for commands); as a ``snapshot`` it reads
    only, and all of it as of one moment.

    Raises:
        StoreUnavailable: no connection.
        RefusedByStore: a two-person or append-only rule.
    """
    try:
        with psycopg.connect(database.app_url, connect_timeout=5) as connection:
            if snapshot:
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                connection.read_only = True
            connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
            yield connection
    except _LOST_TO_COMMANDS:
        raise StoreUnavailable from None
    except psycopg.Error as error:
        if error.sqlstate not in _REFUSALS:
            raise
        raise RefusedByStore(error.sqlstate) from error


@contextmanager
def owner_transaction(database: Database) -> Iterator[Connection]:
    """One transaction of the owner: tenants, actors, tokens.

    Raises:
        StoreUnavailable: no connection.
    """
    try:
        with psycopg.connect(database.admin_url, connect_timeout=5) as connection:
            yield connection
    except _LOST_TO_COMMANDS:
        raise StoreUnavailable from None


class WaitingPool(asyncpg.Pool):  # type: ignore[misc]
    """A pool at which nobody waits longer than ``wait`` seconds for a connection, whichever way it is asked for one."""

    wait: float | None = None
    waiting: int = 0
    """Who waits now."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """As asyncpg's; a ``TimeoutError`` where none came free in time."""
        return super().acquire(timeout=self.wait if timeout is None else timeout)

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - asyncpg's own
        self.waiting += 1
        try:
            return await super()._acquire(timeout)
        finally:
            self.waiting -= 1


async def open_pool(database: Database, size: int, wait: float = 30.0) -> asyncpg.Pool:
    """The pool of one API process, of the application's role; ``wait`` is how many seconds one waits for a connection.

    Raises:
        StoreUnavailable: no connection.
    """
    async with store_errors():
        # none is kept open for its own sake: the pool would log a traceback at each attempt of an outage
        pool = WaitingPool(
            database.app_url, min_size=0, max_size=size, command_timeout=30, reset=_nothing_to_reset,
            max_queries=50_000, max_inactive_connection_lifetime=300.0, loop=None,
            connection_class=asyncpg.Connection, record_class=asyncpg.Record,
        )  # fmt: skip
        await pool
        pool.wait = wait
        await pool.fetchval("SELECT 1")
    return pool


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """A transaction's end takes its tenant with it; nothing else is set on a connection, no lock outlives one."""


@asynccontextmanager
async def tenant_connection(pool: asyncpg.Pool, tenant: str) -> AsyncIterator[asyncpg.Connection]:
    """One transaction of a request, seeing this tenant only.

    Raises:
        StoreUnavailable: no connection.
    """
    async with store_errors(), pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('yidai.tenant', $1, true)", tenant)
        yield connection


@asynccontextmanager
async def store_errors() -> AsyncIterator[None]:
    """Every way in which a database can be lost becomes ``StoreUnavailable``, and text that it has no form for an error
    of who sent it.
    """
    try:
        yield
    except asyncpg.CharacterNotInRepertoireError:
        raise NoText from None
    except _LOST:
        raise StoreUnavailable from None
