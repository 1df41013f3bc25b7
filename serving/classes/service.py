"""Classes over HTTP and on the command line: read, confirmed or set by people, summed up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import asyncpg

from features.consent import Purpose
from features.timeline.door import Entry
from serving.access.model import Authority, Permission
from serving.classes import repository
from serving.classes.document import RiskClass
from serving.classes.model import ClassPage, ClassRow, ClassView, NoMonth, Ruling, UnknownClass
from serving.classes.movement import Provisions, provisions
from serving.classes.ruling import check_ruling, rule
from serving.decisions.schemas import KeyReused
from serving.decisions.service import hash_of_key
from serving.store.access_log import write_async
from serving.store.audit import record_async
from serving.store.session import tenant_connection

_READ, _DO = Permission.READ_LOANS, Permission.CLASSIFY_LOANS


class ClassService:
    """The use cases of people on classes. ``clock`` gives µs of UTC."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], int]) -> None:
        self._pool = pool
        self._clock = clock

    async def read(self, authority: Authority, loan: str, month: str = "") -> ClassView:
        """A loan's class in a month, the last that was classed where none is named; the read is logged.

        Raises:
            UnknownClass: there is none.
        """
        authority.holds(_READ)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row, subject = await self._one(connection, loan, month)
            await write_async(connection, [_entry(authority, subject, self._clock())])
            return ClassView(row, await repository.events(connection, loan))

    async def some(
        self, authority: Authority, month: str = "", risk_class: RiskClass | None = None, after: str = "", most: int = 100,
        *, unconfirmed: bool = False,
    ) -> ClassPage:  # fmt: skip
        """A page of a month's loans.

        Raises:
            NoMonth: nothing was classed yet.
        """
        authority.holds(_READ)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            month = await self._month(connection, month)
            found = await repository.some(connection, month, after, risk_class, most + 1, unconfirmed=unconfirmed)  # fmt: skip
        shown = found[:most]
        return ClassPage(month, shown, shown[-1].loan_id if len(found) > most else None)

    async def confirm(self, authority: Authority, loan: str, ruling: Ruling, key: str | None) -> ClassRow:
        """Confirm the proposal, or set another class; a key does it once.

        Raises:
            UnknownClass, WrongKey, KeyReused, WrongRuling, NumberInText: what was asked.
            ClassChanged, LoanLeft, SamePerson: not now.
        """
        authority.holds(_DO)
        check_ruling(ruling)
        now, key_hash, actor = self._clock(), hash_of_key(key), authority.actor.actor_id
        digest = hashlib.sha256(repr((loan, ruling, actor)).encode()).digest()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            month = ruling.month or await repository.month_of(connection, loan)
            row = None if month is None else await repository.lock(connection, loan, month)
            if row is None:
                raise UnknownClass
            before = await repository.keyed(connection, key_hash)
            if before is not None and before != digest:
                raise KeyReused
            if before is None:
                step = rule(row, ruling, actor)
                await repository.write(connection, authority.tenant, row, step, actor, ruling.reason, now, (key_hash, digest))  # fmt: skip
                await record_async(
                    connection, authority.tenant, now, actor, f"class.{step.kind}", f"{row.month} {loan}",
                    risk_class=step.risk_class.value,
                )  # fmt: skip
            return (await self._one(connection, loan, row.month))[0]

    async def provisions(self, authority: Authority, month: str = "") -> Provisions:
        """A month summed up, and what came from the one before that was classed.

        Raises:
            NoMonth: nothing was classed yet.
        """
        authority.holds(_READ)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            month = await self._month(connection, month)
            before = await repository.month_before(connection, month)
            now = await repository.provided(connection, month)
            then = await repository.provided(connection, before) if before else []
            waiting = await repository.unconfirmed(connection, month)
        return provisions(month, now, before, then, waiting)

    @staticmethod
    async def _month(connection: asyncpg.Connection, month: str) -> str:
        found = month or await repository.month_of(connection, None)
        if found is None:
            raise NoMonth
        return found

    @staticmethod
    async def _one(connection: asyncpg.Connection, loan: str, month: str) -> tuple[ClassRow, int]:
        wanted = month or await repository.month_of(connection, loan)
        found = None if wanted is None else await repository.one(connection, loan, wanted)
        if found is None:
            raise UnknownClass
        return found


def _entry(authority: Authority, subject: int, now: int) -> Entry:
    """The entry of a read: what the run had read of the borrower under the loan's contract."""
    actor, purpose = str(authority.actor.actor_id), Purpose.POST_LOAN_MANAGEMENT.value
    return Entry(now, actor, authority.tenant, purpose, ("class_point",), ("bank",), ("contract",), (), (), (subject,))  # fmt: skip
