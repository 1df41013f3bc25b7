"""All that a decision is made from, read and checked: nothing is decided here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import months_before
from features.consent import Consent, Purpose
from features.contracts.model import SubjectKind
from features.errors import YidaiError
from features.matrix import FeatureMatrix
from features.timeline.packed import PackedTimeline, unpack
from serving import tracing
from serving.access.model import Authority
from serving.consents.check import check_consent
from serving.decisions import repository
from serving.decisions.arms import ARM_KEY, arm_of
from serving.decisions.case import (
    Case,
    CaseConsent,
    CaseSubject,
    NotHydrated,
    causes_of,
    check_hydrated,
    disputed_sources,
    features_of_many,
    listed,
    sources_with_record,
    unavailable,
)
from serving.decisions.live import Live, LiveCache
from serving.decisions.ready import Answer, Application, Asking, Ready, repeat
from serving.decisions.repository import Inputs, Taken
from serving.decisions.reserving import Trial, held_by, household_of
from serving.decisions.schemas import Asked, check_loan
from serving.policy.days import day_of
from serving.policy.facts import age_years
from serving.settings import Settings
from serving.store.keys import KeyRing
from serving.store.vault import UnknownSubject

NUMBER = "applicant.id_number"
"""Where an application has the number of a person."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What ``Ready`` is made from: its features are computed with those of others."""

    application: Application
    case: Case
    tables: PackedTimeline
    live: Live
    data_key: bytes
    trial: Trial


