"""The watch over the granted loans: features as of now, signals, alerts with evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import Connection

from features.consent import Access, Purpose
from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.alerts.neighbours import neighbours
from serving.alerts.seeing import Seen, record_seen
from serving.consents.repository import of_purpose
from serving.store.access_log import CommandLog
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import tenant_transaction
from serving.watch.book import Book, names
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
) -> WatchReport:
    """Raise the alerts of the open book as of ``now``. Running it again raises nothing twice.

    Read is what the loans' contracts allow and what borrowers consented to for post-loan management, by consents
    that are live at ``read_at`` (now, if none is given).

    What becomes of the alerts is ``serving.alerts.machine``'s to say: repetition alone changes nothing within a month.

    Raises:
        BrokenSignal: a signal reads a feature that the plan does not have.
    """
    authority.holds(Permission.HANDLE_ALERTS)
    check_signals(signals, (column.name for column in plan.columns))
    with tenant_transaction(database, authority.tenant) as connection:
        door = door_of(connection, authority, lake, now if read_at is None else read_at)
        book, outcome = look(plan, signals, door, now, reading=Reading.of(plan, signals, models))
        beside = neighbours(plan, door, book, now)
        named = names(lake, connection)
    about = tuple(named.get(code, str(code)) for code in book.loan.tolist())
    clock = now if read_at is None else read_at
    with tenant_transaction(database, authority.tenant) as connection:
        seen = Seen(book, outcome, about, signals_digest, now, clock, beside=beside)
        done = record_seen(connection, authority.tenant, seen)
        actor = authority.actor.actor_id
        record(
            connection,
            authority.tenant,
            now,
            actor,
            "watch.run",
            signals_digest,
            loans=len(book.loan),
            raised=done.raised,
        )
    skipped = (outcome.skipped, outcome.not_authorised)
    told = tuple(about[hit.row] for hit in outcome.hits)
    return WatchReport(now, len(book.loan), outcome.hits, done.raised, done.worsened, *skipped, told)


def door_of(connection: Connection, authority: Authority, lake: Lake, at: int) -> Door:
    """To the lake for post-loan management, by the consents that are live at ``at``."""
    purpose, tenant = Purpose.POST_LOAN_MANAGEMENT, authority.tenant
    consents = tuple(of_purpose(connection, purpose))
    access = Access(str(authority.actor.actor_id), purpose, tenant, at, consents)
    return Door(lake, access, CommandLog(connection, tenant))


def look(
    plan: FeaturePlan,
    signals: SignalsDocument,
    door: Door,
    now: int,
    given: Given | None = None,
    reading: Reading | None = None,
) -> tuple[Book, Outcome]:
    """The open book and what the signals say of it, nothing stored.

    The ``reading`` may hold models, which are then asked; ``given`` says instead what they would: see ``serving.watch.values``.
    """
    book, values = gather(plan, signals, door, now, given, reading)
    return book, with_guarantors(signals, book, values, evaluate(signals, values), plan.contracts, door)
