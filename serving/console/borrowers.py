"""One borrower: records across sources, alerts and their story, loans, decisions, who stands beside; the number for a reason."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from serving.access.model import Permission
from serving.borrowers.model import LEAST_REASON, MOST_REASON, BorrowerView
from serving.borrowers.service import Asked, BorrowerService
from serving.console import drawing
from serving.console.asking import Sent, Visit, opening, sending
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import say
from serving.services import Services
from serving.store.engine import Database

router = APIRouter(prefix=f"{ROOT}/borrowers")
Officer = Annotated[Visit, Depends(opening(Permission.HANDLE_ALERTS))]
Order = Annotated[Sent, Depends(sending(Permission.HANDLE_ALERTS))]
Place = Annotated[int, Query(ge=0, le=2**53)]
MOST_TITLE = 18


@router.get("/{case_id}")
async def borrower(
    case_id: UUID, visit: Officer, source: Annotated[str, Query(max_length=64)] = "", after: Place = 0, before: Place = 0
) -> Response:  # fmt: skip
    """The whole story; the read is logged."""
    authority = visit.authority(Permission.HANDLE_ALERTS)
    view = await borrowers(visit.request).view(authority, case_id, Asked(source, after, before))
    return visit.page(
        "borrower.html", view=view, source=source, after=after, before=before, least_reason=LEAST_REASON,
        most_reason=MOST_REASON, field=_picture(visit, view),
    )  # fmt: skip


@router.post("/{case_id}/number")
async def reveal(case_id: UUID, sent: Order) -> Response:
    """The number, shown once on the page that answers the form; the access log keeps who saw it and why."""
    visit, authority = sent.visit, sent.visit.authority(Permission.HANDLE_ALERTS)
    reason = sent.text("reason", MOST_REASON)
    number = await borrowers(visit.request).reveal(authority, case_id, reason)
    return visit.page("number.html", number=number, case_id=case_id, reason=reason)


def service_of(held: Services, database: Database) -> BorrowerService:
    """The service of a process that starts."""
    return BorrowerService(held.settings, held.pool, database, held.loans.plan_of, held.clock)


def borrowers(request: Request) -> BorrowerService:
    """The process's service of borrowers."""
    held: BorrowerService = request.app.state.borrowers
    return held


def _picture(visit: Visit, view: BorrowerView) -> str:
    """Records by source and month; nothing where no month has one."""
    language, shown = language_of(visit.request), view.timeline
    rows = [
        (getattr(one.title, language.value)[: MOST_TITLE * (1 if language == "zh" else 2)], one.counts)
        for one in shown.sources
        if any(one.counts)
    ]
    title = say(language, "borrower.records")
    return (
        picture(visit, Permission.HANDLE_ALERTS, drawing.sources, shown.months, rows, title) if rows else ""
    )
