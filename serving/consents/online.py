"""The working set: the packed timeline of everybody whose records may be read now, and of nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import asyncpg
import numpy as np

from features.consent import Access, Consent, Purpose
from features.definitions.plan import FeaturePlan
from features.errors import Integrity, Invalid
from features.timeline.door import Door
from features.timeline.events import EventTable, Pin, pin_of
from features.timeline.lake import Lake
from features.timeline.packed import pack
from features.timeline.views import Reach, Seen
from serving.consents import relatives, repository
from serving.decisions.live import LiveCache, NothingActive
from serving.records.tail import numbered, wait_for_calls
from serving.registry.repository import active_async
from serving.store.access_log import live_door
from serving.store.session import tenant_connection

ACTOR = "working set"
"""Who reads when nobody in person does: the process that keeps online what may be read."""


class WorkingSet:
    """``clock`` gives µs of UTC; ``as_of`` is the fixed moment of a sample."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        lives: LiveCache,
        lake: Lake,
        clock: Callable[[], int],
        as_of: int | None = None,
    ) -> None:
        self._pool = pool
        self._lives = lives
        self._lake = lake
        self._clock = clock
        self._as_of = as_of

    async def sweep(self, tenant: str) -> int:
        """Bring the rows up to date whose consents, definitions or records changed elsewhere; returns how many."""
        now = self._clock()
        async with tenant_connection(self._pool, tenant) as connection:
            stale = [int(row[0]) for row in await connection.fetch(repository.STALE, now)]
        plan = await self.plan_if_any(tenant, now) if stale else None
        seen_by = [one for subject in stale for one in await self.family(tenant, plan, subject)]
        await self.refresh_all(tenant, sorted({*seen_by} - {*stale}), now)
        return await self.refresh_all(tenant, stale, now)

    async def rehydrate(self, tenant: str) -> int:
        """Bring every online subject up to the lake, after an ingest; returns how many."""
        async with tenant_connection(self._pool, tenant) as connection:
            online = [int(row[0]) for row in await connection.fetch(repository.ONLINE)]
        return await self.refresh_all(tenant, online, self._clock())

    async def family(self, tenant: str, plan: FeaturePlan | None, subject: int) -> list[int]:
        """The subject and all who see its records in a household, ascending."""
        if plan is None:
            return [subject]
        access = Access(ACTOR, Purpose.UPKEEP, tenant, self._clock())
        async with (
            tenant_connection(self._pool, tenant) as connection,
            live_door(self._lake, connection, access) as door,
        ):
            found = await asyncio.to_thread(door.seers, plan.contracts, plan.datasets, subject)
        return sorted({subject, *found})

    async def refresh_family(
        self,
        connection: asyncpg.Connection,
        tenant: str,
        family: Iterable[int],
        plan: FeaturePlan | None,
        now: int,
    ) -> Pin:
        """Refresh all of them; what the earliest of them saw."""
        pins = [await self.refresh(connection, tenant, one, plan, now) for one in family]
        return Pin(min(pin.lake for pin in pins), min(pin.tail for pin in pins))

    async def catch_up(self, tenant: str, subject: int, plan: FeaturePlan, seen: Pin, now: int) -> None:
        """Read again what was accepted while the row was not yet there for others to find and refresh."""
        async with tenant_connection(self._pool, tenant) as connection:
            last = await wait_for_calls(connection)
        while self._lake.settled() > seen.lake or last > seen.tail:
            async with tenant_connection(self._pool, tenant) as connection:
                await repository.lock_subject(connection, subject)
                seen = await self.refresh(connection, tenant, subject, plan, now)

    async def refresh(
        self, connection: asyncpg.Connection, tenant: str, subject: int, plan: FeaturePlan | None, now: int
    ) -> Pin:
        """The subject's row holds what its live consents allow, or is gone. Under the subject's lock.

        Returns how far was read. Without a plan nothing can be decided, so nothing is online.
        """
        seen = Pin(self._lake.settled(), await numbered(connection))
        given = await repository.of_subject(connection, subject)
        live = tuple(c for c in given if c.purpose == Purpose.CREDIT_ASSESSMENT and _holds(c, now))
        if not live or plan is None or await connection.fetchval(repository.IS_ERASED, subject):
            await connection.execute(repository.EMPTY_TIMELINE, subject)
            return seen
        at = now if self._as_of is None else self._as_of
        access = Access(ACTOR, Purpose.CREDIT_ASSESSMENT, tenant, now, live)
        async with live_door(self._lake, connection, access, subject) as door:
            views = await asyncio.to_thread(relatives.read, door, plan, subject, seen, at)
            readable = relatives.readable(plan, views, await relatives.consented(connection, views, now))
            tables, pin = await asyncio.to_thread(_hydrate, door, plan, subject, seen, readable)
        disputed = [row[0] for row in await connection.fetch(repository.DISPUTED, subject)]
        household = await self._household(connection, tenant, subject, plan, seen, now)
        packed = pack(tables, pin.tail, disputed)
        await connection.execute(
            repository.PUT_TIMELINE, tenant, subject, pin.lake, packed, now, seen.tail, household
        )
        return seen

    async def _household(
        self,
        connection: asyncpg.Connection,
        tenant: str,
        subject: int,
        plan: FeaturePlan,
        seen: Pin,
        now: int,
    ) -> int | None:
        """Whose cap the subject shares now. Whoever is asked for it withholds no consent: it is no part of an
        assessment, and a household's cap that one could leave by withholding would bind nobody.
        """
        at = now if self._as_of is None else self._as_of
        access = Access(ACTOR, Purpose.UPKEEP, tenant, now)
        async with live_door(self._lake, connection, access) as door:
            return await asyncio.to_thread(relatives.household_of, door, plan, subject, seen, at)

    async def refresh_all(self, tenant: str, subjects: list[int], now: int) -> int:
        """Bring these rows up to date, each in a transaction of its own; returns how many."""
        if not subjects:
            return 0
        plan = await self.plan_if_any(tenant, now)
        for subject in subjects:
            async with tenant_connection(self._pool, tenant) as connection:
                await repository.lock_subject(connection, subject)
                await self.refresh(connection, tenant, subject, plan, now)
        return len(subjects)

    async def shown_by(
        self,
        connection: asyncpg.Connection,
        plan: FeaturePlan,
        subjects: Collection[int],
        datasets: Collection[str] | None = None,
    ) -> list[int]:
        """Who is online and whose timeline shows records of these subjects, in ``datasets`` or in any, ascending."""
        if not await connection.fetchval(repository.ANYBODY_ONLINE):
            return []
        tenant = await connection.fetchval("SELECT current_setting('yidai.tenant')")
        access = Access(ACTOR, Purpose.UPKEEP, tenant, self._clock())
        links = _links(plan, datasets)
        async with live_door(self._lake, connection, access) as door:
            found = {*subjects, *await asyncio.to_thread(_seers, door, plan, sorted(subjects), links)}
        return [int(row[0]) for row in await connection.fetch(repository.ONLINE_OF, sorted(found))]

    async def plan_if_any(self, tenant: str, now: int) -> FeaturePlan | None:
        """A withdrawal or an end must take effect also where nothing usable is active."""
        try:
            return await self.plan(tenant, now)
        except (NothingActive, Invalid, Integrity):
            return None

    async def plan(self, tenant: str, now: int) -> FeaturePlan:
        """The definitions in force.

        Raises:
            NothingActive: there are none.
        """
        async with tenant_connection(self._pool, tenant) as connection:
            slots = await active_async(connection, now)
        return (await self._lives.get(tenant, slots)).plan


