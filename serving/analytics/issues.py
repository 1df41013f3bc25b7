"""What the monitoring of a model found, as issues with an owner and a day; closed by a person with a reason."""

from __future__ import annotations

from typing import Any

import msgspec

from features.calendar import iso
from features.errors import Conflict, Invalid, NotFound
from serving.process.telling import NumberInText, holds_number

MOST, MOST_REASON = 500, 1_000


class IssueView(msgspec.Struct, frozen=True):
    """One issue; ``closed_at``, ``closed_by`` and ``reason`` are empty while it is open. ``overdue``: open past its day."""

    issue_id: str
    model: str
    bundle: str
    kind: str
    month: str
    about: str
    figure: float
    limit: float
    todo: str
    owner: str
    opened_at: str
    due_at: str
    overdue: bool
    closed_at: str | None
    closed_by: str | None
    reason: str | None


class IssuePage(msgspec.Struct, frozen=True):
    """Open issues, the first due first; closed ones after them where they were asked for."""

    issues: list[IssueView]


class UnknownIssue(NotFound):
    """No issue of this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such issue.", place="issue_id", remedy="See: yidai models issues")


class ClosedAlready(Conflict):
    """Somebody closed it before."""

    def __init__(self) -> None:
        super().__init__("it is closed.", place="issue_id", remedy="See why: yidai models issues --all")


class NoReason(Invalid):
    """An issue that would be closed without saying why."""

    def __init__(self) -> None:
        super().__init__(
            f"a reason of 1 to {MOST_REASON} characters is needed.", place="reason",
            remedy="Say what was found and what will be done.",
        )  # fmt: skip


def checked_reason(text: str) -> str:
    """A reason without the space around it.

    Raises:
        NoReason, NumberInText: it says nothing, too much, or who somebody is.
    """
    reason = text.strip()
    if not 1 <= len(reason) <= MOST_REASON:
        raise NoReason
    if holds_number(reason):
        raise NumberInText("reason")
    return reason


def issue_view(row: Any, now: int) -> IssueView:
    """A stored row as people see it."""
    values = dict(row)
    values["overdue"] = values["closed_at"] is None and values["due_at"] < now
    for name in ("opened_at", "due_at", "closed_at"):
        values[name] = None if values[name] is None else iso(values[name])
    return msgspec.convert({**values, "issue_id": str(values["issue_id"])}, IssueView)
