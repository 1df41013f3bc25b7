"""The erasure of a subject, with what others see of it online."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property

import asyncpg

from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract, SubjectKind
from features.errors import Invalid
from features.identity.numbers import check_uscc
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.consents.check import person_number
from serving.consents.online import WorkingSet
from serving.records.erasure import Erased, erase
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import UnknownSubject


class SubjectService:
    """The use case of DELETE /v1/subjects. ``clock`` gives µs of UTC."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        database: Database,
        keys: KeyRing,
        online: WorkingSet,
        lake: Lake,
        clock: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._database = database
        self._keys = keys
        self._online = online
        self._lake = lake
        self._clock = clock

    @cached_property
    def _contracts(self) -> Mapping[str, Contract]:
        return load_contracts([BUILTIN])

    async def erase(self, authority: Authority, kind: str, number: str, reason: str) -> Erased:
        """See ``erasure.erase``; then everybody of the tenant who saw the subject's records sees them no more.

        Raises:
            WrongNumber, NoReason, UnknownSubject: what was asked.
            LoanOpen, StatutoryRetention: not yet.
        """
        authority.holds(Permission.ERASE)
        now, tenant = self._clock(), authority.tenant
        of_kind, normal = _checked(kind, number)
        seers = await self._seers(tenant, of_kind, normal, now)
        done = await asyncio.to_thread(
            erase, self._database, self._keys, self._lake, self._contracts, authority, of_kind, normal, reason, now
        )  # fmt: skip
        await self._online.refresh_all(tenant, [one for one in seers if one != done.subject_id], now)
        return done

    async def _seers(self, tenant: str, kind: SubjectKind, number: str, now: int) -> list[int]:
        plan = await self._online.plan_if_any(tenant, now)
        hashed = self._keys.pseudonym(kind, number)
        async with tenant_connection(self._pool, tenant) as connection:
            found = await connection.fetchval("SELECT subject_id FROM subject_of($1, $2)", kind.value, hashed)
            if found is None:
                raise UnknownSubject
            return [] if plan is None else await self._online.shown_by(connection, plan, [int(found)])


def _checked(kind: str, number: str) -> tuple[SubjectKind, str]:
    if kind == SubjectKind.PERSON:
        return SubjectKind.PERSON, person_number(number, "id_number")
    if kind == SubjectKind.LEGAL_PERSON:
        return SubjectKind.LEGAL_PERSON, check_uscc(number)
    raise Invalid("a subject is a person or a legal_person.", place="kind", remedy="Name one of the two.")
