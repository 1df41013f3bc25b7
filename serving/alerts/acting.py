"""What an action makes of an alert: pure, so that one alert and two hundred take the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from features.calendar import DAY
from serving.alerts.handling import Playbooks
from serving.alerts.machine import AlertState
from serving.alerts.model import (
    AFTERWARDS,
    DISPOSES,
    HANDLES,
    Action,
    ActionKind,
    AlertChanged,
    AlertReleased,
    NothingProposed,
    NotQuiet,
    ProposalWaits,
    SameOfficer,
)
from serving.watch.signals import Level


@dataclass(frozen=True, slots=True)
class Locked:
    """An alert under its row's lock; ``proposed_by`` an actor's id."""

    alert_id: UUID
    case_id: UUID
    subject_id: int | None
    signal: str
    playbook: str
    level: Level
    state: AlertState
    due_at: int
    disposal_due: int | None
    handled_at: int | None
    late: int
    snoozed_until: int | None
    proposal: str | None
    proposed_by: UUID | None
    feedback: str | None
    feedback_level: str | None
    released_at: int | None
    version: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is written: columns that change, and the event's kind. ``lines`` says whether the borrower's lines change too."""

    kind: str
    changes: Mapping[str, Any]
    lines: bool = False


def step(alert: Locked, action: Action, actor: UUID, version: int | None, books: Playbooks, now: int) -> Step:
    """What an action of a person makes of an alert.

    Raises:
        AlertChanged: it is not as the person saw it.
        AlertReleased, NotQuiet, ProposalWaits, NothingProposed, SameOfficer: it is not to be had now.
    """
    if version is not None and version != alert.version:
        raise AlertChanged(alert.version)
    if alert.state is AlertState.RELEASED and action.kind not in AFTERWARDS:
        raise AlertReleased
    if action.kind is ActionKind.SEND_BACK:
        return _send_back(alert)
    if action.kind in {ActionKind.RELEASE, ActionKind.THAW}:
        return _two(alert, action, actor, now)
    return Step(action.kind.value, _one(alert, action, books, now), action.kind in _ON_LINES)


_ON_LINES = frozenset({ActionKind.LIMIT_CUT, ActionKind.FREEZE})
_NOTHING = {"proposal": None, "proposed_by": None}


def _one(alert: Locked, action: Action, books: Playbooks, now: int) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if action.kind in HANDLES:
        due = now + books.of(alert.playbook, alert.signal).within_days * DAY
        changes |= {"handled_at": now, "due_at": due, "late": 0}
    if action.kind in DISPOSES:
        changes["disposal_due"] = None
    elif action.kind in HANDLES and alert.disposal_due is not None:
        changes["due_at"] = min(changes["due_at"], alert.disposal_due)
    if action.kind is ActionKind.SNOOZE:
        changes["snoozed_until"] = action.until
    if action.kind is ActionKind.FEEDBACK and action.verdict is not None:
        changes |= {"feedback": action.verdict.value, "feedback_level": alert.level.value}
    return changes


def _two(alert: Locked, action: Action, actor: UUID, now: int) -> Step:
    """A release or a thaw: by a second person where the first alone may not."""
    kind = action.kind.value
    if alert.proposal not in {None, kind}:
        raise ProposalWaits(alert.proposal or "")
    if action.kind is ActionKind.RELEASE and alert.state is not AlertState.PENDING_RELEASE:
        raise NotQuiet
    alone = action.kind is ActionKind.RELEASE and alert.level is not Level.RED
    if alert.proposal is None and not alone:
        return Step(f"{kind}_proposed", {"proposal": kind, "proposed_by": str(actor)})
    if alert.proposed_by == actor:
        raise SameOfficer
    if action.kind is ActionKind.THAW:
        return Step("thaw", _NOTHING, lines=True)
    done = {"state": AlertState.RELEASED.value, "released_at": now, "snoozed_until": None}
    return Step("released", done | _NOTHING)


def _send_back(alert: Locked) -> Step:
    if alert.proposal is None:
        raise NothingProposed
    return Step("sent_back", _NOTHING)
