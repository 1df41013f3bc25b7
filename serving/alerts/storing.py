"""Statements by which runs of the watch write alerts: one each, however many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from serving.access.repository import new_id
from serving.alerts.machine import Point
from serving.store.session import Connection

_COLUMNS = {
    "alert_id": "uuid", "case_id": "uuid", "scope": "text", "loan": "text", "subject_id": "bigint", "signal": "text",
    "level": "text", "state": "text", "coverage": "text", "points": "integer", "quiet": "integer", "band": "integer",
    "after_at": "bigint", "seen_at": "bigint", "evidence": "jsonb", "evidence_at": "bigint", "signals_digest": "text",
    "dpd": "integer", "overdue_fen": "bigint", "playbook": "text", "expects_by": "bigint", "village": "text",
    "product": "text", "cause_id": "uuid", "owner": "text", "assignee": "uuid", "raised_at": "bigint",
    "updated_at": "bigint", "due_at": "bigint",
}  # fmt: skip
_UPDATED = {
    "level": "text", "state": "text", "coverage": "text", "points": "integer", "quiet": "integer", "band": "integer",
    "disposal_due": "bigint", "seen_at": "bigint", "evidence": "jsonb", "evidence_at": "bigint",
    "signals_digest": "text", "dpd": "integer", "overdue_fen": "bigint", "updated_at": "bigint", "due_at": "bigint",
    "handled_at": "bigint", "late": "integer", "snoozed_until": "bigint", "proposal": "text", "proposed_by": "uuid",
    "version": "integer",
}  # fmt: skip
_READ = ("alert_id", "loan", "signal", "after_at", *_UPDATED)


def _typed(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


_LOCK_BOOK = "SELECT pg_advisory_xact_lock(hashtextextended('alerts ' || %s, 0))"
_LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(hashtextextended('alerts ' || %s, 0))"
_LOCK_LOAN = """
SELECT pg_advisory_xact_lock(hashtextextended('alerts ' || %s || ' ' || l, 0)) FROM unnest(%s::text[]) AS u (l)"""
_OPEN = f"""
SELECT {", ".join(_READ)} FROM alert
WHERE state <> 'released' AND scope = %s AND (%s::text[] IS NULL OR loan = ANY (%s))
ORDER BY alert_id FOR UPDATE"""  # noqa: S608 - our own columns
_POINTS = """
SELECT alert_id, point, gravest, band, last_day, last_rank FROM alert_point WHERE alert_id = ANY (%s)"""
_RELEASED = """
SELECT a.loan, a.signal, max(a.seen_at) FROM alert a
JOIN unnest(%s::text[], %s::text[]) AS u (loan, signal) USING (loan, signal)
WHERE a.state = 'released' AND a.scope = %s GROUP BY a.loan, a.signal"""
_NEW_CASES = """
INSERT INTO alert_case (tenant_id, case_id, about, opened_at) SELECT %s, u.id, u.about, %s
FROM unnest(%s::uuid[], %s::text[]) AS u (id, about) ON CONFLICT (tenant_id, about) WHERE closed_at IS NULL DO NOTHING"""
_CASES = (
    "SELECT about, case_id, assignee FROM alert_case WHERE closed_at IS NULL AND about = ANY (%s) FOR UPDATE"
)
_INSERT = f"""
INSERT INTO alert (tenant_id, {", ".join(_COLUMNS)})
SELECT %s, {", ".join(_COLUMNS)} FROM jsonb_to_recordset(%s) AS u ({_typed(_COLUMNS)})"""  # noqa: S608
_UPDATE = f"""
UPDATE alert a SET {", ".join(f"{name} = u.{name}" for name in _UPDATED)}
FROM jsonb_to_recordset(%s) AS u (alert_id uuid, {_typed(_UPDATED)})
WHERE a.tenant_id = %s AND a.alert_id = u.alert_id"""  # noqa: S608
_UPSERT_POINTS = """
INSERT INTO alert_point (tenant_id, alert_id, point, gravest, band, last_day, last_rank)
SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::smallint[], %s::smallint[], %s::integer[], %s::smallint[])
ON CONFLICT (tenant_id, alert_id, point) DO UPDATE
SET gravest = excluded.gravest, band = excluded.band, last_day = excluded.last_day, last_rank = excluded.last_rank"""
_EVENT = {
    "alert_id": "uuid", "at": "bigint", "kind": "text", "signals_digest": "text", "from_level": "text",
    "to_level": "text", "from_state": "text", "to_state": "text", "detail": "jsonb",
}  # fmt: skip
_EVENTS = f"""
INSERT INTO alert_event (tenant_id, {", ".join(_EVENT)})
SELECT %s, {", ".join(_EVENT)} FROM jsonb_to_recordset(%s) AS u ({_typed(_EVENT)})"""  # noqa: S608


class Scope(StrEnum):
    """What an alert is about."""

    LOAN = "loan"
    VILLAGE = "village"


@dataclass(frozen=True, slots=True)
class Kept:
    """An open alert as it is stored, under its row's lock, with its points."""

    alert_id: UUID
    loan: str
    signal: str
    after_at: int
    level: str
    state: str
    coverage: str
    points_in_row: int
    quiet: int
    band: int
    disposal_due: int | None
    seen_at: int
    evidence: Mapping[str, str]
    evidence_at: int
    signals_digest: str
    dpd: int
    overdue_fen: int
    updated_at: int
    due_at: int
    handled_at: int | None
    late: int
    snoozed_until: int | None
    proposal: str | None
    proposed_by: UUID | None
    version: int
    points: dict[int, Point]

    @property
    def key(self) -> tuple[str, str]:
        """What it is of."""
        return self.loan, self.signal

    def column(self, name: str) -> Any:
        """The stored value of a column."""
        value = self.points_in_row if name == "points" else getattr(self, name)
        return str(value) if isinstance(value, UUID) else value


