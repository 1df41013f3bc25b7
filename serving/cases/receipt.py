"""A person's decision as it is answered and kept: who, when, what they saw, what they decided, why."""

from __future__ import annotations

from typing import Any

import msgspec

from features.canonical import UNREADABLE, canonical_bytes, digest
from features.errors import Integrity
from serving.cases.model import Terms
from serving.decisions.repository import StoredDecision
from serving.decisions.schemas import AnswerReason
from serving.offers.offer import Offer
from serving.offers.schedule import instalment

SCHEMA = 1


class PersonAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is answered: reasons first the person's own. ``override`` is left out where there is none, ``offer`` where
    nothing can be accepted.
    """

    decision_id: str
    kind: str
    parent_id: str
    outcome: str
    limit_fen: int
    annual_rate_ppm: int | None
    instalment_fen: int | None
    reasons: tuple[AnswerReason, ...]
    decided_at: str
    override: str = ""
    offer: Offer | None = None


class PersonReceipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """``seen`` is all that lay before the reviewer; ``seen_digest`` its digest, ``parent_receipt`` the hash of the
    stored receipt of the decision that was reviewed. ``second`` is who agreed, where that was needed.
    """

    schema: int
    kind: str
    engine: str
    decision_id: str
    tenant: str
    case_id: str
    origin: str
    parent_id: str
    parent_receipt: str
    subject_id: int
    consent_id: str
    actor_id: str
    actor: str
    decided_at: int
    seen: dict[str, Any]
    seen_digest: str
    outcome: str
    reason_code: str
    reason: str
    terms: Terms | None
    override: str
    answer: dict[str, Any]
    answer_digest: str
    second_id: str = ""
    second: str = ""


class BrokenLink(Integrity):
    """A person's decision that does not fit what it says of itself."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}.", place="person's receipt", remedy="Restore the database.")


def instalment_of(terms: Terms | None, months: int) -> int | None:
    """Fen a month of equal instalments over the term that was asked for."""
    return None if terms is None else instalment(terms.limit_fen, terms.annual_rate_ppm, months)


def write(receipt: PersonReceipt) -> bytes:
    """Canonical bytes."""
    return canonical_bytes(receipt)


def read(data: bytes) -> PersonReceipt:
    """A person's receipt from its bytes.

    Raises:
        BrokenLink: not one, or of a schema that this engine does not read.
    """
    try:
        receipt = msgspec.json.decode(data, type=PersonReceipt)
    except UNREADABLE as error:
        raise BrokenLink(f"it cannot be read: {error}") from error
    if receipt.schema != SCHEMA:
        raise BrokenLink(f"schema {receipt.schema} is not known")
    return receipt


def verify(stored: StoredDecision, data: bytes, parent: StoredDecision) -> None:
    """What was stored beside the receipt is what it says, and the decision that it is about is unchanged.

    Raises:
        BrokenLink: the first thing that does not fit.
    """
    receipt = read(data)
    pairs = {
        "answer": (digest(stored.answer), receipt.answer_digest),
        "what was seen": (digest(canonical_bytes(receipt.seen)), receipt.seen_digest),
        "parent": (str(stored.parent_id), receipt.parent_id),
        "the parent's receipt": (parent.receipt_hash.hex(), receipt.parent_receipt),
        "subject_id": ((stored.subject_id, parent.subject_id), (receipt.subject_id, receipt.subject_id)),
        "decided_at": (stored.decided_at, receipt.decided_at),
        "outcome": (stored.outcome, receipt.outcome),
        "consent_id": (str(stored.consent_id), receipt.consent_id),
        "actor_id": (str(stored.actor_id), receipt.actor_id),
        "decision_id": (str(stored.decision_id), receipt.decision_id),
    }
    changed = [name for name, (kept, sealed) in pairs.items() if kept != sealed]
    if changed:
        raise BrokenLink(f"changed beside the receipt: {', '.join(changed)}")
