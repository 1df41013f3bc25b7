"""A borrower's whole story for who handles its alerts, and a village's; what is read goes through the door and is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import numpy as np

from features.canonical import code_of
from features.consent import Access, Purpose, stated_basis
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract, SubjectKind
from features.definitions.plan import FeaturePlan
from features.loans.book import position
from features.loans.feeds import histories
from features.loans.rows import BOOK, Records
from features.timeline.door import Door, Entry
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from features.timeline.views import Seen
from serving.access.model import Authority, Permission
from serving.alerts.model import AlertRow
from serving.alerts.repository import all_of
from serving.borrowers import repository
from serving.borrowers.model import (
    Around,
    BorrowerView,
    Firm,
    UnknownBorrower,
    UnknownVillage,
    VillageView,
    checked_reason,
    masked,
)
from serving.borrowers.timeline import known, timeline, values
from serving.classes.repository import month_of
from serving.clock import Clock
from serving.consents.repository import of_subject
from serving.loans.model import LoanView, view
from serving.settings import Settings
from serving.store.access_log import live_door, write_async
from serving.store.audit import record_async
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import PostgresVault, UnknownSubject

_DO, _PURPOSE = Permission.HANDLE_ALERTS, Purpose.POST_LOAN_MANAGEMENT
_HOUSEHOLD, _OWNER, _GUARANTEE = "population_register@household", "business_registration@owner", "guarantee"
Plans = Callable[[str, int], Awaitable[FeaturePlan | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of a page: records of one ``source`` after so many, what happened ``before`` an event."""

    source: str = ""
    after: int = 0
    before: int = 0


@dataclass(frozen=True, slots=True)
class _Held:
    """What was read of a borrower, and what was not to be."""

    tables: Mapping[str, EventTable]
    seen: Mapping[str, Seen]
    left_out: tuple[str, ...]


