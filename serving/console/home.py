"""The first page: what waits for whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.access.model import Permission
from serving.console.asking import Visit, visiting
from serving.console.inbox import inboxes
from serving.console.pages import ROOT

router = APIRouter(prefix=ROOT)


@router.get("/")
async def home(request: Request, visit: Annotated[Visit, Depends(visiting)]) -> Response:
    """The doors that a person's roles open, and what waits behind each."""
    return visit.page("home.html", waiting=await _waiting(request, visit))


async def _waiting(request: Request, visit: Visit) -> dict[str, tuple[int, int, int]]:
    """By door: how many wait, how many of them are overdue, and of alerts how many are red, of cases how many wait for a second
    person who may be this one.
    """
    found: dict[str, tuple[int, int, int]] = {}
    held = visit.services
    if visit.may(Permission.HANDLE_ALERTS):
        counts = await inboxes(request).counts(held.pool, visit.session.actor.tenant)
        found["inbox"] = sum(counts.open.values()), sum(counts.overdue.values()), counts.open.get("red", 0)
    if visit.may(Permission.READ_CASES):
        found["cases"] = await held.cases.waiting(visit.authority(Permission.READ_CASES))
    if visit.may(Permission.HANDLE_DISPUTES):
        found["disputes"] = *await held.disputes.waiting(visit.authority(Permission.HANDLE_DISPUTES)), 0
    return found
