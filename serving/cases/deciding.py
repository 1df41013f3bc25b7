"""A person decides a case: alone, or above an amount with a second person; a linked decision with its own receipt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import iso
from features.canonical import canonical_bytes, digest
from features.consent import Consent, Refusal
from serving.access.model import Actor, Authority, Permission
from serving.access.repository import new_id
from serving.cases import receipt as person
from serving.cases import repository
from serving.cases.bounds import checked, least_rate
from serving.cases.evidence import Evidence
from serving.cases.granting import Grant, full, grant, replace_offer
from serving.cases.model import (
    CaseChanged,
    CaseRow,
    CaseState,
    HardRule,
    NotTaken,
    Override,
    PersonOutcome,
    SamePerson,
    Verdict,
)
from serving.cases.opening import Opened, Opener
from serving.cases.reasons import reason_of
from serving.cases.repository import Locked
from serving.consents.check import ConsentRefused
from serving.decisions.linking import Link, LinkKind
from serving.decisions.receipt import ENGINE, seal_receipt
from serving.decisions.repository import NewDecision, store
from serving.decisions.schemas import AnswerReason
from serving.explain.reasons import MOST
from serving.settings import Settings
from serving.store.audit import record_async
from serving.store.keys import seal, unseal
from serving.store.session import tenant_connection


class Proposal(msgspec.Struct, frozen=True):
    """What one person would decide, until another agrees."""

    verdict: Verdict
    actor_id: UUID
    actor: str


@dataclass(frozen=True, slots=True)
class _Scene:
    """A locked case with all that a decision of it needs."""

    case_id: UUID
    locked: Locked
    opened: Opened
    evidence: Evidence
    consent: Consent | None
    now: int


class DecidingService:
    """The use cases of deciding a case. ``clock`` gives µs of UTC."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, opener: Opener, clock: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._opener = opener
        self._clock = clock

    async def decide(self, authority: Authority, case_id: UUID, verdict: Verdict) -> CaseRow:
        """Decide a case that one has taken; above the amount it waits for a second person.

        Raises:
            UnknownCase, NotTaken, WrongState, CaseChanged: which case, and as it was seen.
            WrongReason, NoText, WrongTerms, HardRule, ConsentRefused, CapFull, LineStands: what may not be decided.
        """
        authority.holds(Permission.DECIDE_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            scene = await self._scene(connection, authority, case_id)
            scene.locked.expect(CaseState.TAKEN)
            if scene.locked.taken_by != authority.actor.actor_id:
                raise NotTaken
            check(scene.evidence, scene.consent, verdict)
            proposal = Proposal(verdict, authority.actor.actor_id, authority.actor.name)
            if self._alone(scene, verdict):
                await _close(connection, scene, authority.tenant, proposal, None)
            else:
                await _propose(connection, scene, authority, proposal)
            return await repository.get(connection, case_id)

    async def second(self, authority: Authority, case_id: UUID, seen: str, *, agree: bool) -> CaseRow:
        """Agree with what another person has proposed, or send it back to the queue.

        Raises:
            UnknownCase, WrongState, SamePerson, CaseChanged: which case, and who.
            HardRule, ConsentRefused, WrongTerms, CapFull, LineStands: what may not be decided any more.
        """
        authority.holds(Permission.DECIDE_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            scene = await self._scene(connection, authority, case_id)
            scene.locked.expect(CaseState.AWAITING_SECOND)
            if scene.locked.proposed_by == authority.actor.actor_id:
                raise SamePerson
            if not agree:
                await _send_back(connection, scene, authority)
                return await repository.get(connection, case_id)
            assert scene.locked.proposal is not None
            data = unseal(scene.opened.key, scene.locked.proposal, _context(case_id))
            proposal = msgspec.json.decode(data, type=Proposal)
            check(scene.evidence, scene.consent, proposal.verdict)
            if seen != scene.evidence.digest:
                raise CaseChanged
            await _close(connection, scene, authority.tenant, proposal, authority.actor)
            return await repository.get(connection, case_id)

    async def _scene(self, connection: asyncpg.Connection, authority: Authority, case_id: UUID) -> _Scene:
        now = self._clock()
        locked = await repository.lock(connection, case_id)
        opened = await self._opener.receipt(connection, locked.decision_id)
        evidence, consent = await self._opener.evidence(connection, authority, opened, now)
        return _Scene(case_id, locked, opened, evidence, consent, now)

    def _alone(self, scene: _Scene, verdict: Verdict) -> bool:
        """Whether one person suffices: no override and no approval above the amount, none cheaper than any price."""
        approves = verdict.outcome is PersonOutcome.APPROVE
        amount = scene.opened.receipt.case.asked.amount_fen
        if approves and verdict.terms is not None:
            amount = verdict.terms.limit_fen
            least = least_rate(scene.opened.policy, scene.opened.receipt, scene.now)
            if verdict.terms.annual_rate_ppm < least:
                return False
        needs = approves or override_of(scene.evidence, verdict) is not None
        return not needs or amount <= self._settings.alone_fen


def check(evidence: Evidence, consent: Consent | None, verdict: Verdict) -> None:
    """Whether a person may decide so; the reviewer sees the score and is not bound by it.

    Raises:
        CaseChanged, WrongReason, NoText, HardRule, ConsentRefused, WrongTerms.
    """
    if verdict.seen != evidence.digest:
        raise CaseChanged
    reason_of(verdict.outcome, verdict.reason_code, verdict.reason)
    if verdict.outcome is PersonOutcome.DECLINE:
        return
    if evidence.bounds.hard:
        raise HardRule(evidence.bounds.hard)
    if evidence.consent.state != "live":
        _refuse_consent(consent, evidence)
    checked(evidence.bounds, verdict.terms)


def _refuse_consent(consent: Consent | None, evidence: Evidence) -> None:
    raise ConsentRefused(
        Refusal.WITHDRAWN if consent is not None and consent.withdrawn_at else Refusal.EXPIRED,
        f"the applicant's consent has ended ({evidence.consent.state}).",
        "Decline with RV_CONSENT_WITHDRAWN, or ask the applicant for a new consent and decide a new application.",
    )


def override_of(evidence: Evidence, verdict: Verdict) -> Override | None:
    """In what a person's decision differs from the system's; None where the system left it open or they agree."""
    system = evidence.decision["outcome"]
    if system == "decline" and verdict.outcome is PersonOutcome.APPROVE:
        return Override.APPROVED
    if system == "approve" and verdict.outcome is PersonOutcome.DECLINE:
        return Override.DECLINED
    given = (evidence.decision.get("limit_fen"), evidence.decision.get("annual_rate_ppm"))
    terms = verdict.terms
    if system == "approve" and terms is not None and given != (terms.limit_fen, terms.annual_rate_ppm):
        return Override.TERMS
    return None


async def _propose(
    connection: asyncpg.Connection, scene: _Scene, authority: Authority, proposal: Proposal
) -> None:
    sealed = seal(scene.opened.key, msgspec.json.encode(proposal), _context(scene.case_id))
    actor = authority.actor.actor_id
    await repository.propose(connection, scene.case_id, actor, scene.now, sealed)
    what = {"outcome": proposal.verdict.outcome.value, "code": proposal.verdict.reason_code}
    await record_async(
        connection, authority.tenant, scene.now, actor, "case.proposed", str(scene.case_id), **what
    )


async def _send_back(connection: asyncpg.Connection, scene: _Scene, authority: Authority) -> None:
    await repository.send_back(connection, scene.case_id)
    actor = authority.actor.actor_id
    await record_async(connection, authority.tenant, scene.now, actor, "case.sent_back", str(scene.case_id))


async def _close(
    connection: asyncpg.Connection, scene: _Scene, tenant: str, proposal: Proposal, second: Actor | None
) -> None:
    """The linked decision, the case's end and the entry of the audit log, in one transaction."""
    name, verdict = new_id(), proposal.verdict
    override = override_of(scene.evidence, verdict)
    granted = await _granted(connection, scene, verdict)
    answer = _answer(scene, name, verdict, override, granted)
    row = _row(scene, tenant, name, proposal, second, answer, override, granted)
    if await store(connection, tenant, [row]) and granted is not None:
        raise await full(connection, scene.opened, granted, scene.evidence.bounds)
    over = "" if override is None else override.value
    await repository.decide(
        connection, scene.case_id, scene.now, name, verdict.outcome.value, verdict.reason_code, over
    )
    what = {"outcome": verdict.outcome.value, "code": verdict.reason_code, "decision": str(name)}
    if second is not None:
        what |= {"second": str(second.actor_id)}
    actor = proposal.actor_id
    await record_async(connection, tenant, scene.now, actor, "case.decided", str(scene.case_id), **what)


async def _granted(connection: asyncpg.Connection, scene: _Scene, verdict: Verdict) -> Grant | None:
    """What is promised in the place of what the system promised."""
    approves = verdict.outcome is PersonOutcome.APPROVE
    await replace_offer(connection, scene.locked.decision_id, scene.now, approves=approves)
    return await grant(connection, scene.opened, verdict.terms, scene.now) if approves else None


def _answer(
    scene: _Scene, name: UUID, verdict: Verdict, override: Override | None, granted: Grant | None
) -> person.PersonAnswer:
    """A refusal also repeats what led the system to refuse or to refer, four reasons in all."""
    own = reason_of(verdict.outcome, verdict.reason_code, verdict.reason)
    told = [AnswerReason(own.code, "person", own.zh, own.en)]
    if verdict.outcome is PersonOutcome.DECLINE:
        told += msgspec.convert(scene.evidence.decision["reasons"], list[AnswerReason])
    terms = verdict.terms if verdict.outcome is PersonOutcome.APPROVE else None
    return person.PersonAnswer(
        decision_id=str(name),
        kind=LinkKind.PERSON.value,
        parent_id=str(scene.opened.stored.decision_id),
        outcome=verdict.outcome.value,
        limit_fen=terms.limit_fen if terms else 0,
        annual_rate_ppm=terms.annual_rate_ppm if terms else None,
        instalment_fen=person.instalment_of(terms, scene.opened.receipt.case.asked.term_months),
        reasons=tuple(told[:MOST]),
        decided_at=iso(scene.now),
        override="" if override is None else override.value,
        offer=None if granted is None else granted.offer,
    )


def _row(
    scene: _Scene, tenant: str, name: UUID, proposal: Proposal, second: Actor | None,
    answer: person.PersonAnswer, override: Override | None, granted: Grant | None,
) -> NewDecision:  # fmt: skip
    parent, verdict, data = scene.opened.stored, proposal.verdict, canonical_bytes(answer)
    receipt = person.PersonReceipt(
        schema=person.SCHEMA, kind=LinkKind.PERSON.value, engine=ENGINE, decision_id=str(name), tenant=tenant,
        case_id=str(scene.case_id), origin=scene.locked.origin, parent_id=str(parent.decision_id),
        parent_receipt=parent.receipt_hash.hex(), subject_id=parent.subject_id, consent_id=str(parent.consent_id),
        actor_id=str(proposal.actor_id), actor=proposal.actor, decided_at=scene.now,
        seen=msgspec.to_builtins(scene.evidence), seen_digest=scene.evidence.digest, outcome=verdict.outcome.value,
        reason_code=verdict.reason_code, reason=verdict.reason, terms=verdict.terms,
        override="" if override is None else override.value, answer=msgspec.to_builtins(answer),
        answer_digest=digest(data), second_id="" if second is None else str(second.actor_id),
        second="" if second is None else second.name,
    )  # fmt: skip
    sealed = seal_receipt(person.write(receipt), scene.opened.key, str(name))
    return NewDecision(
        tenant=tenant, decision_id=name, key_hash=hashlib.sha256(b"\0case" + scene.case_id.bytes).digest(),
        request_digest=hashlib.sha256(data).digest(), subject_id=parent.subject_id, consent_id=parent.consent_id,
        actor_id=proposal.actor_id, decided_at=scene.now, outcome=verdict.outcome.value, answer=data, receipt=sealed,
        receipt_hash=hashlib.sha256(sealed).digest(),
        link=Link(LinkKind.PERSON, parent.decision_id, scene.case_id),
        reservations=() if granted is None else granted.reservations,
        offer=None if granted is None else granted.new,
    )  # fmt: skip


def _context(case_id: UUID) -> bytes:
    return f"proposal {case_id}".encode()
