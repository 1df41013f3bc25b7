"""How many alerts wait, counted once for all who look; and the news for pages that stay open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

import asyncpg

from serving.clock import Clock
from serving.store.session import tenant_connection

FRESH = 5.0
"""Seconds for which a count is good: one count for all who look, however many pages are open."""
_COUNTS = """
SELECT level, count(*), count(*) FILTER (WHERE due_at < $1) FROM alert
WHERE state <> 'released' AND (snoozed_until IS NULL OR snoozed_until <= $1) GROUP BY level"""
_NEWEST = "SELECT event FROM alert_event ORDER BY event DESC LIMIT 1"
_NEW = "SELECT count(*) FROM (SELECT 1 FROM alert_event WHERE event > $1 AND kind = 'raised' LIMIT 1000) n"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Alerts that wait: by level how many and how many of them overdue; ``newest`` is the last event of any."""

    open: Mapping[str, int]
    overdue: Mapping[str, int]
    newest: int


@dataclass(slots=True)
class Inboxes:
    """Counts by tenant, each kept for some seconds. ``clock`` gives µs of UTC."""

    clock: Clock
    _kept: dict[str, tuple[float, Waiting]] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def counts(self, pool: asyncpg.Pool, tenant: str) -> Waiting:
        """What waits in a tenant, at most some seconds old."""
        kept = self._kept.get(tenant)
        if kept is not None and kept[0] > monotonic():
            return kept[1]
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            kept = self._kept.get(tenant)
            if kept is None or kept[0] <= monotonic():
                kept = monotonic() + FRESH, await self._count(pool, tenant)
                self._kept[tenant] = kept
        return kept[1]

    async def news(self, pool: asyncpg.Pool, tenant: str, since: int) -> AsyncIterator[str]:
        """An event whenever more alerts were raised since an event than were told; a comment keeps the line open. Whoever
        sends them on ends it when nobody listens any more.
        """
        told = 0
        while True:
            found = await self.counts(pool, tenant)
            if found.newest > since:
                async with tenant_connection(pool, tenant) as connection:
                    new = await connection.fetchval(_NEW, since)
                if new != told:
                    told = new
                    yield f"event: news\ndata: {new}\n\n"
            yield ": open\n\n"
            await asyncio.sleep(FRESH)

    async def _count(self, pool: asyncpg.Pool, tenant: str) -> Waiting:
        async with tenant_connection(pool, tenant) as connection:
            rows = await connection.fetch(_COUNTS, self.clock())
            newest = await connection.fetchval(_NEWEST)
        return Waiting({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}, newest or 0)