@dataclass(slots=True)
class Writes:
    """What a run writes, gathered."""

    alerts: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    points: list[tuple[UUID, Point]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def update(self, alert: Kept, changes: Mapping[str, Any]) -> None:
        """Change these columns of an alert; a change of what people act upon is a new version."""
        row = {name: alert.column(name) for name in _UPDATED} | dict(changes)
        if changes.keys() & {"level", "state", "disposal_due"}:
            row["version"] = alert.version + 1
        if changes.keys() - {"seen_at"}:
            row["updated_at"] = max(row["seen_at"], alert.updated_at)
        self.updates.append({"alert_id": str(alert.alert_id), **row})

    def event(
        self, alert_id: UUID, at: int, kind: str, digest: str, from_level: str | None, to_level: str | None,
        from_state: str | None, to_state: str | None, detail: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """What happened to an alert by itself."""
        values = (
            str(alert_id),
            at,
            kind,
            digest,
            from_level,
            to_level,
            from_state,
            to_state,
            dict(detail),
        )
        self.events.append(dict(zip(_EVENT, values, strict=True)))

    def write(self, connection: Connection, tenant: str) -> None:
        """All of it."""
        if self.alerts:
            connection.execute(_INSERT, (tenant, Jsonb([_plain(row) for row in self.alerts])))
        if self.points:
            ids = [alert_id for alert_id, _ in self.points]
            rows = [(p.point, p.gravest, p.band, p.last_day, p.last_rank) for _, p in self.points]
            connection.execute(_UPSERT_POINTS, (tenant, ids, *map(list, zip(*rows, strict=True))))
        if self.updates:
            connection.execute(_UPDATE, (Jsonb(self.updates), tenant))
        if self.events:
            connection.execute(_EVENTS, (tenant, Jsonb(self.events)))


def lock(connection: Connection, tenant: str, loans: Sequence[str] | None) -> None:
    """Nobody else records of these loans, or of any, until the transaction ends."""
    if loans is None:
        connection.execute(_LOCK_BOOK, (tenant,))
        return
    connection.execute(_LOCK_SHARED, (tenant,))
    connection.execute(_LOCK_LOAN, (tenant, sorted(set(loans))))


def open_alerts(connection: Connection, scope: Scope, loans: Sequence[str] | None) -> list[Kept]:
    """Those that no person has released, of some loans or of all."""
    wanted = None if loans is None else list(loans)
    rows = connection.execute(_OPEN, (scope.value, wanted, wanted)).fetchall()
    points: dict[UUID, dict[int, Point]] = {row[0]: {} for row in rows}
    for alert_id, *values in connection.execute(_POINTS, ([row[0] for row in rows],)).fetchall():
        points[alert_id][values[0]] = Point(*values)
    names = ["points_in_row" if name == "points" else name for name in _READ]
    return [Kept(**dict(zip(names, row, strict=True)), points=points[row[0]]) for row in rows]


def last_released(
    connection: Connection, scope: Scope, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    """Until when (µs) a released alert of a loan and signal was looked at, the latest."""
    values = ([loan for loan, _ in keys], [signal for _, signal in keys], scope.value)
    rows = connection.execute(_RELEASED, values).fetchall() if keys else []
    return {(loan, signal): int(at) for loan, signal, at in rows}


def cases(
    connection: Connection, tenant: str, abouts: Sequence[str], now: int
) -> dict[str, tuple[str, str | None]]:
    """The open case of each borrower or village with who handles it, opened where there was none."""
    if not abouts:
        return {}
    ids = [new_id() for _ in abouts]
    connection.execute(_NEW_CASES, (tenant, now, ids, list(abouts)))
    rows = connection.execute(_CASES, (list(abouts),)).fetchall()
    return {about: (str(case_id), None if who is None else str(who)) for about, case_id, who in rows}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}