class BorrowerService:
    """The use cases of the officer's page of a borrower. ``plans`` gives a tenant's definitions in force, where there are any."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, database: Database, plans: Plans, clock: Clock) -> None:  # fmt: skip
        self._settings = settings
        self._pool = pool
        self._database = database
        self._keys = KeyRing.open(settings.key_file)
        self._lake = Lake(settings.lake_root)
        self._plans = plans
        self._clock = clock
        self._builtin = load_contracts([BUILTIN])

    async def view(self, authority: Authority, case: UUID, asked: Asked = Asked()) -> BorrowerView:
        """All that may be seen of the borrower of a case of alerts; the read is logged.

        Raises:
            UnknownBorrower: there is nothing to see.
        """
        authority.holds(_DO)
        now = self._clock()
        contracts = await self._contracts(authority, now)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            subject = await self._subject(connection, case)
            held, number = await asyncio.gather(
                self._read(connection, authority, contracts, subject, now), self._number(subject)
            )
            names = await repository.loans(connection, subject)
            loans = await asyncio.to_thread(self._loans, authority.tenant, held.tables, names, now)
            await write_async(
                connection, [_entry(authority, ("alert", "class_point", "decision"), (subject,), now)]
            )
            alerts = await all_of(connection, subject)
            story, earlier = await repository.story(connection, subject, asked.before)
            at = self._settings.seen_at(now)
            return BorrowerView(
                case, masked(number), at, _village(alerts), alerts, story, earlier,
                timeline(self._told(authority, contracts), held.tables, held.left_out, at, asked.source, asked.after),
                loans, await repository.decisions(connection, subject),
                await repository.points(connection, [*names, *(loan.loan_id for loan in loans)]),
                await self._around(connection, authority, contracts, held, subject, now),
            )  # fmt: skip

    async def reveal(self, authority: Authority, case: UUID, why: str) -> str:
        """The borrower's number, for a reason, which the access log keeps.

        Raises:
            WeakReason, NumberInText: of the reason; nothing was read.
            UnknownBorrower: there is nothing to see.
        """
        authority.holds(_DO)
        reason, now = checked_reason(why), self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            subject = await self._subject(connection, case)
            number, actor = await self._number(subject), authority.actor.actor_id
            await write_async(connection, [_entry(authority, ("subject_number",), (subject,), now, reason)])
            await record_async(connection, authority.tenant, now, actor, "number.revealed", str(case))
        return number

    async def case_of_decision(self, authority: Authority, decision: UUID) -> UUID | None:
        """A case of alerts of whom a decision is about, where there is one."""
        authority.holds(_DO)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.case_of_decision(connection, decision)

    async def village(self, authority: Authority, name: str) -> VillageView:
        """What a village's alerts come to, beside all.

        Raises:
            UnknownVillage: no alert was ever there.
        """
        authority.holds(_DO)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            month = await month_of(connection, None) or ""
            found = await repository.village(connection, name, month)
        if found is None:
            raise UnknownVillage
        levels, (here, everywhere), classes = found
        return VillageView(name, levels, here, everywhere, month, classes)

    async def _contracts(self, authority: Authority, now: int) -> dict[str, Contract]:
        plan = await self._plans(authority.tenant, now)
        return self._builtin | ({} if plan is None else dict(plan.contracts))

    @staticmethod
    async def _subject(connection: asyncpg.Connection, case: UUID) -> int:
        subject = await repository.subject_of(connection, case)
        if subject is None:
            raise UnknownBorrower
        return subject

    async def _number(self, subject: int) -> str:
        try:
            return await asyncio.to_thread(PostgresVault(self._database, self._keys).number_of, subject)
        except UnknownSubject:
            raise UnknownBorrower from None

    def _told(self, authority: Authority, contracts: Mapping[str, Contract]) -> dict[str, Contract]:
        """Datasets of persons that are told: a bank's own feeds are not another tenant's."""
        own = authority.tenant == self._settings.tenant
        return {
            name: contract
            for name, contract in contracts.items()
            if contract.subject is SubjectKind.PERSON
            and (own or stated_basis(contract, _PURPOSE) != "contract")
        }

    async def _read(
        self, connection: asyncpg.Connection, authority: Authority, contracts: Mapping[str, Contract], subject: int, now: int
    ) -> _Held:  # fmt: skip
        consents = tuple(await of_subject(connection, subject))
        access = Access(str(authority.actor.actor_id), _PURPOSE, authority.tenant, now, consents)
        wanted = {name: contracts[name] for name in {*self._told(authority, contracts), *BOOK, _OWNER.partition("@")[0]}}  # fmt: skip
        async with live_door(self._lake, connection, access, subject) as door:
            return await asyncio.to_thread(_held, door, wanted, subject)

    def _loans(
        self, tenant: str, tables: Mapping[str, EventTable], names: list[str], now: int
    ) -> list[LoanView]:
        """The borrower's loans of this tenant, the latest granted first: those of a sample as of its moment, what was told
        of since as of now.
        """
        named = {code_of(name): name for name in names}
        codes = Records(tables, now).loans.loan
        if tenant == self._settings.tenant and not set(codes.tolist()) <= named.keys():
            named = self._lake.names("loan_grant", "loan_id") | self._lake.names("loan", "loan_id") | named
        own = np.array([code for code in codes.tolist() if code in named], dtype=np.int64)
        told = {
            code: (loan, events, at)
            for at in dict.fromkeys((now, self._settings.seen_at(now)))
            for code, loan, events in histories(Records(tables, at), own)
        }
        found = [
            view(named[code], loan, events, position(loan, events, at))
            for code, (loan, events, at) in told.items()
        ]
        return sorted(found, key=lambda one: one.granted_at, reverse=True)

    async def _around(
        self, connection: asyncpg.Connection, authority: Authority, contracts: Mapping[str, Contract], held: _Held,
        subject: int, now: int,
    ) -> Around:  # fmt: skip
        at = self._settings.seen_at(now)
        house = held.seen.get(_HOUSEHOLD)
        members = () if house is None else sorted(house.members - {subject})
        who = _guarantors(held, at)
        cases = await repository.beside(connection, [*members, *(who or ())])
        if cases:
            await write_async(connection, [_entry(authority, ("alert",), tuple(sorted(cases)), now)])
        firms = held.seen.get(_OWNER)
        return Around(
            None if house is None else repository.placed("household", members, cases),
            None if who is None else repository.placed("guarantor", who, cases),
            None if firms is None else _firms(contracts[_OWNER.partition("@")[0]], firms.table, at),
        )  # fmt: skip


def _entry(
    authority: Authority, what: tuple[str, ...], subjects: tuple[int, ...], now: int, reason: str = ""
) -> Entry:
    """The entry of a read of what the bank itself has made, under the loan's contract."""
    actor, tenant = str(authority.actor.actor_id), authority.tenant
    return Entry(now, actor, tenant, _PURPOSE.value, what, ("bank",), ("contract",), (), (), subjects, reason)


def _held(door: Door, contracts: Mapping[str, Contract], subject: int) -> _Held:
    read = door.subject(contracts, subject)
    seen = door.seen(contracts, subject, (_HOUSEHOLD, _OWNER))
    return _Held(read.tables, seen, tuple(read.left_out))


def _village(alerts: list[AlertRow]) -> str | None:
    return next((alert.village for alert in alerts if alert.village), None)


def _guarantors(held: _Held, at: int) -> list[int] | None:
    if _GUARANTEE not in held.tables:
        return None
    rows = known(held.tables[_GUARANTEE], at)
    return sorted(set(rows.columns["guarantor_id_number"][at < rows.valid_to].tolist()))


def _firms(contract: Contract, table: EventTable, at: int) -> tuple[Firm, ...]:
    rows = known(table, at)
    rows = rows.take(at < rows.valid_to)
    return tuple(Firm(values(contract, rows, row)) for row in range(len(rows)))
