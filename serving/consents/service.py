"""A consent begins: the subject's row comes online. It ends: what nobody may read any more goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from uuid import UUID

import asyncpg

from features.calendar import instant, iso
from features.contracts.model import SubjectKind
from features.definitions.plan import FeaturePlan
from features.errors import Forbidden, Invalid, NotFound
from features.identity.numbers import check_person_number
from features.timeline.lake import Lake
from features.timeline.packed import pack
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents import repository
from serving.consents.check import Consent, Purpose
from serving.consents.repository import NewConsent
from serving.decisions.case import is_authorised
from serving.decisions.live import LiveCache
from serving.registry.repository import active_async
from serving.store.audit import record_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import UnknownSubject

_LATEST = instant("2200-01-01")
FORMS = ("electronic", "paper", "voice")


class UnknownConsent(NotFound):
    """No consent with this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such consent.", place="consent_id", remedy="Compare the id.")


class WrongRecipient(Forbidden):
    """A consent given to somebody else (REG-PI-06)."""

    def __init__(self, recipient: str) -> None:
        super().__init__(
            f"the consent names {recipient!r} as its recipient, not the asking tenant.",
            place="recipient",
            remedy="Each bank needs a consent of its own.",
        )


class WrongConsent(Invalid):
    """A consent whose terms cannot be."""

    def __init__(self, place: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=place, remedy=remedy, code="wrong_consent")


