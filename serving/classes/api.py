"""/v1/classes and the class of a loan."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.classes.document import RiskClass
from serving.classes.model import MONTH, MOST_REASON, ClassPage, ClassRow, ClassView, Ruling
from serving.classes.movement import Provisions
from serving.services import Services, services

router = APIRouter(prefix="/v1", tags=["classes"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_LOANS))]
Officer = Annotated[Authority, Depends(asking(Permission.CLASSIFY_LOANS))]
Held = Annotated[Services, Depends(services)]
LoanId = Annotated[str, Path(min_length=1, max_length=64)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=128)]
Month = Annotated[
    str | None, Query(pattern=MONTH, description="Such as 2026-10; the last that was classed without it.")
]
JSON = "application/json"

(_row, _view, _page, _sums), COMPONENTS = msgspec.json.schema_components(
    (ClassRow, ClassView, ClassPage, Provisions), ref_template="#/components/schemas/{name}"
)


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    return {"responses": {"200": {"description": "Done.", "content": {JSON: {"schema": schema}}}}}


class RulingBody(BaseModel):
    """The class that a person confirms or sets, and why; `version` as the answer that was read tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    risk_class: RiskClass
    reason: Annotated[str, StringConstraints(max_length=MOST_REASON)] = ""
    month: Annotated[str, StringConstraints(pattern=MONTH)] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]


@router.get("/loans/{loan_id}/class", summary="A loan's class", openapi_extra=_told(_view))
async def read(loan_id: LoanId, authority: Reader, held: Held, month: Month = None) -> Response:
    """Five-tier class, alert level and stage, each of its own, with evidence, expected loss and what people did; the read
    is logged.
    """
    return _json(await held.classes.read(authority, loan_id, month or ""))


@router.post("/loans/{loan_id}/class", summary="Confirm or set a loan's class", openapi_extra=_told(_row))
async def confirm(
    loan_id: LoanId, body: RulingBody, authority: Officer, held: Held, idempotency_key: Key = None
) -> Response:
    """One person confirms a proposal or makes it worse with a reason; a better class than proposed waits for a second
    person, who sends the same. A key does it once.
    """
    ruling = Ruling(body.risk_class, body.reason, body.month or "", body.version)
    return _json(await held.classes.confirm(authority, loan_id, ruling, idempotency_key))


@router.get("/classes", summary="The classes of a month", openapi_extra=_told(_page))
async def classes(
    authority: Reader, held: Held, *, month: Month = None, risk_class: RiskClass | None = None, unconfirmed: bool = False,
    after: Annotated[str, Query(max_length=64)] = "", most: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:  # fmt: skip
    """Loans by their id; `unconfirmed` leaves those that nobody confirmed. `next` is the `after` of the next page."""
    found = await held.classes.some(authority, month or "", risk_class, after, most, unconfirmed=unconfirmed)
    return _json(found)


@router.get("/classes/provisions", summary="Provisions of a month", openapi_extra=_told(_sums))
async def provisions(authority: Reader, held: Held, *, month: Month = None) -> Response:
    """By class and by stage, with coverage, and how expected loss came from the month that was classed before."""
    return _json(await held.classes.provisions(authority, month or ""))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
