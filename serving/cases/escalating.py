"""What waits beyond its day is raised, once to each level: overdue cases and disputes."""

from __future__ import annotations

from dataclasses import dataclass

from serving.store.audit import record
from serving.store.session import Connection

WEEK = 7 * 86_400_000_000
"""µs after the due day at which what is late goes to the second level."""
_RAISE = """
WITH late AS (
    SELECT {key} AS about, due_at, CASE WHEN due_at <= %(week)s THEN 2 ELSE 1 END AS to_level
    FROM {table} WHERE {waits} AND due_at < %(now)s ORDER BY {key} FOR UPDATE SKIP LOCKED
), raised AS (
    UPDATE {table} t SET level = late.to_level FROM late
    WHERE t.{key} = late.about AND t.level < late.to_level
    RETURNING t.tenant_id, late.about, late.to_level, late.due_at
)
INSERT INTO escalation (tenant_id, kind, about, level, due_at, raised_at)
SELECT tenant_id, %(kind)s, about, to_level, due_at, %(now)s FROM raised"""
_KINDS = (
    ("case", _RAISE.format(table="review_case", key="case_id", waits="state <> 'decided'")),
    ("dispute", _RAISE.format(table="dispute", key="dispute_id", waits="verdict IS NULL")),
)


@dataclass(frozen=True, slots=True)
class Raised:
    """How many went to a higher level."""

    cases: int
    disputes: int


def escalate(connection: Connection, tenant: str, now: int) -> Raised:
    """Raise what is overdue at a moment (µs), in the caller's transaction; again at once raises nothing."""
    values = {"week": now - WEEK, "now": now}
    found = [connection.execute(sql, {**values, "kind": kind}).rowcount for kind, sql in _KINDS]
    raised = Raised(*found)
    if any(found):
        record(
            connection,
            tenant,
            now,
            None,
            "overdue.raised",
            tenant,
            cases=raised.cases,
            disputes=raised.disputes,
        )
    return raised
