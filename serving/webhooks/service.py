"""Register, rotate, try out and replay: who, when and where to, in the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg

from features.calendar import iso
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.store.audit import record_async
from serving.store.keys import KeyRing, seal
from serving.store.session import tenant_connection
from serving.webhooks import repository
from serving.webhooks.address import check_url
from serving.webhooks.model import (
    MOST_ENDPOINTS,
    OLD_SIGNS,
    TRIED,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointThere,
    TooManyEndpoints,
    UnknownEndpoint,
    kinds_of,
)
from serving.webhooks.signature import new_secret, shown

SECRET = "webhook secret"  # noqa: S105 - the name of a derived key
_SEND = Permission.MANAGE_WEBHOOKS


class WebhookService:
    """The use cases of webhooks. ``private`` lets addresses of this network be named; ``clock`` gives µs of UTC."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyRing, clock: Callable[[], int], *, private: bool) -> None:
        self._pool = pool
        self._key = keys.derived(SECRET)
        self._clock = clock
        self._private = private

    async def add(self, authority: Authority, url: str, kinds: Sequence[str]) -> Endpoint:
        """Register an endpoint for these kinds, or for all; the answer alone shows its secret.

        Raises:
            WrongUrl, UnknownKind, EndpointThere, TooManyEndpoints: nothing changed.
        """
        check_url(url, private=self._private)
        wanted, name, secret, now = kinds_of(kinds), new_id(), new_secret(), self._clock()
        async with self._changing(authority, "webhook.added", name, kinds=wanted) as connection:
            if len(await repository.some(connection)) >= MOST_ENDPOINTS:
                raise TooManyEndpoints
            sealed, actor = self._sealed(name, secret), authority.actor.actor_id
            if not await repository.add(connection, authority.tenant, name, url, wanted, sealed, actor, now):
                raise EndpointThere
        return Endpoint(name, url, tuple(wanted), iso(now), secret=shown(secret))

    async def some(self, authority: Authority) -> list[Endpoint]:
        """The tenant's endpoints, with what waits and what is dead."""
        async with self._reading(authority) as connection:
            return await repository.some(connection)

    async def rotate(self, authority: Authority, name: UUID) -> Endpoint:
        """A new secret, shown once; the one before it signs too for a day.

        Raises:
            UnknownEndpoint: none of this tenant.
        """
        secret = new_secret()
        async with self._changing(authority, "webhook.rotated", name) as connection:
            await repository.lock(connection, name)
            await repository.rotate(connection, name, self._sealed(name, secret), self._clock() + OLD_SIGNS)
            found = next(each for each in await repository.some(connection) if each.endpoint_id == name)
        return Endpoint(*_fields(found), secret=shown(secret))

    async def remove(self, authority: Authority, name: UUID) -> None:
        """It is told nothing any more, also not what waits.

        Raises:
            UnknownEndpoint: none of this tenant.
        """
        async with self._changing(authority, "webhook.removed", name) as connection:
            await repository.lock(connection, name)
            await repository.remove(connection, name, self._clock())

    async def try_out(self, authority: Authority, name: UUID) -> Delivery:
        """Something to be sent that nothing happened for; the worker sends it within seconds.

        Raises:
            UnknownEndpoint: none of this tenant.
        """
        async with self._changing(authority, "webhook.tried", name) as connection:
            await repository.lock(connection, name)
            one = await repository.try_out(connection, authority.tenant, name, TRIED, self._clock())
            return (await repository.deliveries(connection, name, None, 1, one))[0]

    async def deliveries(
        self, authority: Authority, name: UUID, state: DeliveryState | None = None, most: int = 100
    ) -> list[Delivery]:
        """The latest of an endpoint.

        Raises:
            UnknownEndpoint: none of this tenant.
        """
        async with self._reading(authority) as connection:
            if name not in {each.endpoint_id for each in await repository.some(connection)}:
                raise UnknownEndpoint
            return await repository.deliveries(connection, name, state, most)

    async def replay(self, authority: Authority, name: UUID, delivery: UUID) -> Delivery:
        """Send once more what was delivered or is dead, under the same id.

        Raises:
            UnknownEndpoint, UnknownDelivery: nothing changed.
        """
        async with self._changing(authority, "webhook.replayed", name, delivery=str(delivery)) as connection:
            await repository.lock(connection, name)
            await repository.replay(connection, name, delivery, self._clock())
            return (await repository.deliveries(connection, name, None, 1, delivery))[0]

    async def replay_dead(self, authority: Authority, name: UUID) -> int:
        """Send once more whatever is dead; returns how many.

        Raises:
            UnknownEndpoint: none of this tenant.
        """
        async with self._changing(authority, "webhook.replayed", name) as connection:
            await repository.lock(connection, name)
            return await repository.replay_dead(connection, name, self._clock())

    def _sealed(self, name: UUID, secret: bytes) -> bytes:
        return seal(self._key, secret, name.bytes)

    @asynccontextmanager
    async def _reading(self, authority: Authority) -> AsyncIterator[asyncpg.Connection]:
        authority.holds(_SEND)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            yield connection

    @asynccontextmanager
    async def _changing(
        self, authority: Authority, action: str, name: UUID, **detail: Any
    ) -> AsyncIterator[asyncpg.Connection]:
        async with self._reading(authority) as connection:
            yield connection
            await record_async(
                connection,
                authority.tenant,
                self._clock(),
                authority.actor.actor_id,
                action,
                str(name),
                **detail,
            )


def _fields(found: Endpoint) -> tuple[UUID, str, tuple[str, ...], str, int, int]:
    return found.endpoint_id, found.url, found.kinds, found.created_at, found.waiting, found.dead
