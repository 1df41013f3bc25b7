"""One application to one stored answer: read, check, decide, store, then answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg
import msgspec
import numpy as np

from features.calendar import DAY, months_before
from features.canonical import canonical_bytes
from features.consent import Consent, Purpose
from features.contracts.model import SubjectKind
from features.errors import Invalid
from features.matrix import FeatureMatrix
from features.timeline.packed import PackedTimeline, unpack
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents.check import check_consent, person_number
from serving.decisions import repository
from serving.decisions.arms import ARM_KEY, arm_of
from serving.decisions.budgets import Full
from serving.decisions.case import (
    Case,
    CaseConsent,
    CaseSubject,
    NotHydrated,
    causes_of,
    disputed_sources,
    features_of,
    listed,
    sources_with_record,
    unavailable,
)
from serving.decisions.decider import Decision, decide_many
from serving.decisions.linking import Link, Referral
from serving.decisions.live import Live, LiveCache
from serving.decisions.ready import Answer, Application, Ready, repeat, row_of
from serving.decisions.receipt import write_receipts
from serving.decisions.repository import Inputs, Taken
from serving.decisions.reserving import (
    MOST_TRIALS,
    Contended,
    Trial,
    held_by,
    household_of,
    made_of,
)
from serving.decisions.schemas import Asked, DecisionRequest, asked_of, check_loan, read_request
from serving.decisions.writer import GroupWriter
from serving.policy.days import day_of
from serving.policy.facts import age_years
from serving.policy.model import Outcome
from serving.settings import Settings
from serving.store.keys import KeyRing
from serving.store.vault import UnknownSubject

RANDOM_KEY = "random approvals"
_REQUEST_KEY = "request digest"
NUMBER = "applicant.id_number"
"""Where an application has the number of a person."""


class WrongKey(Invalid):
    """The Idempotency-Key is missing or not usable."""

    def __init__(self) -> None:
        super().__init__(
            "the header Idempotency-Key is missing or not 1 to 128 printable characters.",
            place="Idempotency-Key",
            remedy="Send a new UUID with each application, and the same one when you repeat it.",
            code="idempotency_key",
        )


class DecisionService:
    """The use case of POST /v1/decisions, for one process. ``clock`` gives µs of UTC."""

    def __init__(
        self,
        settings: Settings,
        pool: asyncpg.Pool,
        keys: KeyRing,
        lives: LiveCache,
        writer: GroupWriter,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._keys = keys
        self._lives = lives
        self._writer = writer
        self._clock = clock
        self._random_key = keys.derived(RANDOM_KEY)
        self._arm_key = keys.derived(ARM_KEY)

    async def decide(self, authority: Authority, key: str | None, body: bytes) -> Answer:
        """Decide an application, or repeat the answer that its key was given.

        Raises:
            BadRequest, WrongNumber, WrongKey, UnknownProduct: the request.
            UnknownSubject, ConsentRefused: who may be looked at.
            KeyReused: the key belongs to another application.
            NotHydrated, NothingActive, Contended, StoreUnavailable: nothing was decided; ask again.
        """
        return await self.answer(authority, hash_of_key(key), read_request(body))

    async def answer(
        self, authority: Authority, key_hash: bytes, request: DecisionRequest, link: Link | None = None
    ) -> Answer:
        """As ``decide``; ``link`` says which earlier decision of the same application this one follows."""
        application = self.application(authority, key_hash, request)
        trial = Trial.first(link, new_id(), self._clock())
        for _ in range(MOST_TRIALS):
            ready = await self.ready(authority, application, trial)
            if isinstance(ready, Answer):
                return ready
            found = await self.store(authority, ready, *self.decided([ready])[0], link)
            if isinstance(found, Answer):
                return found
            trial = trial.after(found)
        raise Contended

    def application(self, authority: Authority, key_hash: bytes, request: DecisionRequest) -> Application:
        """A request, checked as far as it can be without reading anything.

        Raises:
            WrongNumber, BadRequest: the request.
        """
        authority.holds(Permission.DECIDE)
        number = person_number(request.applicant.id_number, NUMBER)
        asked = asked_of(request)
        return Application(key_hash, request, number, asked, self._request_digest(request, number, asked))

    def first_trial(self) -> Trial:
        """The first attempt at an application."""
        return Trial.first(None, new_id(), self._clock())

    async def ready(self, authority: Authority, application: Application, trial: Trial) -> Ready | Answer:
        """All that a decision is made from; or the answer that was given under the key."""
        inputs = await self._read(authority, application, trial.now)
        if inputs.stored_answer is not None and inputs.stored_digest is not None:
            return repeat(Taken(inputs.stored_digest, inputs.stored_answer), application.digest)
        return await self._ready(authority, application, inputs, trial)

    def decided(self, ready: Sequence[Ready]) -> list[tuple[Decision, bytes]]:
        """The decisions and receipts of applications under the same versions; nothing is stored yet."""
        rows = [each.row for each in ready]
        matrix = (
            rows[0]
            if len(rows) == 1
            else FeatureMatrix(
                rows[0].columns,
                np.vstack([row.values for row in rows]),
                np.vstack([row.missing for row in rows]),
            )
        )
        sources = [each.sources for each in ready]
        found = decide_many([each.case for each in ready], matrix, sources, ready[0].live, self._random_key)
        return list(zip(found, write_receipts(found), strict=True))

    async def store(
        self, authority: Authority, ready: Ready, decision: Decision, receipt: bytes, link: Link | None = None
    ) -> Answer | Full:
        """Store a decision with what it reserves; the answer, or what it found full."""
        application = ready.application
        made = made_of(decision, ready.data_key, ready.live.policy, ready.trial)
        row = row_of(made, authority, application, receipt)
        row = replace(row, referral=self._referral(decision), link=link)
        refused = await self._writer.put(row)
        if isinstance(refused, Taken):
            return repeat(refused, application.digest)
        if refused is not None:
            return refused
        return Answer(decision.answer_bytes, decision.answer.outcome.value, repeated=False)

    async def _read(self, authority: Authority, application: Application, now: int) -> Inputs:
        kind, consent = SubjectKind.PERSON.value, application.request.consent_id
        number_hash = self._keys.pseudonym(SubjectKind.PERSON, application.number)
        return await repository.read(
            self._pool, authority.tenant, application.key_hash, kind, number_hash, consent, now, self._settings.as_of
        )  # fmt: skip

    async def _ready(
        self, authority: Authority, application: Application, inputs: Inputs, trial: Trial
    ) -> Ready:
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
        causes = inputs.down(self._settings.sources_down)
        down = unavailable(live, consent.categories, causes, tables)
        case = self._case(authority, number, consent, asked, live, tables, inputs.version, down, trial)
        lists = listed(live, self._keys.pseudonym(SubjectKind.PERSON, number), now)
        household = household_of(inputs, live.policy, trial)
        stops, full = held_by(inputs, trial)
        arm = arm_of(live, self._arm_key, inputs.subject_id, day_of(now), stops)
        case = msgspec.structs.replace(
            case, causes=causes_of(causes, down), lists=lists, household=household, stops=stops, full=full, arm=arm
        )  # fmt: skip
        row = features_of(case, tables, live)
        sources = sources_with_record(case, tables, live.plan.sources_of_subject)
        return Ready(application, case, row, sources, live, self._keys.unwrap(inputs.wrapped_key), trial)

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

    def _referral(self, decision: Decision) -> Referral | None:
        """What the case of a referred decision says; None where there is none."""
        if decision.answer.outcome is not Outcome.REFER:
            return None
        case = decision.case
        due = case.decided_at + self._settings.review_days * DAY
        return Referral(case.asked.product, case.asked.amount_fen, due)

    def _request_digest(self, request: DecisionRequest, number: str, asked: Asked) -> bytes:
        plain = canonical_bytes([number, str(request.consent_id), msgspec.to_builtins(asked)])
        return self._keys.keyed_digest(_REQUEST_KEY, plain)


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


def hash_of_key(key: str | None) -> bytes:
    """What is kept of an Idempotency-Key.

    Raises:
        WrongKey: none, or not printable.
    """
    if key is None or not 1 <= len(key) <= 128 or not key.isprintable():
        raise WrongKey
    return hashlib.sha256(key.encode()).digest()
