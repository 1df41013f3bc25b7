"""What people say is wrong about them, with the day by which it is answered."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from serving.access.model import Permission
from serving.console.asking import Sent, Visit, go, opening, sending
from serving.console.forms import choice
from serving.console.pages import ROOT
from serving.records.disputes import DisputeVerdict

router = APIRouter(prefix=f"{ROOT}/disputes")
MOST_ANSWER = 2_000


@router.get("")
async def disputes(
    visit: Annotated[Visit, Depends(opening(Permission.HANDLE_DISPUTES))], *, overdue: bool = False
) -> Response:
    """Those that wait for an answer, the most urgent first."""
    found = await visit.services.disputes.open(visit.authority(Permission.HANDLE_DISPUTES), overdue=overdue)
    return visit.page("disputes.html", disputes=found, verdicts=tuple(DisputeVerdict), overdue=overdue)


@router.post("/{dispute_id}")
async def answer(
    dispute_id: UUID, sent: Annotated[Sent, Depends(sending(Permission.HANDLE_DISPUTES))]
) -> Response:
    """Answer in writing; the second who answers is told that it was answered."""
    verdict = choice(DisputeVerdict, sent.text("verdict", 20), "verdict")
    authority = sent.visit.authority(Permission.HANDLE_DISPUTES)
    await sent.visit.services.disputes.answer(
        authority, dispute_id, verdict, sent.text("answer", MOST_ANSWER)
    )
    return go(f"{ROOT}/disputes")