class Preparer:
    """Reads and checks for one process."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, keys: KeyRing, lives: LiveCache) -> None:
        self._settings = settings
        self._pool = pool
        self._keys = keys
        self._lives = lives
        self._arm_key = keys.derived(ARM_KEY)

    async def prepared(self, asking: Sequence[Asking]) -> list[Ready | Answer | Exception]:
        """What each application is decided from, read in one round trip; or its earlier answer, or what it lacks."""
        try:
            with tracing.span("read", applications=len(asking)):
                read = await repository.read_many(self._pool, [self._wanted(each) for each in asking])
        except YidaiError as error:
            return [error] * len(asking)
        drafts = [await self._drafted(each, inputs) for each, inputs in zip(asking, read, strict=True)]
        ready: dict[int, Ready | Exception] = {}
        for places in _alike(drafts):
            with tracing.span("features", applications=len(places)):
                found = _with_features([d for at in places if isinstance(d := drafts[at], Draft)])
            ready |= zip(places, found, strict=True)
        return [each if not isinstance(each, Draft) else ready[at] for at, each in enumerate(drafts)]

    async def _drafted(self, asking: Asking, inputs: Inputs) -> Draft | Answer | Exception:
        application = asking.application
        try:
            if inputs.stored_answer is not None and inputs.stored_digest is not None:
                return repeat(Taken(inputs.stored_digest, inputs.stored_answer), application.digest)
            return await self._draft(asking.authority, application, inputs, asking.trial)
        except Exception as error:  # noqa: BLE001 - it is told to the one whose it is
            return error

    def _wanted(self, asking: Asking) -> repository.Wanted:
        application, now = asking.application, asking.trial.now
        return repository.Wanted(
            asking.authority.tenant,
            application.key_hash,
            self._keys.pseudonym(SubjectKind.PERSON, application.number),
            application.request.consent_id,
            now,
            now if self._settings.as_of is None else self._settings.as_of,
        )

    async def _draft(
        self, authority: Authority, application: Application, inputs: Inputs, trial: Trial
    ) -> Draft:
        number, asked = application.number, application.asked
        if inputs.subject_id is None or inputs.wrapped_key is None:
            raise UnknownSubject(NUMBER)
        now = trial.now
        consent = check_consent(
            consent_of(application.request.consent_id, inputs, authority.tenant),
            inputs.subject_id,
            Purpose.CREDIT_ASSESSMENT,
            authority.tenant,
            now,
        )
        live = await self._lives.get(authority.tenant, inputs.active, asked.product)
        check_loan(asked, wanted=live.policy.grades)
        if inputs.packed is None or inputs.version is None:
            raise NotHydrated
        tables = unpack(inputs.packed)
        causes = inputs.down(self._settings.sources_down) | application.silent
        down = unavailable(live, consent.categories, causes, tables)
        case = self._case(authority, number, consent, asked, live, tables, inputs.version, down, trial)
        lists = listed(live, self._keys.pseudonym(SubjectKind.PERSON, number), now)
        household = household_of(inputs, live.policy, trial)
        stops, full = held_by(inputs, trial)
        arm = arm_of(live, self._arm_key, inputs.subject_id, day_of(now), stops)
        case = msgspec.structs.replace(
            case, causes=causes_of(causes, down), lists=lists, household=household, stops=stops, full=full, arm=arm,
            sources=dict(application.sources),
        )  # fmt: skip
        check_hydrated(case, tables, live)
        return Draft(application, case, tables, live, self._keys.unwrap(inputs.wrapped_key), trial)

    def _case(
        self,
        authority: Authority,
        number: str,
        consent: Consent,
        asked: Asked,
        live: Live,
        tables: PackedTimeline,
        version: int,
        down: dict[str, int],
        trial: Trial,
    ) -> Case:
        now = trial.now
        as_of = now if self._settings.as_of is None else self._settings.as_of
        given = CaseConsent(
            str(consent.consent_id), consent.purpose, consent.categories, consent.valid_from, consent.valid_to
        )
        at_end = age_years(number, months_before(now, -asked.term_months))
        subject = CaseSubject(
            SubjectKind.PERSON.value, consent.subject_id, version, age_years(number, now), at_end, tables.tail
        )
        return Case(
            decision_id=str(trial.decision_id),
            tenant=authority.tenant,
            actor_id=str(authority.actor.actor_id),
            actor=authority.actor.name,
            asked=asked,
            subject=subject,
            consent=given,
            as_of=as_of,
            decided_at=now,
            unavailable=down,
            random_budget=trial.random,
            key=self._keys.identity,
            disputed=disputed_sources(live, tables.disputed, down),
        )


def _alike(drafts: Sequence[object]) -> Iterable[list[int]]:
    """The places of those whose features the same versions compute."""
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for at, each in enumerate(drafts):
        if isinstance(each, Draft):
            groups[id(each.live)].append(at)
    return groups.values()


def _with_features(drafts: Sequence[Draft]) -> list[Ready | Exception]:
    """The drafts with their features; one by one where those of one cannot be computed, which is told."""
    try:
        found = features_of_many([d.case for d in drafts], [d.tables for d in drafts], drafts[0].live)
    except Exception as error:  # noqa: BLE001 - it is told to the one whose it is
        if len(drafts) == 1:
            return [error]
        return [one for draft in drafts for one in _with_features([draft])]
    return [_ready(draft, found, at) for at, draft in enumerate(drafts)]


def _ready(draft: Draft, matrix: FeatureMatrix, at: int) -> Ready:
    row = FeatureMatrix(matrix.columns, matrix.values[at : at + 1], matrix.missing[at : at + 1])
    sources = sources_with_record(draft.case, draft.tables, draft.live.plan.sources_of_subject)
    return Ready(draft.application, draft.case, row, sources, draft.live, draft.data_key, draft.trial)


def consent_of(consent_id: UUID, inputs: Inputs, tenant: str) -> Consent | None:
    """The consent among what was read, if there is one; the store holds none whose recipient is not its tenant."""
    if inputs.consent_subject is None or inputs.valid_from is None or inputs.valid_to is None:
        return None
    return Consent(
        consent_id,
        inputs.consent_subject,
        tuple(inputs.categories or ()),
        inputs.purpose or "",
        inputs.valid_from,
        inputs.valid_to,
        inputs.withdrawn_at,
        tenant,
    )
