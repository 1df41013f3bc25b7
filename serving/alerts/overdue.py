"""What nobody handled in time goes to the supervisor, once to each level."""

from __future__ import annotations

from serving.cases.escalating import WEEK
from serving.registry.documents import in_force
from serving.registry.model import Kind
from serving.store.audit import record
from serving.store.session import Connection

_RAISE = """
WITH due AS (
    SELECT tenant_id, alert_id, due_at, CASE WHEN due_at <= %(week)s THEN 2 ELSE 1 END AS to_late
    FROM alert
    WHERE state <> 'released' AND due_at < %(now)s AND late < 2 AND (snoozed_until IS NULL OR snoozed_until <= %(now)s)
    ORDER BY alert_id FOR UPDATE SKIP LOCKED
), raised AS (
    UPDATE alert a SET late = d.to_late, updated_at = %(now)s
    FROM due d WHERE a.tenant_id = d.tenant_id AND a.alert_id = d.alert_id AND a.late < d.to_late
    RETURNING a.tenant_id, a.alert_id, a.level, a.state, a.late, d.due_at
)
INSERT INTO alert_event (tenant_id, alert_id, at, kind, from_level, to_level, from_state, to_state, detail)
SELECT tenant_id, alert_id, %(now)s, 'overdue', level, level, state, state,
       jsonb_build_object('late', late, 'due_at', due_at, 'to', %(to)s::text)
FROM raised"""


def raise_overdue(connection: Connection, tenant: str, now: int) -> int:
    """Raise the overdue alerts of the tenant at a moment (µs), in the caller's transaction; again at once raises nothing."""
    supervisor = in_force(connection, Kind.HANDLING, now).supervisor
    found = connection.execute(_RAISE, {"week": now - WEEK, "now": now, "to": supervisor}).rowcount
    if found:
        record(connection, tenant, now, None, "overdue.raised", tenant, alerts=found)
    return found
