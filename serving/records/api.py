"""POST /v1/records/{dataset}."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.records.together import SendReport
from serving.services import Services, services

router = APIRouter(prefix="/v1/records", tags=["records"])
Sender = Annotated[Authority, Depends(asking(Permission.SEND_RECORDS))]
Held = Annotated[Services, Depends(services)]
NDJSON = "application/x-ndjson"

(_schema,), COMPONENTS = msgspec.json.schema_components(
    (SendReport,), ref_template="#/components/schemas/{name}"
)
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {NDJSON: {"schema": {"type": "string", "description": "One JSON object a line."}}},
    },
    "responses": {
        "200": {"description": "Every line, told.", "content": {"application/json": {"schema": _schema}}}
    },
}


@router.post("/{dataset}", summary="Send records of a dataset", openapi_extra=_OPENAPI)
async def send(dataset: str, request: Request, authority: Sender, held: Held) -> Response:
    """Lines that keep their contract are stored, and seen by the next decision; the others are told, with field
    and remedy. Lines without a valid number are held until it is known whose they are, where the contract allows
    that. Sending a line again changes nothing.
    """
    found = await held.records.send(authority, dataset, await request.body())
    return Response(msgspec.json.encode(found), media_type="application/json")