class ConsentService:
    """The use cases of /v1/consents. ``clock`` gives µs of UTC."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyRing, lives: LiveCache, lake: Lake, clock: Callable[[], int]
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._lives = lives
        self._lake = lake
        self._clock = clock

    async def create(
        self,
        authority: Authority,
        number: str,
        categories: Collection[str],
        purpose: str,
        recipient: str,
        form: str,
        valid_from: str,
        valid_to: str,
    ) -> Consent:
        """Record a consent and bring its subject online before returning.

        Raises:
            WrongNumber, WrongConsent, WrongRecipient: its terms.
            UnknownSubject: nobody in any record has this number.
            NothingActive: there are no definitions to hydrate for.
        """
        authority.holds(Permission.MANAGE_CONSENTS)
        normal = check_person_number(number)
        if recipient != authority.tenant:
            raise WrongRecipient(recipient)
        begins, ends = _period(valid_from, valid_to)
        now = self._clock()
        plan = await self._plan(authority.tenant, now)
        _check_terms(plan, categories, purpose, form)
        subject = await self._subject(normal)
        consent = Consent(new_id(), subject, tuple(sorted(set(categories))), purpose, begins, ends, None)
        new = NewConsent(consent, recipient, form, now, authority.actor.actor_id)
        tenant, actor = authority.tenant, authority.actor.actor_id
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subject(connection, subject)
            await repository.insert(connection, tenant, new)
            await self._refresh(connection, tenant, subject, plan, now)
            named = str(consent.consent_id)
            await record_async(connection, tenant, now, actor, "consent.given", named, purpose=purpose)
        return consent

    async def get(self, authority: Authority, consent_id: UUID) -> Consent:
        """One consent.

        Raises:
            UnknownConsent: none of this tenant.
        """
        authority.holds(Permission.MANAGE_CONSENTS)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            found = await repository.get(connection, consent_id)
        if found is None:
            raise UnknownConsent
        return found

    async def withdraw(self, authority: Authority, consent_id: UUID) -> Consent:
        """End a consent now; withdrawing again changes nothing. What was decided under it stays.

        Raises:
            UnknownConsent: none of this tenant.
        """
        found = await self.get(authority, consent_id)
        now = self._clock()
        tenant, actor = authority.tenant, authority.actor.actor_id
        plan = await self._plan(tenant, now)
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subject(connection, found.subject_id)
            done = await connection.execute(repository.WITHDRAW, consent_id, now)
            await self._refresh(connection, tenant, found.subject_id, plan, now)
            if done != "UPDATE 0":
                await record_async(connection, tenant, now, actor, "consent.withdrawn", str(consent_id))
        return await self.get(authority, consent_id)

    async def sweep(self, tenant: str) -> int:
        """Empty the rows whose consents ran out since they were hydrated; returns how many."""
        now = self._clock()
        async with tenant_connection(self._pool, tenant) as connection:
            ended = [int(row[0]) for row in await connection.fetch(repository.ENDED, now)]
        return await self._refresh_all(tenant, ended, now)

    async def rehydrate(self, tenant: str) -> int:
        """Bring every online subject up to the lake, after an ingest; returns how many."""
        async with tenant_connection(self._pool, tenant) as connection:
            online = [int(row[0]) for row in await connection.fetch(repository.ONLINE)]
        return await self._refresh_all(tenant, online, self._clock())

    async def _refresh_all(self, tenant: str, subjects: list[int], now: int) -> int:
        if not subjects:
            return 0
        plan = await self._plan(tenant, now)
        for subject in subjects:
            async with tenant_connection(self._pool, tenant) as connection:
                await repository.lock_subject(connection, subject)
                await self._refresh(connection, tenant, subject, plan, now)
        return len(subjects)

    async def _refresh(
        self, connection: asyncpg.Connection, tenant: str, subject: int, plan: FeaturePlan, now: int
    ) -> None:
        """The subject's row holds what its live consents allow, or is gone. Under the subject's lock."""
        live = [c for c in await repository.of_subject(connection, subject) if c.valid_to > now]
        allowed = {name for c in live if c.withdrawn_at is None for name in c.categories}
        if not allowed:
            await connection.execute(repository.EMPTY_TIMELINE, subject)
            return
        packed, version = await asyncio.to_thread(self._hydrate, plan, subject, allowed)
        await connection.execute(repository.PUT_TIMELINE, tenant, subject, version, packed, now)

    def _hydrate(self, plan: FeaturePlan, subject: int, allowed: Collection[str]) -> tuple[bytes, int]:
        tables = self._lake.subject_tables(plan.contracts, subject)
        version = self._lake.version_of(subject, tables)
        readable = {
            name: table
            for name, table in tables.items()
            if is_authorised(plan.contracts[name.partition("@")[0]], allowed)
        }
        return pack(readable), version

    async def _subject(self, number: str) -> int:
        hashed = self._keys.pseudonym(SubjectKind.PERSON, number)
        statement = "SELECT subject_id FROM subject_of($1, $2)"
        found = await self._pool.fetchval(statement, SubjectKind.PERSON.value, hashed)
        if found is None:
            raise UnknownSubject
        return int(found)

    async def _plan(self, tenant: str, now: int) -> FeaturePlan:
        async with tenant_connection(self._pool, tenant) as connection:
            slots = await active_async(connection, now)
        return (await self._lives.get(tenant, slots)).plan


def _period(valid_from: str, valid_to: str) -> tuple[int, int]:
    begins, ends = instant(valid_from), instant(valid_to)
    if not begins < ends <= _LATEST:
        problem = f"it would hold from {iso(begins)} to {iso(ends)}."
        raise WrongConsent("valid_to", problem, "The end lies after the beginning and before 2200.")
    return begins, ends


def _check_terms(plan: FeaturePlan, categories: Collection[str], purpose: str, form: str) -> None:
    known = sorted({contract.consent_category for contract in plan.contracts.values()})
    for category in categories:
        if category not in known:
            problem = f"no dataset has the category {category!r}."
            raise WrongConsent("categories", problem, f"Categories: {', '.join(known)}.")
    if not categories:
        raise WrongConsent("categories", "it names no category.", f"Categories: {', '.join(known)}.")
    if purpose not in set(Purpose):
        raise WrongConsent(
            "purpose", f"purpose {purpose!r} is not known.", f"Purposes: {', '.join(Purpose)}."
        )
    if form not in FORMS:
        raise WrongConsent("form", f"form {form!r} is not known.", f"Forms: {', '.join(FORMS)}.")
