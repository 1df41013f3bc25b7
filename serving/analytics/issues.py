"""What the monitoring of a model found, as issues with an owner and a day: opened once, closed by a person with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from features.calendar import DAY
from features.errors import Conflict, Invalid, NotFound
from serving.access.model import Authority
from serving.access.repository import new_id
from serving.store.audit import record
from serving.store.session import Connection
from serving.telling import NumberInText, holds_number
from training.monitoring import Finding, Limits, Monitored

_OPEN = """
INSERT INTO model_issue (tenant_id, issue_id, model, bundle, kind, month, about, figure, bound, todo, owner, opened_by,
                         opened_at, due_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
_LIST = """
SELECT issue_id, model, bundle, kind, month, about, figure, bound, todo, owner, opened_at, due_at, closed_at, reason
FROM model_issue WHERE %s OR closed_at IS NULL ORDER BY closed_at IS NOT NULL, due_at, model, month, kind, about LIMIT %s"""
_CLOSE = """
UPDATE model_issue SET closed_by = %s, closed_at = %s, reason = %s WHERE issue_id = %s AND closed_at IS NULL"""
_STATE = "SELECT closed_at FROM model_issue WHERE issue_id = %s"
MOST, MOST_REASON = 500, 1_000


@dataclass(frozen=True, slots=True)
class IssueRow:
    """One issue; instants in µs, ``closed_at`` and ``reason`` None while it is open."""

    issue_id: UUID
    model: str
    bundle: str
    kind: str
    month: str
    about: str
    figure: float
    bound: float
    todo: str
    owner: str
    opened_at: int
    due_at: int
    closed_at: int | None
    reason: str | None


class UnknownIssue(NotFound):
    """No issue of this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such issue.", remedy="See: yidai models issues")


class ClosedAlready(Conflict):
    """Somebody closed it before."""

    def __init__(self) -> None:
        super().__init__("it is closed.", remedy="See why: yidai models issues --all")


class NoReason(Invalid):
    """An issue that would be closed without saying why."""

    def __init__(self) -> None:
        super().__init__(
            f"a reason of 1 to {MOST_REASON} characters is needed.", place="reason",
            remedy="Say what was found and what will be done.",
        )  # fmt: skip


def open_issues(
    connection: Connection, authority: Authority, found: Monitored, limits: Limits, now: int
) -> int:
    """Open an issue for each finding that has none yet, also none that was closed; returns how many are new."""
    opened = 0
    for one in found.findings:
        opened += connection.execute(_OPEN, _values(authority, found, one, limits, now)).rowcount
    record(
        connection, authority.tenant, now, authority.actor.actor_id, "model.monitored", found.bundle,
        months=len(found.months), opened=opened,
    )  # fmt: skip
    return opened


def issues(connection: Connection, *, closed: bool = False, most: int = MOST) -> list[IssueRow]:
    """Open issues, the first due first; with ``closed`` the others after them."""
    return [IssueRow(*row) for row in connection.execute(_LIST, (closed, most)).fetchall()]


def close(connection: Connection, authority: Authority, issue_id: UUID, reason: str, now: int) -> None:
    """Close an issue.

    Raises:
        NoReason, NumberInText: of the reason.
        UnknownIssue, ClosedAlready: there is nothing to close.
    """
    reason = reason.strip()
    if not 1 <= len(reason) <= MOST_REASON:
        raise NoReason
    if holds_number(reason):
        raise NumberInText("reason")
    actor = authority.actor.actor_id
    if not connection.execute(_CLOSE, (actor, now, reason, issue_id)).rowcount:
        found = connection.execute(_STATE, (issue_id,)).fetchone()
        raise UnknownIssue if found is None else ClosedAlready
    record(connection, authority.tenant, now, actor, "model.issue_closed", str(issue_id), reason=reason)


def _values(
    authority: Authority, found: Monitored, one: Finding, limits: Limits, now: int
) -> tuple[object, ...]:
    return (
        authority.tenant, new_id(), found.model, found.bundle, one.kind.value, one.month, one.about, one.figure, one.limit,
        one.todo, limits.owner, authority.actor.actor_id, now, now + limits.due_days * DAY,
    )  # fmt: skip
