"""Override statistics: how often, in which direction and why people decide otherwise than the system."""

from __future__ import annotations

from serving.store.session import Connection
from training.overrides import SCHEMA, OverrideLine, OverrideStatistics

_CASES = """
SELECT count(*), count(*) FILTER (WHERE override <> ''), count(*) FILTER (WHERE system_outcome = 'refer')
FROM review_case WHERE state = 'decided' AND decided_at >= %s AND decided_at < %s"""
_DECISIONS = """
SELECT count(*) FROM decision d LEFT JOIN decision_link l USING (tenant_id, decision_id)
WHERE (l.kind IS NULL OR l.kind = 'again') AND d.decided_at >= %s AND d.decided_at < %s"""
_LINES = """
SELECT override, system_outcome, outcome, reason_code, coalesce(product, ''), count(*), coalesce(sum(amount_fen), 0)::bigint
FROM review_case WHERE state = 'decided' AND override <> '' AND decided_at >= %s AND decided_at < %s
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 4, 5"""


def statistics(connection: Connection, since: int, until: int) -> OverrideStatistics:
    """The tenant's overrides of a time."""
    decisions = connection.execute(_DECISIONS, (since, until)).fetchall()[0][0]
    reviewed, overrides, referred = connection.execute(_CASES, (since, until)).fetchall()[0]
    rows = connection.execute(_LINES, (since, until)).fetchall()
    lines = tuple(OverrideLine(*row) for row in rows)
    return OverrideStatistics(SCHEMA, since, until, decisions, reviewed, referred, overrides, lines)
