"""The loan book over HTTP and on the command line: told record by record, read as of any moment."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from uuid import UUID

import asyncpg
import msgspec
import numpy as np

from features.calendar import NEVER
from features.canonical import code_of
from features.consent import Access, Purpose
from features.contracts.model import Contract, SubjectKind
from features.loans.book import position
from features.loans.feeds import event_id, histories
from features.loans.model import Event, Kind, Loan
from features.loans.plan import plan
from features.loans.rows import BOOK, Records
from features.loans.whole import WholeBook, whole_book
from features.timeline.door import Door
from features.timeline.events import EventTable
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.consents.check import person_number
from serving.consents.online import WorkingSet
from serving.decisions.service import hash_of_key
from serving.loans import repository
from serving.loans.model import (
    BookPage,
    BookRefuses,
    Given,
    InTheFuture,
    LoanView,
    Recorded,
    Reused,
    Told,
    UnknownLoan,
    view,
)
from serving.loans.paging import Wanted, page
from serving.loans.rows import event_rows, grant_rows
from serving.offers.repaying import free_line
from serving.records import repository as records
from serving.records.keeper import RecordKeeper
from serving.records.service import SubjectsMoving
from serving.store.access_log import live_door
from serving.store.audit import record_async
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import PostgresVault

Tables = Mapping[str, EventTable]


class LoanService(RecordKeeper):
    """The use cases of /v1/loans, for one process. ``own`` is the tenant whose feeds the lake holds, ``seen_at`` gives the
    moment of a sample in place of now.
    """

    def __init__(
        self, pool: asyncpg.Pool, database: Database, keys: KeyRing, online: WorkingSet, lake: Lake,
        clock: Callable[[], int], own: str, seen_at: Callable[[int], int] = lambda now: now,
    ) -> None:  # fmt: skip
        super().__init__(pool, database, keys, online, lake, clock)
        self.own = own
        self._seen_at = seen_at

    async def grant(self, authority: Authority, key: str | None, given: Given) -> Recorded:
        """A grant that was made elsewhere; a key grants once.

        Raises:
            WrongKey, WrongNumber, InTheFuture: what was asked.
            Reused: the key stands for another grant.
            SubjectsMoving: the person was erased meanwhile; nothing was stored.
        """
        authority.holds(Permission.KEEP_LOANS)
        name = UUID(bytes=_named(authority.tenant, "grant", hash_of_key(key).hex())[:16], version=5)
        now, number = self._clock(), person_number(given.id_number, "id_number")
        if given.granted_at > now:
            raise InTheFuture("granted_at", given.granted_at, now)
        subject = await asyncio.to_thread(self._subject_of, number)
        live = await self._online.plan_if_any(authority.tenant, now)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await records.lock_counter(connection)
            if await records.any_erased(connection, [subject]):
                raise SubjectsMoving
            before = await repository.subject_of(connection, name)
            known = now
            if before is not None:
                tables = await self._tables(connection, authority, before)
                known = self._same_grant(tables, code_of(str(name)), before, subject, given)
            else:
                code = code_of(str(name))
                parts = grant_rows(self._contracts, subject, code, given, known)
                actor = authority.actor.actor_id
                await repository.add(connection, authority.tenant, name, subject, actor, now)
                await self._append(connection, authority, parts, [subject], live, now)
                await self._log(connection, authority, "loan.granted", str(name), now)
                tables = await self._tables(connection, authority, subject)
        return Recorded(str(name), "", _seen(tables, str(name), known))

    async def tell(self, authority: Authority, loan_id: str, key: str | None, told: Told) -> Recorded:
        """What happened to a loan; a key, or the bank's own reference, is recorded once.

        It is checked against all that is known of the loan just then, under the lock that every record takes: of two
        calls one sees the other. An old date changes all that follows it, for who asks from now on.

        Raises:
            WrongKey, InTheFuture, UnknownLoan: what was asked.
            Reused: the key or the reference stands for something else.
            BookRefuses: the loan, as it stands, cannot take it.
        """
        authority.holds(Permission.KEEP_LOANS)
        digest, now = hash_of_key(key), self._clock()
        if told.at > now:
            raise InTheFuture("at", told.at, now)
        live = await self._online.plan_if_any(authority.tenant, now)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await records.lock_counter(connection)
            subject = await self._subject(connection, authority, loan_id)
            tables = await self._tables(connection, authority, subject)
            latest = known_after(tables, now)
            loan, events = history_of(tables, loan_id, latest)
            event = named_event(loan, loan_id, digest.hex(), told, latest)
            before = next((one for one in events if one.id == event.id), None)
            if before is not None:
                _same_event(before, event, "reference" if told.reference else "Idempotency-Key")
                return Recorded(loan_id, event.id, _seen(tables, loan_id, before.known_from))
            found = position(loan, [*events, event], event.known_from)
            for refused in found.refused:
                if refused.event.id == event.id:
                    raise BookRefuses(refused)
            parts = event_rows(self._contracts, subject, code_of(loan_id), event)
            await self._append(connection, authority, parts, [subject], live, now)
            await self._log(connection, authority, f"loan.{told.kind}", loan_id, now)
            if told.kind is Kind.PAYMENT:
                back = position(loan, events, event.known_from).balance_fen - found.balance_fen
                await free_line(
                    connection, authority, _uuid_of(loan_id), back, _named(loan_id, event.id), now
                )
        return Recorded(loan_id, event.id, view(loan_id, loan, [*events, event], found))

    async def read(self, authority: Authority, loan_id: str, as_of: int | None) -> LoanView:
        """Where a loan stood, as it was known then; now, where no moment is given: a sample's loan as of the sample's moment.

        Raises:
            UnknownLoan: the tenant has none of this id, or it was not known then.
            InTheFuture: of the moment.
        """
        authority.holds(Permission.READ_LOANS)
        at = self._moment(as_of)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            subject = await self._subject(connection, authority, loan_id)
            tables = await self._tables(connection, authority, subject)
        try:
            return _seen(tables, loan_id, at)
        except UnknownLoan:
            if as_of is not None:
                raise
        return _seen(tables, loan_id, self._clock())

    async def book(self, authority: Authority, wanted: Wanted) -> BookPage:
        """A page of the tenant's whole book; of a sample as of its moment, where none is given.

        Raises:
            InTheFuture: of the moment.
        """
        authority.holds(Permission.READ_LOANS)
        at = self._moment(wanted.as_of)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            names = {code_of(name): name for name in await repository.every(connection)}
            access = self._access(authority)
            async with live_door(self._lake, connection, access) as door:
                found = await asyncio.to_thread(self._whole, door, at)
        if authority.tenant == self.own:
            names |= self._lake.names("loan_grant", "loan_id") | self._lake.names("loan", "loan_id")
        return page(found, names, wanted)

    def _moment(self, as_of: int | None) -> int:
        now = self._clock()
        if as_of is not None and as_of > now:
            raise InTheFuture("as_of", as_of, now)
        return self._seen_at(now) if as_of is None else as_of

    def _whole(self, door: Door, at: int) -> WholeBook:
        return whole_book(door.whole(self._book, BOOK, needed=BOOK).tables, at)

    @property
    def _book(self) -> dict[str, Contract]:
        return {name: self._contracts[name] for name in BOOK}

    def _access(self, authority: Authority) -> Access:
        actor, purpose = str(authority.actor.actor_id), Purpose.POST_LOAN_MANAGEMENT
        return Access(actor, purpose, authority.tenant, self._clock())

    async def _tables(self, connection: asyncpg.Connection, authority: Authority, subject: int) -> Tables:
        async with live_door(self._lake, connection, self._access(authority), subject) as door:
            read = await asyncio.to_thread(door.subject, self._book, subject, needed=BOOK)
        return read.tables

    async def _subject(self, connection: asyncpg.Connection, authority: Authority, loan_id: str) -> int:
        """Whose loan it is: one that was granted here, or one of the feeds where they are the asker's own."""
        found, name = None, _uuid_of(loan_id)
        if name is not None:
            found = await repository.subject_of(connection, name)
        elif authority.tenant == self.own:
            async with live_door(self._lake, connection, self._access(authority)) as door:
                found = await asyncio.to_thread(self._of_feeds, door, code_of(loan_id))
        if found is None or await records.any_erased(connection, [found]):
            raise UnknownLoan
        return found

    def _of_feeds(self, door: Door, code: int) -> int | None:
        for name in ("loan", "loan_grant"):
            rows = door.rows(self._contracts[name], [code], "loan_id")
            if len(rows.subject):
                return int(rows.subject[-1])
        return None

    def _subject_of(self, number: str) -> int:
        return int(PostgresVault(self._database, self._keys).assign(SubjectKind.PERSON, [number])[0])

    def _same_grant(self, tables: Tables, code: int, before: int, subject: int, given: Given) -> int:
        """Since when the grant is known.

        Raises:
            Reused: it is another one.
        """
        rows = tables["loan_grant"].visible(known_after(tables, self._clock()))
        rows = rows.take(rows.columns["loan_id"] == code)
        again = grant_rows(self._contracts, subject, code, given, int(rows.known_from[0]))[0][1].raw
        same = all(int(again.columns[name][0]) == int(rows.columns[name][0]) for name in again.columns)
        if not same or before != subject:
            raise Reused("Idempotency-Key")
        return int(rows.known_from[0])

    @staticmethod
    async def _log(
        connection: asyncpg.Connection, authority: Authority, action: str, thing: str, now: int
    ) -> None:
        await record_async(connection, authority.tenant, now, authority.actor.actor_id, action, thing)


