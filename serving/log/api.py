"""The sealed log over HTTP: what an outsider needs to verify without our tools."""

from __future__ import annotations

import base64
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from features.calendar import iso
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.log.checkpoint import Checkpoint, LogKey
from serving.log.model import Consistency, Inclusion
from serving.services import Services, services

router = APIRouter(prefix="/v1/log", tags=["log"])
Auditor = Annotated[Authority, Depends(asking(Permission.READ_LOG))]
Held = Annotated[Services, Depends(services)]
MOST = 2**53 - 1
"""The largest size that JSON carries exactly."""
Size = Annotated[int | None, Query(ge=1, le=MOST, description="Leaves of the tree; without it the newest.")]
Base64 = Annotated[str, Field(description="Base64.")]
_PLAIN = {"text/plain": {"schema": {"type": "string"}}}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


class Answer(BaseModel):
    """What is answered is never changed."""

    model_config = ConfigDict(frozen=True)


class InclusionAnswer(Answer):
    """`entry` is the leaf's bytes: its kind, the decision's id, SHA-256 of the encrypted receipt, of the answer and of the
    rest of the row, a line each. `proof` goes from the leaf upwards (RFC 6962, 2.1.1); `checkpoint` is the signed note of
    this size, null where none was made.
    """

    decision_id: UUID
    origin: str
    leaf_index: int
    tree_size: int
    entry: str
    leaf_hash: Base64
    proof: tuple[Base64, ...]
    checkpoint: str | None

    @staticmethod
    def of(found: Inclusion) -> InclusionAnswer:
        """As it is sent."""
        return InclusionAnswer(
            decision_id=found.decision_id, origin=found.origin, leaf_index=found.place, tree_size=found.size,
            entry=found.entry.decode(), leaf_hash=_text(found.leaf), proof=tuple(map(_text, found.proof)),
            checkpoint=_note(found.checkpoint),
        )  # fmt: skip


class ConsistencyAnswer(Answer):
    """`proof` is that of RFC 6962, 2.1.2."""

    origin: str
    first_size: int
    second_size: int
    proof: tuple[Base64, ...]
    checkpoint: str | None

    @staticmethod
    def of(found: Consistency) -> ConsistencyAnswer:
        """As it is sent."""
        return ConsistencyAnswer(
            origin=found.origin, first_size=found.first, second_size=found.second,
            proof=tuple(map(_text, found.proof)), checkpoint=_note(found.checkpoint),
        )  # fmt: skip


class KeyAnswer(Answer):
    """`verifier` is name, id and key as C2SP's signed-note has them; `public_key` the 32 bytes of Ed25519."""

    name: str
    key_id: str
    public_key: Base64
    verifier: str
    signs_since: str

    @staticmethod
    def of(key: LogKey, since: int) -> KeyAnswer:
        """As it is sent."""
        return KeyAnswer(
            name=key.name, key_id=key.key_id.hex(), public_key=_text(key.public), verifier=key.verifier,
            signs_since=iso(since),
        )  # fmt: skip


@router.get("/checkpoint", summary="The newest checkpoint", response_class=Response,
            responses={200: {"content": _PLAIN}})  # fmt: skip
async def checkpoint(authority: Auditor, held: Held) -> Response:
    """A signed note (C2SP, tlog-checkpoint). Keep it: with it a log that was rewritten since is found."""
    found = await held.log.checkpoint(authority)
    return Response(found.note, media_type="text/plain; charset=utf-8")


@router.get("/inclusion", summary="That a receipt is in the log")
async def inclusion(authority: Auditor, held: Held, decision: UUID, size: Size = None) -> InclusionAnswer:
    """The leaf of a decision and the way from it to the root."""
    return InclusionAnswer.of(await held.log.inclusion(authority, decision, size))


@router.get("/consistency", summary="That the log only grew")
async def consistency(
    authority: Auditor, held: Held, first: Annotated[int, Query(alias="from", ge=1, le=MOST)],
    second: Annotated[int | None, Query(alias="to", ge=1, le=MOST)] = None,
) -> ConsistencyAnswer:  # fmt: skip
    """From the tree of one checkpoint to that of a later one; without `to` to the newest."""
    return ConsistencyAnswer.of(await held.log.consistency(authority, first, second))


@router.get("/keys", summary="Who signs")
async def keys(authority: Auditor, held: Held) -> list[KeyAnswer]:
    """Every key that ever signed, the newest first; compare them with what the bank has published."""
    return [KeyAnswer.of(key, since) for key, since in await held.log.keys(authority)]


@router.get("/receipt", summary="A receipt as it is stored", response_class=Response,
            responses={200: {"content": _BYTES}})  # fmt: skip
async def receipt(authority: Auditor, held: Held, decision: UUID) -> Response:
    """Encrypted: its SHA-256 stands in the leaf's entry, also when the person was erased and nobody can read it."""
    found = await held.log.stored(authority, decision)
    return Response(found.receipt, media_type="application/octet-stream")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _note(made: Checkpoint | None) -> str | None:
    return None if made is None else made.note
