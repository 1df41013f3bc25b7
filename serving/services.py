"""What one API process holds: built once when it starts, given to the routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
from fastapi import Request

from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import SubjectKind
from features.timeline.lake import Lake
from serving.access.bearer import Doorkeeper
from serving.access.limits import TenantLimits
from serving.alerts.service import AlertService
from serving.analytics.service import AnalyticsService
from serving.batch.service import BatchService
from serving.cases.deciding import DecidingService
from serving.cases.opening import Opener
from serving.cases.service import CaseService
from serving.classes.service import ClassService
from serving.clock import Clock, wall_clock
from serving.consents.online import WorkingSet
from serving.consents.prefill import PrefillService
from serving.consents.service import ConsentService
from serving.decisions.live import LiveCache
from serving.decisions.reading import DecisionReader
from serving.decisions.searching import DecisionSearch
from serving.decisions.service import DecisionService
from serving.decisions.writer import GroupWriter
from serving.loans.lines import LineBook
from serving.log.service import LogService
from serving.offers.service import OfferService
from serving.process.metrics import Metrics
from serving.records.disputes import DisputeService
from serving.records.service import RecordService
from serving.records.subjects import SubjectService
from serving.rights.again import AgainService
from serving.rights.notice import NoticeService
from serving.rights.service import RightsService
from serving.settings import Settings
from serving.sources.asking import LiveSources, open_sources
from serving.sources.fetching import ADAPTERS
from serving.sources.model import read_sources
from serving.stops.service import StopService
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import open_pool
from serving.webhooks.service import WebhookService

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running API process."""

    settings: Settings
    pool: asyncpg.Pool
    lives: LiveCache
    doorkeeper: Doorkeeper
    decisions: DecisionService
    batch: BatchService
    reader: DecisionReader
    search: DecisionSearch
    consents: ConsentService
    prefill: PrefillService
    records: RecordService
    disputes: DisputeService
    subjects: SubjectService
    cases: CaseService
    alerts: AlertService
    analytics: AnalyticsService
    classes: ClassService
    deciding: DecidingService
    rights: RightsService
    again: AgainService
    notices: NoticeService
    offers: OfferService
    loans: LineBook
    stops: StopService
    log: LogService
    webhooks: WebhookService
    sources: LiveSources | None
    writer: GroupWriter
    metrics: Metrics
    clock: Clock


async def open_services(settings: Settings, database: Database, clock: Clock) -> Services:
    """Connect and start.

    Raises:
        StoreUnavailable: no database.
    """
    pool = await open_pool(database, settings.pool_size, settings.pool_wait_seconds)
    keys = KeyRing.open(settings.key_file)
    metrics = Metrics()
    lives = LiveCache(pool)
    lake = Lake(settings.lake_root)
    online = WorkingSet(pool, lives, lake, clock, settings.as_of)
    writer = GroupWriter(pool, settings.group_size, metrics.group.observe)
    writer.start()
    disputes = DisputeService(pool, keys, online, lake, clock)
    opener = Opener(keys, disputes)
    records = RecordService(pool, database, keys, online, lake, clock)
    sources = _sources(settings, pool, keys, records, clock)
    book = LineBook(pool, database, keys, online, lake, clock, settings.tenant, settings.seen_at)
    decisions = DecisionService(settings, pool, keys, lives, writer, clock, sources)
    return Services(
        settings=settings,
        pool=pool,
        lives=lives,
        doorkeeper=Doorkeeper(pool, clock, _limits(settings)),
        decisions=decisions,
        batch=BatchService(decisions, metrics),
        reader=DecisionReader(pool, keys, clock),
        search=DecisionSearch(pool, keys, clock),
        consents=ConsentService(pool, keys, online, clock),
        prefill=PrefillService(settings, pool, keys, lives, clock),
        records=records,
        disputes=disputes,
        subjects=SubjectService(pool, database, keys, online, lake, clock),
        cases=CaseService(settings, pool, opener, clock),
        alerts=AlertService(pool, clock),
        analytics=AnalyticsService(pool, clock, settings.seen_at),
        classes=ClassService(pool, clock),
        deciding=DecidingService(settings, pool, opener, clock),
        rights=RightsService(settings, pool, database, keys, online, lake, disputes, clock),
        again=AgainService(pool, opener, decisions),
        notices=NoticeService(settings, pool, opener),
        offers=OfferService(pool, opener, decisions, book, clock),
        loans=book,
        stops=StopService(pool, clock),
        log=LogService(pool),
        webhooks=WebhookService(pool, keys, clock, private=settings.webhooks_private),
        sources=sources,
        writer=writer,
        metrics=metrics,
        clock=clock,
    )


def _limits(settings: Settings) -> TenantLimits:
    """This process's share of what a tenant may ask: the kernel spreads connections over the workers."""
    return TenantLimits(settings.tenant_rate / settings.workers, settings.tenant_burst / settings.workers)


async def close_services(held: Services) -> None:
    """Write what is queued and disconnect."""
    await held.writer.stop()
    if held.sources is not None:
        await held.sources.close()
    await held.pool.close()


def _sources(
    settings: Settings, pool: asyncpg.Pool, keys: KeyRing, records: RecordService, clock: Clock
) -> LiveSources | None:
    """The sources that decisions wait for; None where none is declared, which costs nothing."""
    if settings.sources_file is None:
        return None
    contracts = load_contracts([BUILTIN])
    persons = {name: c for name, c in contracts.items() if c.subject is SubjectKind.PERSON}
    document = read_sources(settings.sources_file, persons, ADAPTERS)
    opened = open_sources(document, time.monotonic)
    return LiveSources(opened, document.total_ms, pool, keys, records, contracts, clock, settings.as_of)


def with_services(
    settings: Settings, database: Database, use: Callable[[Services], Awaitable[_Result]]
) -> _Result:
    """What ``use`` makes of the services, opened and closed for it: how a command calls what a route calls."""

    async def run() -> _Result:
        held = await open_services(settings, database, wall_clock)
        try:
            return await use(held)
        finally:
            await close_services(held)

    return asyncio.run(run())


def services(request: Request) -> Services:
    """The services of the process that answers this request."""
    held: Services = request.app.state.services
    return held
