"""A consent begins: the subject's row comes online. It ends: what nobody may read any more goes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from uuid import UUID

import asyncpg

from features.calendar import instant, iso
from features.consent import CONSENTED, Consent, Purpose
from features.contracts.model import SubjectKind
from features.definitions.plan import FeaturePlan
from features.errors import Forbidden, Invalid, NotFound
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents import repository
from serving.consents.check import person_number
from serving.consents.online import WorkingSet
from serving.consents.repository import NewConsent
from serving.store.audit import record_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async

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
    """The use cases of /v1/consents. ``clock`` gives µs of UTC; ``online`` is the tenants' working set."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyRing, online: WorkingSet, clock: Callable[[], int]
    ) -> None:
        self._pool = pool
        self._keys = keys
        self.online = online
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
        """Record a consent; one to assess a credit brings its subject online before this returns.

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
        plan = await self.online.plan(authority.tenant, now)
        _check_terms(plan, categories, purpose, form)
        subject = await subject_of_async(self._pool, self._keys, SubjectKind.PERSON, normal)
        consent = Consent(
            new_id(), subject, tuple(sorted(set(categories))), purpose, begins, ends, None, recipient
        )
        new = NewConsent(consent, recipient, form, now, authority.actor.actor_id)
        tenant, actor = authority.tenant, authority.actor.actor_id
        if purpose == Purpose.CREDIT_ASSESSMENT:
            family = await self.online.family(tenant, plan, subject)
        else:  # what is online is for decisions: for no other purpose does anything change there
            family = []
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subjects(connection, family)
            await repository.insert(connection, tenant, new)
            seen = await self.online.refresh_family(connection, tenant, family, plan, now) if family else None
            named = str(consent.consent_id)
            await record_async(connection, tenant, now, actor, "consent.given", named, purpose=purpose)
        if seen is not None:
            await self.online.catch_up(tenant, subject, plan, seen, now)
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
        plan = await self.online.plan_if_any(tenant, now)
        family = await self.online.family(tenant, plan, found.subject_id)
        async with tenant_connection(self._pool, tenant) as connection:
            await repository.lock_subjects(connection, family)
            done = await connection.execute(repository.WITHDRAW, consent_id, now)
            await self.online.refresh_family(connection, tenant, family, plan, now)
            if done != "UPDATE 0":
                await record_async(connection, tenant, now, actor, "consent.withdrawn", str(consent_id))
        return await self.get(authority, consent_id)

    async def sweep(self, tenant: str) -> int:
        """See ``WorkingSet.sweep``."""
        return await self.online.sweep(tenant)

    async def rehydrate(self, tenant: str) -> int:
        """See ``WorkingSet.rehydrate``."""
        return await self.online.rehydrate(tenant)


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
    if purpose not in CONSENTED:
        problem = f"nobody is asked a consent for the purpose {purpose!r}."
        raise WrongConsent("purpose", problem, f"Purposes: {', '.join(CONSENTED)}.")
    if form not in FORMS:
        raise WrongConsent("form", f"form {form!r} is not known.", f"Forms: {', '.join(FORMS)}.")
