"""One alert: its evidence in a sentence, what to do and say, what happened, and the actions."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from serving.access.model import Permission
from serving.alerts.machine import AlertState
from serving.alerts.model import AFTERWARDS, ActionKind, FeedbackVerdict
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.inbox import action_of
from serving.console.pages import ROOT

router = APIRouter(prefix=f"{ROOT}/alerts")
Officer = Annotated[Visit, Depends(opening(Permission.HANDLE_ALERTS))]


@router.get("/{alert_id}")
async def alert(alert_id: UUID, visit: Officer) -> Response:
    """The whole story; the read is logged."""
    view = await visit.services.alerts.view(visit.authority(Permission.HANDLE_ALERTS), alert_id)
    released = view.alert.state is AlertState.RELEASED
    kinds = [kind for kind in ActionKind if not released or kind in AFTERWARDS]
    return visit.page("alert.html", view=view, alert=view.alert, kinds=kinds, verdicts=tuple(FeedbackVerdict))


@router.post("/{alert_id}")
async def act(alert_id: UUID, sent: Annotated[Sent, Depends(sending(Permission.HANDLE_ALERTS))]) -> Response:
    """Do something about it; the second of two officers is told that the first has changed it."""
    version = sent.text("version", 12)
    if not version.isdecimal():
        raise WrongField("version", "open the alert again.")
    authority = sent.visit.authority(Permission.HANDLE_ALERTS)
    await sent.visit.services.alerts.act(authority, alert_id, action_of(sent), int(version), sent.key)
    return go(f"{ROOT}/alerts/{alert_id}")
