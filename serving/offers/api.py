"""Offers and lines over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.decisions.schemas import MOST_FEN, Checks
from serving.offers.service import Today
from serving.policy.facts import Aml, Identity
from serving.services import Services, services

router = APIRouter(prefix="/v1/offers", tags=["offers"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_DECISIONS))]
Decider = Annotated[Authority, Depends(asking(Permission.DECIDE))]
Held = Annotated[Services, Depends(services)]
Number = Annotated[str, StringConstraints(min_length=15, max_length=18)]
JSON = "application/json"


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChecksBody(Body):
    """What the bank's own checks found today."""

    identity: Identity | None = None
    aml: Aml | None = None


class LineBody(Body):
    """Whose line; the number travels in the body. `consent_id` where the application's consent has ended, `checks` as they
    are today: what was not checked today is not known.
    """

    id_number: Number
    consent_id: UUID | None = None
    checks: ChecksBody = ChecksBody()

    @property
    def today(self) -> Today:
        """As the service is asked."""
        return Today(self.id_number, self.consent_id, Checks(self.checks.identity, self.checks.aml))


class DrawBody(LineBody):
    """What is drawn, in fen."""

    amount_fen: Annotated[int, Field(gt=0, le=MOST_FEN, strict=True)]


class RepayBody(Body):
    """Principal that came back, in fen; interest and fees are not counted here."""

    amount_fen: Annotated[int, Field(gt=0, le=MOST_FEN, strict=True)]


@router.get("/{decision_id}", summary="An offer, its payments and disclosures")
async def read(decision_id: UUID, authority: Reader, held: Held) -> Response:
    """Where it stands, the seven disclosures of REG-IL-16 with every payment, and what was drawn."""
    return _json(await held.offers.view(authority, decision_id))


@router.post("/{decision_id}/accept", summary="Accept an offer")
async def accept(decision_id: UUID, authority: Decider, held: Held) -> Response:
    """It becomes a line for as long as the policy says; again gives the same."""
    return _json(await held.offers.accept(authority, decision_id))


@router.post("/{decision_id}/decline", summary="Decline an offer")
async def decline(decision_id: UUID, authority: Decider, held: Held) -> Response:
    """The household may be promised as much again; again gives the same."""
    return _json(await held.offers.decline(authority, decision_id))


@router.post("/{decision_id}/drawdowns", summary="Draw of a line", status_code=201)
async def draw(
    decision_id: UUID,
    body: DrawBody,
    authority: Decider,
    held: Held,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """Decided again on today's facts: what a hard rule declines is refused, and the line is frozen."""
    drawn = await held.offers.draw(authority, decision_id, idempotency_key, body.amount_fen, body.today)
    return _json(drawn, 201)


@router.post("/{decision_id}/repayments", summary="Record money that came back", status_code=201)
async def repay(
    decision_id: UUID,
    body: RepayBody,
    authority: Decider,
    held: Held,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> Response:
    """It is spent in the loan book; its principal may be drawn again while the line runs, and the household may be promised
    as much again.
    """
    return _json(await held.offers.repay(authority, decision_id, idempotency_key, body.amount_fen), 201)


@router.post("/{decision_id}/reapprove", summary="Approve a line anew")
async def reapprove(decision_id: UUID, body: LineBody, authority: Decider, held: Held) -> Response:
    """Decided again on today's facts (REG-IL-03): the line goes on for another year, or is frozen."""
    return _json(await held.offers.reapprove(authority, decision_id, body.today))


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)
