"""POST /v1/decisions:batch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.batch.lines import BatchLine, check_size, read_lines
from serving.batch.service import BatchAnswer, told_bytes
from serving.services import Services, services

router = APIRouter(tags=["decisions"])
Decider = Annotated[Authority, Depends(asking(Permission.DECIDE))]
Held = Annotated[Services, Depends(services)]
NDJSON = "application/x-ndjson"

(_line, _answer), COMPONENTS = msgspec.json.schema_components(
    (BatchLine, BatchAnswer), ref_template="#/components/schemas/{name}"
)
_OPENAPI: dict[str, Any] = {
    "requestBody": {"required": True, "content": {NDJSON: {"schema": _line}}},
    "responses": {"200": {"description": "A line for each line, in order.", "content": {NDJSON: {"schema": _answer}}}},
}  # fmt: skip


@router.post("/v1/decisions:batch", summary="Decide many applications", openapi_extra=_OPENAPI,
             response_class=StreamingResponse)  # fmt: skip
async def decide_batch(request: Request, authority: Decider, held: Held) -> StreamingResponse:
    """One application a line, each with its idempotency_key; one answer a line, in order, as they are stored.

    A line that is refused says so in its place, with field and remedy, and the others go on. A call that broke off
    is sent again: what was decided is repeated.
    """
    body = await request.body()
    check_size(body)

    async def told() -> AsyncIterator[bytes]:
        async for chunk in held.batch.answers(authority, read_lines(iter(body.split(b"\n")))):
            yield told_bytes(chunk)

    return StreamingResponse(told(), media_type=NDJSON)
