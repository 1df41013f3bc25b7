"""The notice of a decision, the report and the statement of a subject, and a decision made again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import iso
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.rights.page import HEADERS, render
from serving.rights.statements import MOST_TEXT
from serving.services import Services, services

router = APIRouter(prefix="/v1")
Reader = Annotated[Authority, Depends(asking(Permission.READ_DECISIONS))]
Decider = Annotated[Authority, Depends(asking(Permission.DECIDE))]
Applicant = Annotated[Authority, Depends(asking(Permission.EXERCISE_RIGHTS))]
Held = Annotated[Services, Depends(services)]
Number = Annotated[str, StringConstraints(min_length=15, max_length=18)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
JSON = "application/json"


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReportBody(Body):
    """Whose report; the number travels in the body, so that no address holds it."""

    id_number: Number
    paid: bool = False


class StatementBody(Body):
    """What a person says of a record; without `key` of all of the dataset."""

    id_number: Number
    dataset: Name
    key: (
        Annotated[dict[Name, Annotated[str, StringConstraints(max_length=128)]], Field(max_length=10)] | None
    ) = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=MOST_TEXT)]


class StatementAnswer(BaseModel):
    """It is kept, and shown to whoever reviews."""

    statement_id: UUID
    dataset: str
    added_at: str


class AgainBody(Body):
    """Whose application; `decision_id` where it is not the latest before the correction, `consent_id` where the earlier
    consent has ended.
    """

    id_number: Number
    decision_id: UUID | None = None
    consent_id: UUID | None = None


@router.get(
    "/decisions/{decision_id}/notice", summary="The notice to the applicant", tags=["decisions"],
    responses={200: {"content": {JSON: {}, "text/html": {}}}},
)  # fmt: skip
async def notice(
    decision_id: UUID, authority: Reader, held: Held, accept: Annotated[str, Header()] = ""
) -> Response:
    """JSON, or with `Accept: text/html` a page for printing: outcome, reasons, factors, score, sources, rights."""
    found = await held.notices.notice(authority, decision_id)
    if "text/html" in accept:
        return HTMLResponse(render(found), headers={**HEADERS, "Vary": "Accept"})
    return Response(msgspec.json.encode(found), media_type=JSON, headers={"Vary": "Accept"})


@router.post("/subjects/report", summary="A report for the person it is about", tags=["subjects"])
async def report(body: ReportBody, authority: Applicant, held: Held) -> Response:
    """Known by source, decisions, who asked when, disputes; two a year are free, then `paid: true`."""
    found = await held.rights.report(authority, body.id_number, paid=body.paid)
    return Response(msgspec.json.encode(found), media_type=JSON)


@router.post("/subjects/statement", status_code=201, summary="A person's own words", tags=["subjects"])
async def statement(body: StatementBody, authority: Applicant, held: Held) -> StatementAnswer:
    """Recorded beside bad information, and shown to whoever reviews a case."""
    said = await held.rights.add_statement(authority, body.id_number, body.dataset, body.key, body.text)
    return StatementAnswer(statement_id=said.statement_id, dataset=said.dataset, added_at=iso(said.added_at))


@router.post(
    "/disputes/{dispute_id}/decide-again", summary="Decide again after a correction", tags=["disputes"]
)
async def decide_again(dispute_id: UUID, body: AgainBody, authority: Decider, held: Held) -> Response:
    """The same application as of now, linked to the earlier decision; again gives the same answer."""
    made = await held.again.again(authority, dispute_id, body.id_number, body.consent_id, body.decision_id)
    told = {
        "dispute_id": made.dispute_id, "parent_id": made.parent_id, "before": made.before,
        "decision": msgspec.Raw(made.answer),
    }  # fmt: skip
    return Response(msgspec.json.encode(told), media_type=JSON)
