"""The stop switch over HTTP."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.services import Services, services
from serving.stops.model import MOST_REASON, Scope, scope_of

router = APIRouter(prefix="/v1/approvals", tags=["approvals"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_REGISTRY))]
Operator = Annotated[Authority, Depends(asking(Permission.STOP_APPROVALS))]
Held = Annotated[Services, Depends(services)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Why = Annotated[str, StringConstraints(min_length=1, max_length=MOST_REASON, strip_whitespace=True)]
JSON = "application/json"


class StopBody(BaseModel):
    """Exactly one of `product`, `model`, `arm` (an experiment) and `all: true`, and why. No personal data in the reason."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    product: Name | None = None
    model: Name | None = None
    arm: Name | None = None
    all: bool = False
    reason: Why

    @property
    def scope(self) -> Scope:
        """What is meant."""
        return scope_of(self.product, self.model, self.arm, everything=self.all)


@router.get("", summary="What is stopped")
async def some(authority: Reader, held: Held, *, ended: bool = False) -> Response:
    """The stops that hold; with `ended` also those that are over."""
    return _json(await held.stops.some(authority, ended=ended))


@router.post("/stop", summary="Stop approvals")
async def stop(body: StopBody, authority: Operator, held: Held) -> Response:
    """From the next decision on whom the policy would approve is referred to a person; nobody is refused for it."""
    return _json(await held.stops.stop(authority, body.scope, body.reason))


@router.post("/resume", summary="Let approvals go on")
async def resume(body: StopBody, authority: Operator, held: Held) -> Response:
    """End a stop; who was referred meanwhile stays with a person."""
    return _json(await held.stops.resume(authority, body.scope, body.reason))


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
