"""Webhooks over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.services import Services, services
from serving.webhooks.model import DeliveryState, EventKind

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
Manager = Annotated[Authority, Depends(asking(Permission.MANAGE_WEBHOOKS))]
Held = Annotated[Services, Depends(services)]
JSON = "application/json"


class EndpointBody(BaseModel):
    """Where to and of what; without `kinds` of everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    kinds: Annotated[list[EventKind], Field(max_length=len(EventKind))] = []


@router.post("", summary="Register a webhook", status_code=201)
async def add(body: EndpointBody, authority: Manager, held: Held) -> Response:
    """The secret that signs its messages is shown in this answer and never again."""
    return _json(await held.webhooks.add(authority, body.url, body.kinds), 201)


@router.get("", summary="The webhooks of the tenant")
async def some(authority: Manager, held: Held) -> Response:
    """With how many deliveries wait and how many are dead."""
    return _json(await held.webhooks.some(authority))


@router.delete("/{endpoint_id}", summary="Remove a webhook", status_code=204)
async def remove(endpoint_id: UUID, authority: Manager, held: Held) -> Response:
    """It is told nothing any more, also not what waits."""
    await held.webhooks.remove(authority, endpoint_id)
    return Response(status_code=204)


@router.post("/{endpoint_id}/rotate", summary="Give a webhook a new secret")
async def rotate(endpoint_id: UUID, authority: Manager, held: Held) -> Response:
    """Shown once; for a day messages are signed with the one before it too."""
    return _json(await held.webhooks.rotate(authority, endpoint_id))


@router.post("/{endpoint_id}/test", summary="Send something to a webhook", status_code=201)
async def try_out(endpoint_id: UUID, authority: Manager, held: Held) -> Response:
    """An event `webhook.test`, which the worker sends within seconds."""
    return _json(await held.webhooks.try_out(authority, endpoint_id), 201)


@router.get("/{endpoint_id}/deliveries", summary="What a webhook was told")
async def deliveries(
    endpoint_id: UUID,
    authority: Manager,
    held: Held,
    state: DeliveryState | None = None,
    most: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """The latest first; what was delivered is kept for 30 days."""
    return _json(await held.webhooks.deliveries(authority, endpoint_id, state, most))


@router.post("/{endpoint_id}/deliveries/{delivery_id}/replay", summary="Tell a webhook once more")
async def replay(endpoint_id: UUID, delivery_id: UUID, authority: Manager, held: Held) -> Response:
    """The same payload under the same id, whether it was delivered or is dead."""
    return _json(await held.webhooks.replay(authority, endpoint_id, delivery_id))


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
