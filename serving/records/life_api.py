"""/v1/disputes and DELETE /v1/subjects."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import iso
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.records.disputes import GROUND, Dispute, DisputeVerdict
from serving.services import Services, services

router = APIRouter(prefix="/v1")
Handler = Annotated[Authority, Depends(asking(Permission.HANDLE_DISPUTES))]
Eraser = Annotated[Authority, Depends(asking(Permission.ERASE))]
Held = Annotated[Services, Depends(services)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Number = Annotated[str, StringConstraints(min_length=15, max_length=18)]


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DisputeBody(Body):
    """Which record of whom is disputed, and why. ``key`` has the key fields of the dataset's contract."""

    id_number: Number
    dataset: Name
    key: Annotated[dict[Name, Annotated[str, StringConstraints(max_length=128)]], Field(max_length=10)]
    ground: Annotated[str, StringConstraints(min_length=1, max_length=GROUND)]


class VerdictBody(Body):
    """What came of it: corrected, upheld or withdrawn; ``answer`` is what the person is told in writing."""

    verdict: DisputeVerdict
    answer: Annotated[str, StringConstraints(max_length=2_000)] = ""


class DisputeAnswer(BaseModel):
    """A dispute, without the person's number and without the ground; ``answer`` is the one in writing."""

    dispute_id: UUID
    dataset: str
    raised_at: str
    due_at: str
    verdict: str | None
    answered_at: str | None
    answer: str = ""
    level: int = 0


class EraseBody(Body):
    """Whom to forget, and on what ground; the number travels in the body, so that no address holds it."""

    kind: Name = "person"
    id_number: Number
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class EraseAnswer(BaseModel):
    """Done: the pseudonym under which it is logged leads to nobody."""

    subject_id: int


@router.post("/disputes", status_code=201, summary="Mark a record as disputed", tags=["disputes"])
async def dispute(body: DisputeBody, authority: Handler, held: Held) -> DisputeAnswer:
    """Due for an answer in 20 days; every decision that reads its dataset until then says so."""
    made = await held.disputes.raise_(authority, body.id_number, body.dataset, body.key, body.ground)
    return _answer(made)


@router.get("/disputes", summary="The disputes that wait for an answer", tags=["disputes"])
async def disputes(authority: Handler, held: Held, *, overdue: bool = False) -> list[DisputeAnswer]:
    """The most urgent first; `overdue` leaves only those whose 20 days are over."""
    return [_answer(each) for each in await held.disputes.open(authority, overdue=overdue)]


@router.post("/disputes/{dispute_id}/answer", summary="Answer a dispute", tags=["disputes"])
async def answer(dispute_id: UUID, body: VerdictBody, authority: Handler, held: Held) -> DisputeAnswer:
    """The mark goes; a correction is sent with POST /v1/records under the same key."""
    return _answer(await held.disputes.answer(authority, dispute_id, body.verdict, body.answer))


@router.delete("/subjects", summary="Forget a person or a firm", tags=["subjects"])
async def erase(body: EraseBody, authority: Eraser, held: Held) -> EraseAnswer:
    """Refused while a loan is open or a law wants the records kept; decisions that were made still verify."""
    done = await held.subjects.erase(authority, body.kind, body.id_number, body.reason)
    return EraseAnswer(subject_id=done.subject_id)


def _answer(found: Dispute) -> DisputeAnswer:
    return DisputeAnswer(
        dispute_id=found.dispute_id,
        dataset=found.dataset,
        raised_at=iso(found.raised_at),
        due_at=iso(found.due_at),
        verdict=found.verdict,
        answered_at=None if found.answered_at is None else iso(found.answered_at),
        answer=found.answer,
        level=found.level,
    )
