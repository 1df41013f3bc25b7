"""What a subject may ask for: a report on itself, and its own words beside bad information."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import asyncpg

from features.calendar import NEVER, iso, local_date
from features.consent import Access, Purpose
from features.contracts.model import SubjectKind
from features.definitions.plan import FeaturePlan
from features.errors import Conflict, Invalid
from features.timeline.door import Entry
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents.check import person_number
from serving.consents.online import WorkingSet
from serving.consents.repository import lock_subject
from serving.records.disputes import DisputeService, UnknownRecord, key_of
from serving.rights import report, statements
from serving.rights.allowance import PAID, allowance
from serving.rights.report import Report, ReportDecision
from serving.rights.statements import Statement
from serving.settings import Settings
from serving.store.access_log import Wanted, entries, live_door
from serving.store.audit import record_async
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection, tenant_transaction
from serving.store.vault import subject_of_async

_USED = "SELECT allowance, count(*) FROM subject_report WHERE subject_id = $1 AND year = $2 GROUP BY 1"
_MADE = """
INSERT INTO subject_report (tenant_id, report_id, subject_id, year, allowance, made_at, made_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
_DECISIONS = """
SELECT decision_id, decided_at, outcome, coalesce(kind, 'system'), parent_id
FROM decision LEFT JOIN decision_link USING (tenant_id, decision_id)
WHERE subject_id = $1 ORDER BY decided_at, decision_id"""
_MOST_LOGGED = 100_000


class ReportChargeable(Conflict):
    """The free reports of the year are used up."""

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the free reports of {year} are used up: the next one is chargeable.", place="paid",
            remedy=f"Send `paid: true` once it is paid for, or wait until {year + 1}-01-01.",
        )  # fmt: skip


class RightsService:
    """The use cases of /v1/subjects/report and /statement. ``clock`` gives µs of UTC."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, database: Database, keys: KeyRing, online: WorkingSet,
        lake: Lake, disputes: DisputeService, clock: Callable[[], int],
    ) -> None:  # fmt: skip
        self._settings = settings
        self._pool = pool
        self._database = database
        self._keys = keys
        self._online = online
        self._lake = lake
        self._disputes = disputes
        self._clock = clock

    async def report(self, authority: Authority, number: str, *, paid: bool = False) -> Report:
        """What is known of a person, by source, with the decisions, reads and disputes; counted and logged.

        Raises:
            WrongNumber, UnknownSubject: who asks.
            ReportChargeable: the free ones of the calendar year are used up.
        """
        authority.holds(Permission.EXERCISE_RIGHTS)
        now, tenant = self._clock(), authority.tenant
        subject = await self._subject(number)
        plan = await self._online.plan(tenant, now)
        async with tenant_connection(self._pool, tenant) as connection:
            await lock_subject(connection, subject)
            name = new_id()
            taken = await self._take(connection, authority, subject, name, now, paid=paid)
            return await self._filled(connection, authority, subject, plan, name, taken, now)

    async def add_statement(
        self, authority: Authority, number: str, dataset: str, key: Mapping[str, str] | None, text: str
    ) -> Statement:
        """Keep what a person says of a record, or of all records of a dataset that has any (REG-CR-05).

        Raises:
            WrongNumber, UnknownSubject, Invalid, WrongKeyOfRecord, UnknownRecord: about what.
        """
        authority.holds(Permission.EXERCISE_RIGHTS)
        now, tenant, actor = self._clock(), authority.tenant, authority.actor.actor_id
        plan = await self._online.plan(tenant, now)
        contract = plan.contracts.get(dataset)
        if contract is None or contract.subject is not SubjectKind.PERSON:
            problem = "no dataset of persons has this name."
            raise Invalid(problem, place="dataset", remedy="See the contracts.")
        subject = await self._subject(number)
        hashed = None if key is None else key_of(contract, key, subject)
        said = Statement(new_id(), dataset, text, now)
        async with tenant_connection(self._pool, tenant) as connection:
            access = Access(str(actor), Purpose.SUBJECT_RIGHTS, tenant, now)
            async with live_door(self._lake, connection, access, subject) as door:
                raw = await asyncio.to_thread(door.rows, contract, [subject])
            if not len(raw.key) or (hashed is not None and not (raw.key == hashed).any()):
                raise UnknownRecord(dataset)
            await statements.add(connection, self._keys, tenant, subject, hashed, said, actor)
            named = str(said.statement_id)
            await record_async(connection, tenant, now, actor, "statement.added", named, dataset=dataset)
        return said

    async def _subject(self, number: str) -> int:
        normal = person_number(number, "id_number")
        return await subject_of_async(self._pool, self._keys, SubjectKind.PERSON, normal)

    async def _take(
        self, connection: asyncpg.Connection, authority: Authority, subject: int, name: UUID, now: int, *, paid: bool
    ) -> str:  # fmt: skip
        """The allowance that the report takes, under the subject's lock: two at once never share the last one."""
        year = local_date(now).year
        used = {row[0]: int(row[1]) for row in await connection.fetch(_USED, subject, year)}
        taken = allowance().free(used, now) or (PAID if paid else None)
        if taken is None:
            raise ReportChargeable(year)
        actor = authority.actor.actor_id
        await connection.execute(_MADE, authority.tenant, name, subject, year, taken, now, actor)
        await record_async(
            connection, authority.tenant, now, actor, "report.made", str(name), allowance=taken
        )
        return taken

    async def _filled(
        self, connection: asyncpg.Connection, authority: Authority, subject: int, plan: FeaturePlan, name: UUID,
        taken: str, now: int,
    ) -> Report:  # fmt: skip
        as_of = self._settings.seen_at(now)
        access = Access(str(authority.actor.actor_id), Purpose.SUBJECT_RIGHTS, authority.tenant, now)
        async with live_door(self._lake, connection, access, subject) as door:
            read = await asyncio.to_thread(door.subject, plan.contracts, subject)
        tables: Mapping[str, EventTable] = read.tables
        disputes = await self._disputes.of_subject(connection, subject)
        decisions = await connection.fetch(_DECISIONS, subject)
        logged = await asyncio.to_thread(self._logged, authority.tenant, subject)
        return Report(
            report_id=name,
            made_at=iso(now),
            as_of=iso(as_of),
            free=None if taken == PAID else taken,
            sources=report.sources_of(
                plan.contracts, tables, [d.dataset for d in disputes if d.verdict is None], as_of
            ),
            decisions=tuple(
                ReportDecision(row[0], iso(row[1]), row[2], row[3], row[4]) for row in decisions
            ),
            reads=report.reads_of(logged),
            disputes=report.disputes_of(disputes),
            statements=report.statements_of(
                await statements.of_subject(connection, self._keys, subject)
            ),
        )  # fmt: skip

    def _logged(self, tenant: str, subject: int) -> list[Entry]:
        with tenant_transaction(self._database, tenant) as connection:
            return entries(connection, Wanted(subject, None, None, 0, NEVER, _MOST_LOGGED))
