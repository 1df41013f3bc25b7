"""/v1/alerts: the risk officer's inbox."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from features.calendar import NEVER, instant, iso
from features.errors import Invalid
from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.alerts.machine import AlertState
from serving.alerts.model import (
    MOST_AT_ONCE,
    MOST_REASON,
    Action,
    ActionKind,
    AlertRow,
    EventRow,
    FeedbackVerdict,
)
from serving.alerts.repository import Wanted
from serving.alerts.service import AlertView, Target
from serving.services import Services, services
from serving.watch.signals import Level

router = APIRouter(prefix="/v1", tags=["alerts"])
Officer = Annotated[Authority, Depends(asking(Permission.HANDLE_ALERTS))]
Held = Annotated[Services, Depends(services)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Key = Annotated[str | None, Header(max_length=128)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
JSON = "application/json"
ME = "me"
NOBODY = "none"
_TIMES = (
    "disposal_due", "evidence_at", "expects_by", "raised_at", "updated_at", "due_at", "handled_at", "snoozed_until",
    "released_at",
)  # fmt: skip


class Body(BaseModel):
    """Bodies refuse what they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ActionBody(Body):
    """What is done and why; `result` says what came of it. Each kind takes its own part: `limit_fen` of limit_cut, `until` of
    snooze, `assignee` of assign, `verdict` of feedback.
    """

    kind: ActionKind
    reason: Annotated[str, StringConstraints(min_length=1, max_length=MOST_REASON)]
    result: Annotated[str, StringConstraints(max_length=MOST_REASON)] = ""
    limit_fen: Annotated[int, Field(ge=1, le=100_000_000_000, strict=True)] | None = None
    until: Annotated[str, StringConstraints(max_length=40)] | None = None
    assignee: Name | None = None
    verdict: FeedbackVerdict | None = None

    @property
    def action(self) -> Action:
        """As the service is asked."""
        until = None if self.until is None else instant(self.until)
        return Action(self.kind, self.reason, self.result, self.limit_fen, until, self.assignee, self.verdict)


class OneBody(ActionBody):
    """`version` as the answer that was read tells it: the second of two officers is told that it has changed."""

    version: Version


class AlertTarget(Body):
    """An alert as it was read."""

    alert_id: UUID
    version: Version


class ManyBody(Body):
    """The same action on several alerts."""

    alerts: Annotated[list[AlertTarget], Field(min_length=1, max_length=MOST_AT_ONCE)]
    action: ActionBody


class WrongPlace(Invalid):
    """An ``after`` that no answer gave."""

    def __init__(self) -> None:
        super().__init__(
            "this is no place in the inbox.", place="after", remedy="Send the `next` of an answer."
        )


class Filters(Body):
    """Which alerts. `assignee` is a name, `me`, or `none` for those that nobody has taken."""

    level: list[Level] = []
    state: list[AlertState] = []
    assignee: Annotated[str, StringConstraints(max_length=64)] = ""
    village: Annotated[str, StringConstraints(max_length=64)] = ""
    loan: Annotated[str, StringConstraints(max_length=64)] = ""
    signal: Annotated[str, StringConstraints(max_length=64)] = ""
    alert_case: UUID | None = None
    raised_before: Annotated[str, StringConstraints(max_length=40)] = ""
    due_before: Annotated[str, StringConstraints(max_length=40)] = ""
    overdue: bool = False
    snoozed: bool = False
    after: Annotated[str, StringConstraints(max_length=64)] = ""
    most: Annotated[int, Field(ge=1, le=200)] = 50

    def wanted(self, me: str) -> Wanted:
        """As the service is asked by an officer of this name."""
        named = {"": None, ME: me, NOBODY: ""}.get(self.assignee, self.assignee)
        raised = instant(self.raised_before) if self.raised_before else None
        due = instant(self.due_before) if self.due_before else None
        return Wanted(
            tuple(self.level), tuple(self.state), named, self.village or None, self.loan or None, self.signal or None,
            self.alert_case, raised, due, self.overdue, self.snoozed, place_of(self.after) if self.after else None,
            self.most,
        )  # fmt: skip


@router.get("/alerts", summary="The inbox of alerts")
async def alerts(asked: Annotated[Filters, Query()], authority: Officer, held: Held) -> Response:
    """The first due first; what is put aside is left out. `next`, where there is one, is the `after` of the next page."""
    found = await held.alerts.some(authority, asked.wanted(authority.actor.name))
    last = f"{found[-1].due_at}.{found[-1].alert_id}" if len(found) == asked.most else None
    return _json({"alerts": [told(alert) for alert in found], "next": last})


@router.get("/alerts/precision", summary="What alerts were worth")
async def precision(authority: Officer, held: Held) -> Response:
    """By signal and level, from people's feedback, with an interval of 95 %."""
    return _json(await held.alerts.precision(authority))


@router.get("/alerts/{alert_id}", summary="One alert's whole story")
async def alert(alert_id: UUID, authority: Officer, held: Held) -> Response:
    """Evidence, events, points, what to do and say, and the borrower's other alerts; the read is logged."""
    return _json(told_view(await held.alerts.view(authority, alert_id)))


@router.post("/alerts:bulk", summary="One action on many alerts")
async def bulk(body: ManyBody, authority: Officer, held: Held, idempotency_key: Key = None) -> Response:
    """Who is refused is told why, and the others are done. A key does it once."""
    targets = [Target(each.alert_id, each.version) for each in body.alerts]
    return _json(await held.alerts.act_on_many(authority, targets, body.action.action, idempotency_key))


@router.post("/alerts/{alert_id}/actions", summary="Do something about an alert")
async def act(
    alert_id: UUID, body: OneBody, authority: Officer, held: Held, idempotency_key: Key = None
) -> Response:
    """Call, visit, collect, cut or freeze the line, assign, snooze, release, give feedback. A key does it once."""
    return _json(told(await held.alerts.act(authority, alert_id, body.action, body.version, idempotency_key)))


def told(row: AlertRow) -> dict[str, Any]:
    """An alert as it is answered: instants as texts."""
    values: dict[str, Any] = msgspec.to_builtins(row)
    for name in _TIMES:
        values[name] = None if values[name] is None else iso(values[name])
    return values


def told_view(view: AlertView) -> dict[str, Any]:
    """An alert's story as it is answered."""
    return {
        "alert": told(view.alert), "events": [_event(each) for each in view.events],
        "points": [
            {"point": iso(point), "gravest": _level(gravest), "at_the_end": _level(last) if day >= 0 else None,
             "told": day >= 0}
            for point, gravest, day, last in view.points
        ],
        "playbook": msgspec.to_builtins(view.playbook), "others": [told(each) for each in view.others],
    }  # fmt: skip


def place_of(text: str) -> tuple[int, UUID]:
    """The place in the inbox that an answer gave.

    Raises:
        WrongPlace: none did.
    """
    due, _, name = text.partition(".")
    try:
        place = int(due), UUID(name)
    except ValueError:
        raise WrongPlace from None
    if not 0 <= place[0] < NEVER:
        raise WrongPlace
    return place


def _event(row: EventRow) -> dict[str, Any]:
    return {**msgspec.to_builtins(row), "at": iso(row.at)}


def _level(rank: int) -> str | None:
    return list(Level)[rank - 1].value if rank else None


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
