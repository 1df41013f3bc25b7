"""A consent begins: the subject's row comes online. It ends: what nobody may read any more goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from uuid import UUID

import asyncpg

from features.calendar import instant, iso
from features.contracts.model import SubjectKind
from features.definitions.plan import FeaturePlan
from features.errors import Forbidden, Integrity, Invalid, NotFound
from features.timeline.lake import Lake
from features.timeline.packed import pack
from features.timeline.views import Seen
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents import relatives, repository
from serving.consents.check import Consent, Purpose, person_number
from serving.consents.repository import NewConsent
from serving.decisions.case import is_authorised
from serving.decisions.live import LiveCache, NothingActive
from serving.registry.repository import active_async
from serving.store.audit import record_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import UnknownSubject

_EARLIEST, _LATEST = instant("1900-01-01"), instant("2200-01-01")
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
    """The use cases of /v1/consents. ``clock`` gives µs of UTC; ``as_of`` is the fixed moment of a sample."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        keys: KeyRing,
        lives: LiveCache,
        lake: Lake,
        clock: Callable[[], int],
        as_of: int | None = None,
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._lives = lives
        self._lake = lake
        self._clock = clock
        self._as_of = as_of

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
        normal = person_number(number, "id_number")
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
        family = await self._family(plan, subject)
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subjects(connection, family)
            await repository.insert(connection, tenant, new)
            seen = await self._refresh_family(connection, tenant, family, plan, now)
            named = str(consent.consent_id)
            await record_async(connection, tenant, now, actor, "consent.given", named, purpose=purpose)
        await self._catch_up(tenant, subject, plan, seen, now)
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
        plan = await self._plan_if_any(tenant, now)
        family = await self._family(plan, found.subject_id)
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subjects(connection, family)
            done = await connection.execute(repository.WITHDRAW, consent_id, now)
            await self._refresh_family(connection, tenant, family, plan, now)
            if done != "UPDATE 0":
                await record_async(connection, tenant, now, actor, "consent.withdrawn", str(consent_id))
        return await self.get(authority, consent_id)

    async def sweep(self, tenant: str) -> int:
        """Bring the rows up to date whose consents or definitions began or ran out; returns how many."""
        now = self._clock()
        async with tenant_connection(self._pool, tenant) as connection:
            stale = [int(row[0]) for row in await connection.fetch(repository.STALE, now)]
        plan = await self._plan_if_any(tenant, now) if stale else None
        seen_by = [one for subject in stale for one in await self._family(plan, subject)]
        await self._refresh_all(tenant, sorted({*seen_by} - {*stale}), now)
        return await self._refresh_all(tenant, stale, now)

    async def rehydrate(self, tenant: str) -> int:
        """Bring every online subject up to the lake, after an ingest; returns how many."""
        async with tenant_connection(self._pool, tenant) as connection:
            online = [int(row[0]) for row in await connection.fetch(repository.ONLINE)]
        return await self._refresh_all(tenant, online, self._clock())

    async def _refresh_all(self, tenant: str, subjects: list[int], now: int) -> int:
        if not subjects:
            return 0
        plan = await self._plan_if_any(tenant, now)
        for subject in subjects:
            async with tenant_connection(self._pool, tenant) as connection:
                await repository.lock_subject(connection, subject)
                await self._refresh(connection, tenant, subject, plan, now)
        return len(subjects)

    async def _catch_up(self, tenant: str, subject: int, plan: FeaturePlan, seen: int, now: int) -> None:
        """Read again what was ingested while the row was not yet there for ``rehydrate`` to find."""
        while self._lake.settled() > seen:
            async with tenant_connection(self._pool, tenant) as connection:
                await repository.lock_subject(connection, subject)
                seen = await self._refresh(connection, tenant, subject, plan, now)

    async def _refresh(
        self, connection: asyncpg.Connection, tenant: str, subject: int, plan: FeaturePlan | None, now: int
    ) -> int:
        """The subject's row holds what its live consents allow, or is gone. Under the subject's lock.

        Returns the lake's version as it was read. Without a plan nothing can be decided, so nothing is online.
        """
        settled = self._lake.settled()
        live = [c for c in await repository.of_subject(connection, subject) if _holds(c, now)]
        allowed = {name for c in live for name in c.categories}
        if not allowed or plan is None or await connection.fetchval(repository.IS_ERASED, subject):
            await connection.execute(repository.EMPTY_TIMELINE, subject)
            return settled
        at = now if self._as_of is None else self._as_of
        views = await asyncio.to_thread(relatives.read, self._lake, plan, subject, settled, at)
        consented = await relatives.consented(connection, views, now)
        packed, version = await asyncio.to_thread(
            self._hydrate, plan, subject, allowed, settled, relatives.readable(plan, views, consented)
        )
        await connection.execute(repository.PUT_TIMELINE, tenant, subject, version, packed, now)
        return settled

    def _hydrate(
        self,
        plan: FeaturePlan,
        subject: int,
        allowed: Collection[str],
        settled: int,
        views: Mapping[str, Seen],
    ) -> tuple[bytes, int]:
        """Never half of an ingest: the version that a receipt pins must mean the same when it is replayed."""
        tables = self._lake.subject_tables(plan.contracts, subject, max_version=settled)
        tables |= {name: seen.table for name, seen in views.items()}
        version = max(self._lake.version_of(subject, tables), *(seen.version for seen in views.values()), 0)
        readable = {
            name: table
            for name, table in tables.items()
            if is_authorised(plan.contracts[name.partition("@")[0]], allowed)
        }
        return pack(readable), version

    async def _family(self, plan: FeaturePlan | None, subject: int) -> list[int]:
        """The subject and all who see its records in a household, ascending."""
        if plan is None:
            return [subject]
        found = await asyncio.to_thread(self._lake.relatives, plan.contracts, plan.datasets, subject)
        return sorted({subject, *found})

    async def _refresh_family(
        self,
        connection: asyncpg.Connection,
        tenant: str,
        family: list[int],
        plan: FeaturePlan | None,
        now: int,
    ) -> int:
        """Refresh all of them; the lake's version as the earliest of them read it."""
        return min([await self._refresh(connection, tenant, one, plan, now) for one in family])

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

    async def _plan_if_any(self, tenant: str, now: int) -> FeaturePlan | None:
        """A withdrawal or an end must take effect also where nothing usable is active."""
        try:
            return await self._plan(tenant, now)
        except (NothingActive, Invalid, Integrity):
            return None


def _holds(consent: Consent, now: int) -> bool:
    """As ``Consent.is_live``; but withdrawn is withdrawn, even if the clock steps back."""
    return consent.withdrawn_at is None and consent.is_live(now)


def _period(valid_from: str, valid_to: str) -> tuple[int, int]:
    begins, ends = _moment("valid_from", valid_from), _moment("valid_to", valid_to)
    if not begins < ends:
        problem = f"it would hold from {iso(begins)} to {iso(ends)}."
        raise WrongConsent("valid_to", problem, "The end lies after the beginning.")
    return begins, ends


def _moment(place: str, text: str) -> int:
    try:
        moment = instant(text)
    except Invalid as error:
        raise WrongConsent(place, error.message, error.remedy) from None
    if not _EARLIEST <= moment <= _LATEST:
        raise WrongConsent(place, f"{text} is no date of a consent.", "Take one between 1900 and 2200.")
    return moment


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