def _hydrate(
    door: Door,
    plan: FeaturePlan,
    subject: int,
    seen: Pin,
    views: Mapping[str, Seen],
) -> tuple[dict[str, EventTable], Pin]:
    """Never half of an ingest: the pin that a receipt keeps must mean the same when it is replayed."""
    tables = door.subject(plan.contracts, subject, pin=seen).tables
    tables |= {name: view.table for name, view in views.items()}
    return tables, pin_of(tables.values()).joined(*(view.pin for view in views.values()))


def _links(plan: FeaturePlan, datasets: Collection[str] | None) -> list[tuple[str, str, Reach]]:
    """The links through which the definitions show one of these datasets, or which one of them tells; None for all.

    A record that no view shows changes nobody's timeline but its subject's.
    """
    used = [v for name, v in plan.views.items() if name in plan.datasets or v.own]
    if datasets is not None:
        used = [v for v in used if v.dataset in datasets or v.source in datasets]
    return sorted({(v.source, v.field, v.reach) for v in used})


def _seers(
    door: Door, plan: FeaturePlan, subjects: list[int], links: Iterable[tuple[str, str, Reach]]
) -> set[int]:
    """Who may see records of these subjects through one of these links."""
    found: set[int] = set()
    for source, field, reach in links:
        contract = plan.contracts[source]
        if reach is Reach.OWNER:
            found |= set(door.rows(contract, subjects).columns[field].tolist())
        elif reach is Reach.HOUSEHOLD:
            groups = np.unique(door.rows(contract, subjects).columns[field])
            found |= set(door.rows(contract, groups[groups >= 0].tolist(), field).subject.tolist())
        else:
            found |= set(door.rows(contract, subjects, field).subject.tolist())
    return {one for one in found if one >= 0}


def _holds(consent: Consent, now: int) -> bool:
    """As ``Consent.is_live``; but withdrawn is withdrawn, even if the clock steps back."""
    return consent.withdrawn_at is None and consent.is_live(now)
