"""Issues of what the monitoring of a model found: each is opened once."""

from __future__ import annotations

from features.calendar import DAY
from serving.access.model import Authority
from serving.access.repository import new_id
from serving.store.audit import record
from serving.store.session import Connection
from training.limits import Limits
from training.monitoring import Finding, Monitored

_OPEN = """
INSERT INTO model_issue (tenant_id, issue_id, model, bundle, kind, month, about, figure, bound, todo, owner, opened_by,
                         opened_at, due_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""


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


def _values(
    authority: Authority, found: Monitored, one: Finding, limits: Limits, now: int
) -> tuple[object, ...]:
    return (
        authority.tenant, new_id(), found.model, found.bundle, one.kind.value, one.month, one.about, one.figure, one.limit,
        one.todo, limits.owner, authority.actor.actor_id, now, now + limits.due_days * DAY,
    )  # fmt: skip
