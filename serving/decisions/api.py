"""POST /v1/decisions as a raw route, for speed, and the reading routes."""

from __future__ import annotations

import time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.decisions.schemas import openapi_parts
from serving.services import Services, services

router = APIRouter(prefix="/v1/decisions", tags=["decisions"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_DECISIONS))]
Auditor = Annotated[Authority, Depends(asking(Permission.READ_RECEIPTS))]
Held = Annotated[Services, Depends(services)]
JSON = "application/json"

_parts, COMPONENTS = openapi_parts()
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    "description": "The same key with the same application gives the same answer; with another one, 409.",
}  # fmt: skip
_OPENAPI: dict[str, Any] = {
    "parameters": [_KEY],
    "requestBody": {"required": True, "content": {JSON: {"schema": _parts["request"]}}},
    "responses": {
        "201": {"description": "Decided and stored.", "content": {JSON: {"schema": _parts["answer"]}}},
        "200": {"description": "The answer that this key was given.", "content": {JSON: {"schema": _parts["answer"]}}},
    },
}  # fmt: skip


@router.post("", summary="Decide an application", openapi_extra=_OPENAPI, status_code=201)
async def decide(request: Request) -> Response:
    """Approve, refer or decline, with grade, PD, limit, rate and reasons; stored before it is answered."""
    held = services(request)
    began = time.perf_counter()
    actor = await held.doorkeeper.actor(request.headers.get("authorization"))
    authority = actor.allowed(Permission.DECIDE)
    key = request.headers.get("idempotency-key")
    answer = await held.decisions.decide(authority, key, await request.body())
    held.metrics.seconds.observe(time.perf_counter() - began)
    held.metrics.decisions.labels(answer.outcome, str(answer.repeated).lower()).inc()
    return Response(answer.body, 200 if answer.repeated else 201, media_type=JSON)


class Deciding:
    """The same route for the server itself, found first: what a framework does around an endpoint costs a tenth of it."""

    def __init__(self) -> None:
        self.route = Route(f"{router.prefix}", self, methods=["POST"], include_in_schema=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is raised is told by the application, as everywhere."""
        scope["route"] = self.route
        answer = await decide(Request(scope, receive))
        await answer(scope, receive, send)


@router.get("/{decision_id}", summary="A decision as it was answered")
async def read(decision_id: UUID, authority: Reader, held: Held) -> Response:
    """The same bytes."""
    return Response(await held.reader.answer(authority, decision_id), media_type=JSON)


@router.get("/{decision_id}/explanation", summary="Why, feature by feature")
async def explanation(decision_id: UUID, authority: Reader, held: Held) -> Response:
    """All contributions and the base add up to the score exactly."""
    found = await held.reader.explanation(authority, decision_id)
    return Response(msgspec.json.encode(found), media_type=JSON)


@router.get("/{decision_id}/receipt", summary="Everything that led to a decision")
async def receipt(decision_id: UUID, authority: Auditor, held: Held) -> Response:
    """Canonical JSON; the header says the hash of what is stored, which is over the ciphertext."""
    opened = await held.reader.receipt(authority, decision_id)
    return Response(opened.data, media_type=JSON, headers={"X-Receipt-Hash": opened.stored_hash})
