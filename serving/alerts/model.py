"""An alert as people see it, what they may do about it, and why something is refused."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

import msgspec

from features.errors import Conflict, Forbidden, Invalid, NotFound
from serving.alerts.machine import AlertState, Coverage
from serving.process.telling import NumberInText, holds_number
from serving.watch.signals import Level

MOST_REASON = 500
MOST_AT_ONCE = 200
MOST_SNOOZE_DAYS = 90


class ActionKind(StrEnum):
    """What a person does about an alert."""

    NOTE = "note"
    CALL = "call"
    VISIT = "visit"
    COLLECT = "collect"
    LIMIT_CUT = "limit_cut"
    """Lower the borrower's lines to ``limit_fen``, at least to what is drawn."""
    FREEZE = "freeze"
    """Nothing more is drawn of the borrower's lines until two people thaw them."""
    THAW = "thaw"
    ASSIGN = "assign"
    """Give the borrower, with all alerts, to ``assignee``."""
    SNOOZE = "snooze"
    """Out of the inbox ``until`` then, or until the level rises."""
    RELEASE = "release"
    """Confirm that it is over; of a red one two people do."""
    SEND_BACK = "send_back"
    """Do not agree with what another person proposed."""
    FEEDBACK = "feedback"
    """What it was worth: ``verdict``."""


HANDLES = frozenset(
    {ActionKind.CALL, ActionKind.VISIT, ActionKind.COLLECT, ActionKind.LIMIT_CUT, ActionKind.FREEZE}
)
"""After these an alert is due again when its playbook expects a result."""
DISPOSES = frozenset({ActionKind.COLLECT, ActionKind.LIMIT_CUT, ActionKind.FREEZE})
"""What a disposal that three points demand may be."""
AFTERWARDS = frozenset({ActionKind.NOTE, ActionKind.THAW, ActionKind.SEND_BACK, ActionKind.FEEDBACK})
"""What may be done about an alert that was released."""
SINGLY = frozenset({ActionKind.LIMIT_CUT, ActionKind.FREEZE, ActionKind.THAW})
"""What is done about one borrower at a time."""


class FeedbackVerdict(StrEnum):
    """What became of a warning."""

    TRUE_WARNING = "true_warning"
    FALSE_ALARM = "false_alarm"
    UNCLEAR = "unclear"


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One action with its reason, and what its kind needs; ``until`` in µs, ``result`` what came of it."""

    kind: ActionKind
    reason: str
    result: str = ""
    limit_fen: int | None = None
    until: int | None = None
    assignee: str | None = None
    verdict: FeedbackVerdict | None = None


class AlertRow(msgspec.Struct, frozen=True):
    """An alert as it is listed; instants in µs, people by name.

    ``points`` counts points in a row with the signal, ``quiet`` those without it since. ``late`` is 0 within its time, 1 once
    it is overdue, 2 a week later.
    """

    alert_id: UUID
    case_id: UUID
    scope: str
    loan: str
    signal: str
    level: Level
    state: AlertState
    coverage: Coverage
    points: int
    quiet: int
    disposal_due: int | None
    evidence: dict[str, str]
    evidence_at: int
    dpd: int
    overdue_fen: int
    playbook: str
    expects_by: int
    village: str | None
    product: str | None
    cause_id: UUID | None
    owner: str
    assignee: str | None
    raised_at: int
    updated_at: int
    due_at: int
    handled_at: int | None
    late: int
    snoozed_until: int | None
    proposal: str | None
    proposed_by: str | None
    feedback: str | None
    released_at: int | None
    version: int


class EventRow(msgspec.Struct, frozen=True):
    """What happened to an alert: when (µs), by whom (nobody: by itself), why."""

    event: int
    at: int
    who: str | None
    kind: str
    reason: str
    from_level: str | None
    to_level: str | None
    from_state: str | None
    to_state: str | None
    detail: dict[str, object]
    signals_digest: str


class UnknownAlert(NotFound):
    """No alert of this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such alert.", place="alert_id", remedy="See GET /v1/alerts.")


class UnknownHandler(NotFound):
    """Nobody of this name handles alerts."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"nobody of the name {name[:64]!r} handles alerts.", place="assignee", remedy="Name a risk officer."
        )  # fmt: skip


class AlertChanged(Conflict):
    """Somebody else, or a run of the watch, changed it after it was read."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the alert has changed since you read it: it is at version {version}.", place="version",
            remedy="Read it again with GET /v1/alerts/{id} and send the `version` of that answer.",
        )  # fmt: skip


class AlertReleased(Conflict):
    """It is over."""

    def __init__(self) -> None:
        super().__init__(
            "this alert was released.", place="alert_id",
            remedy="Its signal raises a new one where it comes again; notes and feedback are taken still.",
        )  # fmt: skip


class NotQuiet(Conflict):
    """Its signal was there at one of the last two points."""

    def __init__(self) -> None:
        super().__init__(
            "its signal is not gone: an alert is released after two points without it.", place="kind",
            remedy="Snooze it with a reason, or say by `feedback` that it is a false alarm.",
        )  # fmt: skip


class SameOfficer(Forbidden):
    """The second of four eyes are the first."""

    def __init__(self) -> None:
        super().__init__(
            "who proposed this may not be its second person.", place="kind", remedy="Ask another risk officer."
        )  # fmt: skip


class ProposalWaits(Conflict):
    """Something else waits for a second person."""

    def __init__(self, proposal: str) -> None:
        super().__init__(
            f"a {proposal} waits for a second person.", place="kind",
            remedy=f"Another officer agrees with `{proposal}`, or sends it back with `send_back`.",
        )  # fmt: skip


class NothingProposed(Conflict):
    """There is nothing to send back."""

    def __init__(self) -> None:
        super().__init__("nothing waits for a second person.", place="kind", remedy="Read the alert again.")


class NoLine(Conflict):
    """The borrower has no line on which this would act."""

    def __init__(self, kind: ActionKind) -> None:
        what = "line that this alert has frozen" if kind is ActionKind.THAW else "line"
        super().__init__(
            f"this borrower has no {what}.", place="kind", remedy="Take another action, such as collect or visit."
        )  # fmt: skip


class WrongAction(Invalid):
    """An action without what its kind needs, or with more."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=place, remedy=remedy)


_NEEDS = {
    ActionKind.LIMIT_CUT: "limit_fen", ActionKind.SNOOZE: "until", ActionKind.ASSIGN: "assignee",
    ActionKind.FEEDBACK: "verdict",
}  # fmt: skip


def check_action(action: Action, now: int) -> Action:
    """The same, where it holds what its kind needs and nothing else.

    Raises:
        WrongAction, NumberInText: with the place.
    """
    needed = _NEEDS.get(action.kind)
    for name in sorted(_NEEDS.values()):
        given = getattr(action, name) is not None
        if given != (name == needed):
            problem = f"{action.kind.value} {'takes no' if given else 'needs'} {name}."
            raise WrongAction(name, problem, "Leave it out." if given else f"Send {name}.")
    if not action.reason.strip() or len(action.reason) > MOST_REASON or len(action.result) > MOST_REASON:
        raise WrongAction(
            "reason", f"an action has a reason of 1 to {MOST_REASON} characters.", "Say why in a sentence."
        )
    for place in ("reason", "result"):
        if holds_number(getattr(action, place)):
            raise NumberInText(place)
    most = now + MOST_SNOOZE_DAYS * 86_400_000_000
    if action.until is not None and not now < action.until <= most:
        raise WrongAction(
            "until", f"a snooze ends within {MOST_SNOOZE_DAYS} days, and later than now.", "Send such a moment."
        )  # fmt: skip
    return action
