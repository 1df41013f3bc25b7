"""What a leaf says of a decision, so that nothing of its row can change unseen, and an erased person's neither."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from serving.log.tree import leaf_hash

KIND = "yidai/receipt/1"
"""First line of an entry; another form of entry gets another number."""


class SealedRow(NamedTuple):
    """One decision as it is stored, with its link where it follows another; ``receipt`` and ``answer`` as digests."""

    decision_id: UUID
    receipt: bytes
    answer: bytes
    key_hash: bytes
    request_digest: bytes
    subject_id: int
    consent_id: UUID
    actor_id: UUID
    decided_at: int
    outcome: str
    kind: str | None
    parent_id: UUID | None
    about: UUID | None


def entry_of(tenant: str, row: SealedRow) -> bytes:
    """The leaf's bytes: five lines that an outsider can check against the receipt's ciphertext and the answer.

    The rest of the row stands in it as one digest, which tells nobody whose decision it is.
    """
    lines = (KIND, str(row.decision_id), row.receipt.hex(), row.answer.hex(), _rest(tenant, row))
    return "".join(f"{line}\n" for line in lines).encode()


def leaf_of(tenant: str, row: SealedRow) -> bytes:
    """The hash that the tree is made of."""
    return leaf_hash(entry_of(tenant, row))


def _rest(tenant: str, row: SealedRow) -> str:
    text = (
        f"{tenant}\n{row.key_hash.hex()}\n{row.request_digest.hex()}\n{row.subject_id}\n{row.consent_id}\n{row.actor_id}\n"
        f"{row.decided_at}\n{row.outcome}\n{row.kind}\n{row.parent_id}\n{row.about}\n"
    )
    return sha256(text.encode()).hexdigest()
