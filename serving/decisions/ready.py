"""An application on its way to a decision: read and checked, then with all that it is decided from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from features.matrix import FeatureMatrix
from serving.access.model import Authority
from serving.decisions.case import Case, CaseSource
from serving.decisions.linking import Link
from serving.decisions.live import Live
from serving.decisions.receipt import seal_receipt
from serving.decisions.repository import NewDecision, Taken
from serving.decisions.reserving import Made, Trial
from serving.decisions.schemas import Asked, DecisionRequest, KeyReused
from serving.process import tracing


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that are sent; ``repeated`` when the key had been answered before."""

    body: bytes
    outcome: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Application:
    """A request that was checked; ``digest`` is what is kept of it to tell a repetition from another one.

    ``sources`` are those that were asked for it.
    """

    key_hash: bytes
    request: DecisionRequest
    number: str
    asked: Asked
    digest: bytes
    sources: Mapping[str, CaseSource] = field(default_factory=dict)

    @property
    def silent(self) -> dict[str, str]:
        """Why each source that was asked in vain is down, by what it would have given."""
        return {each.gives: each.state.value for each in self.sources.values() if each.state.silent}


@dataclass(frozen=True, slots=True)
class Asking:
    """One attempt at an application; ``link`` says which earlier decision of it this one follows."""

    authority: Authority
    application: Application
    trial: Trial
    link: Link | None = None
    traced: Any = field(default_factory=tracing.here, compare=False)


@dataclass(frozen=True, slots=True)
class Ready:
    """What one attempt to decide an application knows; ``row`` are its features."""

    application: Application
    case: Case
    row: FeatureMatrix
    sources: int
    live: Live
    data_key: bytes
    trial: Trial


def row_of(made: Made, authority: Authority, application: Application, receipt: bytes) -> NewDecision:
    """A decision as it is written, with its receipt sealed."""
    decision, case = made.decision, made.decision.case
    sealed = seal_receipt(receipt, made.data_key, case.decision_id)
    return NewDecision(
        tenant=authority.tenant,
        decision_id=UUID(case.decision_id),
        key_hash=application.key_hash,
        request_digest=application.digest,
        subject_id=case.subject.subject_id,
        consent_id=application.request.consent_id,
        actor_id=authority.actor.actor_id,
        decided_at=case.decided_at,
        outcome=decision.answer.outcome.value,
        answer=decision.answer_bytes,
        receipt=sealed,
        receipt_hash=hashlib.sha256(sealed).digest(),
        reservations=made.reservations,
        offer=made.offer,
    )


def repeat(taken: Taken, request_digest: bytes) -> Answer:
    """The answer that a key was given.

    Raises:
        KeyReused: it was given to another application.
    """
    if taken.request_digest != request_digest:
        raise KeyReused
    outcome = str(msgspec.json.decode(taken.answer)["outcome"])
    return Answer(taken.answer, outcome, repeated=True)
