"""The first page: what waits for whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.access.model import Permission
from serving.cases.model import CaseState
from serving.cases.repository import Wanted
from serving.console.asking import Visit, visiting
from serving.console.inbox import inboxes
from serving.console.pages import ROOT

router = APIRouter(prefix=ROOT)
MOST = 200
"""So many cases and disputes are counted; more are told as more than that."""
_OPEN = tuple(state for state in CaseState if state is not CaseState.DECIDED)


@router.get("/")
async def home(request: Request, visit: Annotated[Visit, Depends(visiting)]) -> Response:
    """The doors that a person's roles open, and what waits behind each."""
    return visit.page("home.html", waiting=await _waiting(request, visit))


async def _waiting(request: Request, visit: Visit) -> dict[str, tuple[int, int, int]]:
    """By door: how many wait, how many of them are overdue, and how many are the person's own or for a second one."""
    found: dict[str, tuple[int, int, int]] = {}
    held, now, me = visit.services, visit.services.clock(), visit.session.actor.name
    if visit.may(Permission.HANDLE_ALERTS):
        counts = await inboxes(request).counts(held.pool, visit.session.actor.tenant)
        red, late = counts.open.get("red", 0), sum(counts.overdue.values())
        found["inbox"] = sum(counts.open.values()), late, red
    if visit.may(Permission.READ_CASES):
        cases = await held.cases.some(visit.authority(Permission.READ_CASES), Wanted(_OPEN, most=MOST))
        second = sum(one.state is CaseState.AWAITING_SECOND and one.proposed_by != me for one in cases)
        found["cases"] = len(cases), sum(one.due_at < now for one in cases), second
    if visit.may(Permission.HANDLE_DISPUTES):
        disputes = await held.disputes.open(visit.authority(Permission.HANDLE_DISPUTES))
        found["disputes"] = len(disputes), sum(one.due_at < now for one in disputes), 0
    return found