def _uuid_of(text: str) -> UUID | None:
    """The id that a text is the usual form of; ids of feeds are other texts."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _named(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def known_after(tables: Tables, now: int) -> int:
    """Now, or a moment after all that is known, where the clock has stepped back: what comes later is known later."""
    known = [int(table.known_from.max()) + 1 for table in tables.values() if len(table)]
    return max(now, *known) if known else now


def history_of(tables: Tables, loan_id: str, as_of: int) -> tuple[Loan, list[Event]]:
    """A loan and what happened to it, as it was known then.

    Raises:
        UnknownLoan: it was not known.
    """
    found = next(iter(histories(Records(tables, as_of), np.array([code_of(loan_id)]))), None)
    if found is None:
        raise UnknownLoan
    return found[1], found[2]


def _seen(tables: Tables, loan_id: str, as_of: int) -> LoanView:
    loan, events = history_of(tables, loan_id, as_of)
    return view(loan_id, loan, events, position(loan, events, as_of))


def named_event(loan: Loan, loan_id: str, key: str, told: Told, known: int) -> Event:
    """What is told, under the name that its reference or its key gives it."""
    identity = ("reference", told.reference) if told.reference else ("key", key)
    name = event_id(code_of(_named(loan_id, *identity).hex()))
    schedule = told.schedule
    if told.terms is not None:
        schedule = plan(told.terms, told.amount_fen, told.at)
    currency = told.currency or loan.currency
    return Event(name, told.kind, told.at, known, NEVER, told.amount_fen, currency, schedule, told.days)


def _same_event(before: Event, now: Event, what: str) -> None:
    # the end of its known time may be that of its retention
    if msgspec.structs.replace(before, known_from=now.known_from, known_to=now.known_to) != now:
        raise Reused(what)
