"""The risk officer's inbox: alerts by level and due time, filtered, and one action on many at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from features.calendar import instant
from serving.access.model import Permission
from serving.alerts.api import Filters
from serving.alerts.machine import AlertState
from serving.alerts.model import SINGLY, Action, ActionKind, AlertRow, FeedbackVerdict
from serving.alerts.repository import Wanted
from serving.alerts.service import Target
from serving.console.asking import Sent, Visit, WrongField, opening, sending
from serving.console.forms import amount, choice
from serving.console.live import Inboxes
from serving.console.pages import ROOT
from serving.watch.signals import Level

router = APIRouter(prefix=ROOT)
Officer = Annotated[Visit, Depends(opening(Permission.HANDLE_ALERTS))]
GRAVEST_FIRST = (Level.RED, Level.ORANGE, Level.YELLOW)
A_PAGE, A_GROUP = 50, 15
_BULK = tuple(kind for kind in ActionKind if kind not in SINGLY)


@router.get("/inbox")
async def inbox(asked: Annotated[Filters, Query()], visit: Officer) -> Response:
    """Without a level the first due of each level; with one, or with filters, one list page by page."""
    authority = visit.authority(Permission.HANDLE_ALERTS)
    held, wanted = visit.services.alerts, replace(asked.wanted(authority.actor.name), most=A_PAGE)
    counts = await inboxes(visit.request).counts(visit.services.pool, authority.tenant)
    groups: list[tuple[Level | None, list[AlertRow]]]
    if _grouped(asked):
        groups = [(level, await held.some(authority, _first_of(wanted, level))) for level in GRAVEST_FIRST]
    else:
        groups = [(None, await held.some(authority, wanted))]
    shown = groups[0][1]
    after = (
        f"{shown[-1].due_at}.{shown[-1].alert_id}" if groups[0][0] is None and len(shown) == A_PAGE else ""
    )
    return visit.page(
        "inbox.html", groups=groups, counts=counts, asked=asked, after=after, kinds=_BULK, states=tuple(AlertState),
        verdicts=tuple(FeedbackVerdict), levels=GRAVEST_FIRST, a_group=A_GROUP, address=_address(asked),
        filtered=not _grouped(asked),
    )  # fmt: skip


@router.post("/inbox")
async def act_on_many(sent: Annotated[Sent, Depends(sending(Permission.HANDLE_ALERTS))]) -> Response:
    """Do the same about every marked alert; who is refused is told why, and the others are done."""
    targets = [target_of(text) for text in sent.texts("alert")]
    if not targets:
        raise WrongField("alert", "no alert is marked.")
    held, authority = sent.visit.services.alerts, sent.visit.authority(Permission.HANDLE_ALERTS)
    done = await held.act_on_many(authority, targets, action_of(sent), sent.key)
    refused = [each for each in done if each.refused is not None]
    return sent.visit.page("inbox_done.html", done=len(done) - len(refused), refused=refused)


@router.get("/inbox/events")
async def events(request: Request, visit: Officer, since: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Server-sent events: how many alerts are new since the page was made. Enhancement only."""
    stream = inboxes(request).news(visit.services.pool, visit.session.actor.tenant, since)
    return StreamingResponse(stream, media_type="text/event-stream")


def inboxes(request: Request) -> Inboxes:
    """The process's counts of alerts."""
    held: Inboxes = request.app.state.inboxes
    return held


def action_of(sent: Sent) -> Action:
    """The action of a form; what a kind needs is checked where it is done.

    Raises:
        WrongField: a field that is missing or cannot be read.
    """
    until, limit, verdict = (sent.text(name, 40, needed=False) for name in ("until", "limit_yuan", "verdict"))
    return Action(
        choice(ActionKind, sent.text("kind", 40), "kind"), sent.text("reason", 500),
        sent.text("result", 500, needed=False), amount(sent, "limit_yuan") if limit else None, instant(until) if until else None,
        sent.text("assignee", 64, needed=False) or None,
        choice(FeedbackVerdict, verdict, "verdict") if verdict else None,
    )  # fmt: skip


def target_of(text: str) -> Target:
    """An alert and the version that was shown, as the form says them.

    Raises:
        WrongField: it is no such text.
    """
    name, _, version = text.partition(":")
    try:
        return Target(UUID(name), int(version))
    except ValueError:
        raise WrongField("alert", "this is no alert.") from None


def _first_of(wanted: Wanted, level: Level) -> Wanted:
    return replace(wanted, levels=(level,), most=A_GROUP)


def _grouped(asked: Filters) -> bool:
    return asked == Filters(snoozed=asked.snoozed)


def _address(asked: Filters) -> str:
    """The filters as they stand in the page's address, without the place in the list."""
    values: dict[str, Any] = asked.model_dump(exclude_defaults=True, exclude={"after", "most"}, mode="json")
    return urlencode(values, doseq=True)
