"""All that a decision is made from, read and checked: nothing is decided here."""

from __future__ import annotations

from collections.abc import Sequence
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
from serving.decisions.repository import Inputs, Taken, Wanted
from serving.decisions.reserving import Trial, held_by, household_of
from serving.decisions.schemas import check_loan
from serving.decisions.together import by_versions, told_apart
from serving.policy.days import day_of
from serving.policy.facts import age_years
from serving.process import tracing
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
        wanted = [self._wanted(each) for each in asking]
        try:
            with tracing.span("read", applications=len(asking)):
                read = await repository.read_many(self._pool, wanted)
        except YidaiError as error:
            return [error] * len(asking)
        drafts = [await self._drafted(*each) for each in zip(asking, wanted, read, strict=True)]
        ready: dict[int, Ready | Exception] = {}
        for places, alike in by_versions(drafts, Draft):
            with tracing.span("features", applications=len(places)):
                ready |= zip(places, told_apart(_with_features, alike), strict=True)
        return [each if not isinstance(each, Draft) else ready[at] for at, each in enumerate(drafts)]

    async def _drafted(self, asking: Asking, wanted: Wanted, inputs: Inputs) -> Draft | Answer | Exception:
        try:
            if inputs.stored_answer is not None and inputs.stored_digest is not None:
                return repeat(Taken(inputs.stored_digest, inputs.stored_answer), asking.application.digest)
            return await self._draft(asking, wanted, inputs)
        except Exception as error:  # noqa: BLE001 - it is told to the one whose it is
            return error

    def _wanted(self, asking: Asking) -> Wanted:
        application, now = asking.application, asking.trial.now
        return Wanted(
            asking.authority.tenant,
            application.key_hash,
            self._keys.pseudonym(SubjectKind.PERSON, application.number),
            application.request.consent_id,
            now,
            self._settings.seen_at(now),
        )

    async def _draft(self, asking: Asking, wanted: Wanted, inputs: Inputs) -> Draft:
        authority, application, trial = asking.authority, asking.application, asking.trial
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
        live = await self._lives.get(authority.tenant, inputs.active, application.asked.product)
        check_loan(application.asked, wanted=live.policy.grades)
        if inputs.packed is None or inputs.version is None:
            raise NotHydrated
        tables = unpack(inputs.packed)
        causes = inputs.down(self._settings.sources_down) | application.silent
        down = unavailable(live, consent.categories, causes, tables)
        case = self._case(asking, wanted.seen_at, consent, live, tables, inputs.version, down)
        lists = listed(live, wanted.number_hash, now)
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
        asking: Asking,
        as_of: int,
        consent: Consent,
        live: Live,
        tables: PackedTimeline,
        version: int,
        down: dict[str, int],
    ) -> Case:
        authority, trial = asking.authority, asking.trial
        number, asked, now = asking.application.number, asking.application.asked, trial.now
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


def _with_features(drafts: list[Draft]) -> list[Ready]:
    matrix = features_of_many([d.case for d in drafts], [d.tables for d in drafts], drafts[0].live)
    return [_ready(draft, matrix, at) for at, draft in enumerate(drafts)]


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
