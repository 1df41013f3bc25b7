"""The watch over the granted loans: features as of now, signals, alerts with evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from psycopg import Connection

from features.consent import Access, Purpose
from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.events import Int64
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.alerts.neighbours import neighbours
from serving.alerts.seeing import Seen, record_seen
from serving.consents.repository import of_purpose
from serving.records.tail import CommandTail
from serving.store.access_log import CommandLog
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import tenant_transaction
from serving.watch import queue
from serving.watch.around import Around
from serving.watch.book import Book, names
from serving.watch.inforce import InForce
from serving.watch.linked import with_guarantors
from serving.watch.models import Models
from serving.watch.signals import (
    Hit,
    Outcome,
    SignalsDocument,
    check_signals,
    evaluate,
)
from serving.watch.values import Given, Reading, gather


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What one run saw: ``raised`` are new alerts, ``worsened`` are those whose level rose."""

    as_of: int
    loans: int
    hits: tuple[Hit, ...]
    raised: int
    worsened: int
    skipped: Mapping[str, int]
    """Loans by signal of which nothing is known that it would need."""
    not_authorised: Mapping[str, int]
    """Loans by signal of which it may not read what it would need."""
    about: tuple[str, ...]
    """The bank's own number of each hit's loan."""

    @property
    def by_level(self) -> dict[str, int]:
        """Number of signals by level, the gravest first."""
        levels = [hit.level.value for hit in self.hits]
        return {level: levels.count(level) for level in ("red", "orange", "yellow")}


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who looks, and at whose loans: a person, or with no ``actor_id`` a process. ``feeds``: the lake's are the tenant's."""

    tenant: str
    actor: str = "watch"
    actor_id: UUID | None = None
    feeds: bool = True

    @staticmethod
    def of(authority: Authority, *, feeds: bool = True) -> Watcher:
        """A person who handles alerts.

        Raises:
            NotPermitted: the person does not.
        """
        authority.holds(Permission.HANDLE_ALERTS)
        actor = authority.actor.actor_id
        return Watcher(authority.tenant, str(actor), actor, feeds)


def watch(
    database: Database,
    authority: Authority,
    plan: FeaturePlan,
    signals: SignalsDocument,
    signals_digest: str,
    lake: Lake,
    now: int,
    read_at: int | None = None,
    models: Models | None = None,
    *,
    feeds: bool = True,
) -> WatchReport:
    """Raise the alerts of the open book as of ``now``, for a person: see ``watch_book``.

    Raises:
        BrokenSignal: a signal reads a feature that the plan does not have.
    """
    watcher = Watcher.of(authority, feeds=feeds)
    check_signals(signals, (column.name for column in plan.columns))
    means = InForce(plan, signals, Reading.of(plan, signals, models), (plan.digest, signals_digest))
    return watch_book(database, watcher, means, lake, now, read_at)


def watch_book(
    database: Database,
    watcher: Watcher,
    means: InForce,
    lake: Lake,
    now: int,
    read_at: int | None = None,
) -> WatchReport:
    """Raise the alerts of the open book as of ``now``. Running it again raises nothing twice.

    Read is what the loans' contracts allow and what borrowers consented to for post-loan management, by consents
    that are live at ``read_at`` (now, if none is given), records told by call among it. Whoever owes, with who guarantees
    and what views show, is watched from then on.

    What becomes of the alerts is ``serving.alerts.machine``'s to say: repetition alone changes nothing within a month.
    """
    clock = now if read_at is None else read_at
    with tenant_transaction(database, watcher.tenant) as connection:
        lake = Lake(lake.root, CommandTail(connection))
        door = door_for(connection, watcher, lake, clock)
        named = names(lake, connection, feeds=watcher.feeds)
        own = np.fromiter(named, dtype=np.int64, count=len(named))
        book, outcome = look(means.plan, means.signals, door, now, reading=means.reading, own=own)
        beside = neighbours(means.plan, door, book, now)
        near = _near(connection, watcher, means, lake, book, clock)
    about = tuple(named[code] for code in book.loan.tolist())
    with tenant_transaction(database, watcher.tenant) as connection:
        seen = Seen(book, outcome, about, means.digest, now, clock, beside=beside)
        done = record_seen(connection, watcher.tenant, seen)
        detail = {"loans": len(book.loan), "raised": done.raised}
        record(connection, watcher.tenant, now, watcher.actor_id, "watch.run", means.digest, **detail)
    with tenant_transaction(database, watcher.tenant) as connection:
        queue.watch_only(connection, near, clock)
    skipped = (outcome.skipped, outcome.not_authorised)
    told = tuple(about[hit.row] for hit in outcome.hits)
    return WatchReport(now, len(book.loan), outcome.hits, done.raised, done.worsened, *skipped, told)


def _near(
    connection: Connection, watcher: Watcher, means: InForce, lake: Lake, book: Book, clock: int
) -> Int64:
    """Everybody whose records are to be looked at as they come."""
    access = Access(watcher.actor, Purpose.UPKEEP, watcher.tenant, clock)
    door = Door(lake, access, CommandLog(connection, watcher.tenant))
    return Around(connection, means.reading.whole, door).near(np.unique(book.subject))


def door_of(connection: Connection, authority: Authority, lake: Lake, at: int) -> Door:
    """The door to the lake for post-loan management of a person who may look, by the consents that are live at ``at``."""
    watcher = Watcher(authority.tenant, str(authority.actor.actor_id), authority.actor.actor_id)
    return door_for(connection, watcher, lake, at)


def door_for(connection: Connection, watcher: Watcher, lake: Lake, at: int) -> Door:
    """To the lake for post-loan management, by the consents that are live at ``at``."""
    purpose, tenant = Purpose.POST_LOAN_MANAGEMENT, watcher.tenant
    consents = tuple(of_purpose(connection, purpose))
    access = Access(watcher.actor, purpose, tenant, at, consents)
    return Door(lake, access, CommandLog(connection, tenant))


def look(
    plan: FeaturePlan,
    signals: SignalsDocument,
    door: Door,
    now: int,
    given: Given | None = None,
    reading: Reading | None = None,
    own: Int64 | None = None,
) -> tuple[Book, Outcome]:
    """The open book and what the signals say of it, nothing stored.

    The ``reading`` may hold models, which are then asked; ``given`` says instead what they would; ``own`` are the tenant's
    loans: see ``serving.watch.values``.
    """
    book, values = gather(plan, signals, door, now, given, reading, own)
    return book, with_guarantors(signals, book, values, evaluate(signals, values), plan.contracts, door)
