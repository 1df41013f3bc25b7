"""From the Authorization header to an authority."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic

import asyncpg
from fastapi import Request

from serving.access.limits import TenantLimits
from serving.access.model import Actor, Authority, NobodyKnown, Permission
from serving.access.repository import actor_of_async, token_hash
from serving.process.seen import asked_by

_REMEMBERED_SECONDS = 5.0
_MOST = 10_000


class Doorkeeper:
    """Who a token stands for, remembered for five seconds: a revoked token ends within that time.

    Each request is counted against its tenant's limit.
    """

    def __init__(
        self, pool: asyncpg.Pool, clock: Callable[[], int], limits: TenantLimits | None = None
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._limits = limits
        self._known: dict[bytes, tuple[float, Actor]] = {}

    async def actor(self, header: str | None) -> Actor:
        """The actor of an Authorization header.

        Raises:
            NobodyKnown: none, or an unknown, expired or revoked token.
            RateExceeded: the tenant asks more often than it may.
        """
        actor = await self._known_actor(header)
        asked_by(actor.tenant, actor.name)
        if self._limits is not None:
            self._limits.take(actor.tenant)
        return actor

    async def _known_actor(self, header: str | None) -> Actor:
        kind, _, token = (header or "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise NobodyKnown("no bearer token came with the request.")
        hashed = token_hash(token.strip())
        known = self._known.get(hashed)
        if known is not None and known[0] > monotonic():
            return known[1]
        actor = await actor_of_async(self._pool, token.strip(), self._clock())
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[hashed] = (monotonic() + _REMEMBERED_SECONDS, actor)
        return actor


def asking(permission: Permission) -> Callable[[Request], Awaitable[Authority]]:
    """A dependency that gives the authority for one permission, or refuses."""

    async def authority(request: Request) -> Authority:
        doorkeeper: Doorkeeper = request.app.state.services.doorkeeper
        actor = await doorkeeper.actor(request.headers.get("authorization"))
        return actor.allowed(permission)

    return authority
