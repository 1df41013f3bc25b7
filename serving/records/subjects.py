"""The erasure of a subject, with what others see of it online."""

from __future__ import annotations

import asyncio

from features.contracts.model import SubjectKind
from features.errors import Invalid
from features.identity.numbers import check_uscc
from serving.access.model import Authority, Permission
from serving.consents.check import person_number
from serving.records.erasure import Erased, erase
from serving.records.keeper import RecordKeeper
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async


class SubjectService(RecordKeeper):
    """The use case of DELETE /v1/subjects."""

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
        async with tenant_connection(self._pool, tenant) as connection:
            subject = await subject_of_async(connection, self._keys, kind, number)
            return [] if plan is None else await self._online.shown_by(connection, plan, [subject])


def _checked(kind: str, number: str) -> tuple[SubjectKind, str]:
    if kind == SubjectKind.PERSON:
        return SubjectKind.PERSON, person_number(number, "id_number")
    if kind == SubjectKind.LEGAL_PERSON:
        return SubjectKind.LEGAL_PERSON, check_uscc(number)
    raise Invalid("a subject is a person or a legal_person.", place="kind", remedy="Name one of the two.")
