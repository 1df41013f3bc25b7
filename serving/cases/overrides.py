"""Override statistics: how often, in which direction and why people decide otherwise than the system."""

from __future__ import annotations

import msgspec

from serving.store.session import Connection

SCHEMA = 1
_CASES = """
SELECT count(*), count(*) FILTER (WHERE override <> ''), count(*) FILTER (WHERE system_outcome = 'refer')
FROM review_case WHERE state = 'decided' AND decided_at >= %s AND decided_at < %s"""
_DECISIONS = """
SELECT count(*) FROM decision d LEFT JOIN decision_link l USING (tenant_id, decision_id)
WHERE l.kind IS DISTINCT FROM 'person' AND d.decided_at >= %s AND d.decided_at < %s"""
_LINES = """
SELECT override, system_outcome, outcome, reason_code, coalesce(product, ''), count(*), coalesce(sum(amount_fen), 0)::bigint
FROM review_case WHERE state = 'decided' AND override <> '' AND decided_at >= %s AND decided_at < %s
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 4, 5"""


class OverrideLine(msgspec.Struct, frozen=True):
    """Overrides of one kind, reason and product; ``amount_fen`` is what was asked for, added up."""

    kind: str
    system: str
    person: str
    reason_code: str
    product: str
    count: int
    amount_fen: int


class OverrideStatistics(msgspec.Struct, frozen=True):
    """Over [since, until) µs: the system's decisions, the cases that people decided, of these the referred ones (where
    the system left it open) and the overrides.
    """

    schema: int
    since: int
    until: int
    decisions: int
    reviewed: int
    referred: int
    overrides: int
    lines: tuple[OverrideLine, ...]


def statistics(connection: Connection, since: int, until: int) -> OverrideStatistics:
    """The tenant's overrides of a time."""
    decisions = connection.execute(_DECISIONS, (since, until)).fetchall()[0][0]
    reviewed, overrides, referred = connection.execute(_CASES, (since, until)).fetchall()[0]
    rows = connection.execute(_LINES, (since, until)).fetchall()
    lines = tuple(OverrideLine(*row) for row in rows)
    return OverrideStatistics(SCHEMA, since, until, decisions, reviewed, referred, overrides, lines)
