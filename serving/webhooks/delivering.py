"""The worker's side: what is due is sent, signed, until the receiver takes it.

What is sent is first put off by a lease, in a transaction of its own; none is open while somebody is called. When the
process dies, another sends it again after the lease under the same id: at least once, never lost. Order is not promised.

Each endpoint is called beside all others and waits for none. It is called once at first and more often at a time while
it answers; where it does not, it is left alone until that delivery's next turn, whatever else waits for it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar
from uuid import UUID

import httpx

from serving.access.repository import tenants
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing, unseal
from serving.store.session import Connection, tenant_transaction
from serving.webhooks import repository
from serving.webhooks.calling import client, send
from serving.webhooks.model import LEASE, MOST_ATTEMPTS, Due, Sent, back_off
from serving.webhooks.service import SECRET

_EACH = 16
"""Calls of one endpoint at a time, at most."""
_TENANTS_CALLS = 32
"""Calls of one tenant at a time: more than it may have endpoints, so that each has its turn."""
_STATEMENTS = 4
"""Transactions at a time; who asked first is first, so tenants and endpoints take turns."""
_ROUND_SECONDS = 15.0
"""After so long the worker turns to its other jobs; what is left is due at once."""
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Told:
    """What one run did; attempts."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)


def deliver_all(settings: Settings, database: Database, clock: Callable[[], int]) -> Told:
    """Send what is due, of every tenant, until nothing is or the time of one run is over."""
    return asyncio.run(_deliver_all(settings, database, clock))


def forget_all(database: Database, before: int) -> int:
    """Drop what was delivered before a moment, µs, of every tenant; what is dead stays until somebody looked."""
    gone = 0
    for tenant in tenants(database):
        with tenant_transaction(database, tenant) as connection:
            gone += repository.forget(connection, before)
    return gone


async def _deliver_all(settings: Settings, database: Database, clock: Callable[[], int]) -> Told:
    key = KeyRing.open(settings.key_file).derived(SECRET)
    until = monotonic() + _ROUND_SECONDS
    with ThreadPoolExecutor(_STATEMENTS) as threads:
        async with client() as http:
            every = [
                _Turn(
                    settings,
                    database,
                    clock,
                    key,
                    http,
                    threads,
                    until,
                    each,
                    asyncio.Semaphore(_TENANTS_CALLS),
                )
                for each in tenants(database)
            ]
            random.shuffle(every)  # none is always the first
            return sum(await asyncio.gather(*(turn.run() for turn in every)), Told())


@dataclass(frozen=True, slots=True)
class _Turn:
    """One tenant's part in a run."""

    settings: Settings
    database: Database
    clock: Callable[[], int]
    key: bytes
    http: httpx.AsyncClient
    threads: ThreadPoolExecutor
    until: float
    tenant: str
    calls: asyncio.Semaphore

    async def run(self) -> Told:
        names = await self._stored(lambda connection: repository.with_due(connection, self.clock()))
        return sum(await asyncio.gather(*(self._endpoint(name) for name in names)), Told())

    async def _endpoint(self, name: UUID) -> Told:
        """Call an endpoint until nothing is due, it does not answer, or the run is over."""
        told, most = Told(), 1
        while monotonic() < self.until and (found := await self._taken(name, most)):
            sent = await asyncio.gather(*(self._send(due) for due in found))
            tried = [(due, each) for due, each in zip(found, sent, strict=True) if each is not None]
            told += await self._note(tried)
            if any(each is None or each.status is None for each in sent):
                break
            most = min(2 * most, _EACH)
        return told

    async def _taken(self, name: UUID, most: int) -> list[Due]:
        now = self.clock()
        found = await self._stored(lambda connection: repository.take(connection, name, now, most))
        return [_due(taken, self.key, now + LEASE) for taken in found]

    async def _send(self, due: Due) -> Sent | None:
        async with self.calls:
            if monotonic() >= self.until:
                return None  # it waited for the tenant's other calls; after the lease it is taken again
            return await send(self.http, due, self.clock(), private=self.settings.webhooks_private)

    async def _note(self, tried: Sequence[tuple[Due, Sent]]) -> Told:
        return await self._stored(lambda connection: _noted(connection, tried, self.clock()))

    async def _stored(self, use: Callable[[Connection], _Found]) -> _Found:
        def within() -> _Found:
            with tenant_transaction(self.database, self.tenant) as connection:
                return use(connection)

        return await asyncio.get_running_loop().run_in_executor(self.threads, within)


def _due(taken: repository.Taken, key: bytes, until: int) -> Due:
    delivery, endpoint, url, payload, attempts, secret, old = taken
    keys = [unseal(key, bytes(each), endpoint.bytes) for each in (secret, old) if each is not None]
    return Due(delivery, url, payload.encode(), attempts, until, keys)


def _noted(connection: Connection, tried: Sequence[tuple[Due, Sent]], now: int) -> Told:
    told = Told()
    for due, each in tried:
        if not each.error:
            repository.delivered(connection, due, each, now)
            told += Told(delivered=1)
        elif due.attempts + 1 >= MOST_ATTEMPTS:
            repository.die(connection, due, each, now)
            told += Told(dead=1)
        else:
            wait = back_off(due.attempts + 1, random.random())  # noqa: S311 - spreads what failed together
            repository.later(connection, due, each, now + wait)
            told += Told(failed=1)
    return told
