"""Statements of people's work on alerts, under row-level security: a constant number, however many rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from serving.alerts.acting import Locked
from serving.alerts.machine import AlertState
from serving.alerts.model import AlertRow, EventRow, UnknownAlert
from serving.watch.signals import Level

_COLUMNS = """
alert_id, case_id, scope, loan, signal, level, state, coverage, points, quiet, disposal_due, evidence, evidence_at, dpd,
overdue_fen, playbook, expects_by, village, product, cause_id, owner, name_of_actor(assignee::text) AS assignee, raised_at,
updated_at, due_at, handled_at, late, snoozed_until, proposal, name_of_actor(proposed_by::text) AS proposed_by, feedback,
released_at, version"""
_GET = f"SELECT {_COLUMNS}, subject_id FROM alert WHERE alert_id = $1"  # noqa: S608 - our own columns
_OF_CASE = (
    f"SELECT {_COLUMNS} FROM alert WHERE case_id = $1 AND alert_id <> $2 ORDER BY due_at, alert_id LIMIT 200"  # noqa: S608
)
_OF_BORROWER = f"""
SELECT {_COLUMNS} FROM alert WHERE subject_id = $1
ORDER BY state = 'released', array_position(ARRAY['red', 'orange', 'yellow'], level), raised_at DESC LIMIT 200"""  # noqa: S608
_EVENTS = """
SELECT event, at, name_of_actor(actor_id::text) AS who, kind, reason, from_level, to_level, from_state, to_state, detail,
       signals_digest
FROM alert_event WHERE alert_id = $1 ORDER BY event LIMIT 1000"""
_POINTS = "SELECT point, gravest, last_day, last_rank FROM alert_point WHERE alert_id = $1 ORDER BY point"
_KEPT = {
    "state": "text", "due_at": "bigint", "disposal_due": "bigint", "handled_at": "bigint",
    "late": "integer", "snoozed_until": "bigint", "proposal": "text", "proposed_by": "uuid", "feedback": "text",
    "feedback_level": "text", "released_at": "bigint", "version": "integer",
}  # fmt: skip
_LOCKED = (
    "alert_id",
    "case_id",
    "subject_id",
    "signal",
    "playbook",
    "level",
    *(name for name in _KEPT),
)
_LOCK = f"""
SELECT {", ".join(_LOCKED)} FROM alert
WHERE case_id IN (SELECT case_id FROM alert WHERE alert_id = ANY ($1::uuid[])) AND (state <> 'released' OR alert_id = ANY ($1))
ORDER BY alert_id FOR UPDATE"""  # noqa: S608
_UPDATE = f"""
UPDATE alert a SET {", ".join(f"{name} = u.{name}" for name in _KEPT)}, updated_at = $2
FROM jsonb_to_recordset($1::jsonb) AS u (alert_id uuid, {", ".join(f"{n} {k}" for n, k in _KEPT.items())})
WHERE a.alert_id = u.alert_id"""  # noqa: S608
_EVENT = """
INSERT INTO alert_event (tenant_id, alert_id, at, actor_id, kind, reason, from_level, to_level, from_state, to_state, detail,
                         key_hash, request_digest)
SELECT $1, u.alert_id, $2, $3, u.kind, $4, u.level, u.level, u.from_state, u.to_state, u.detail, $6, $7
FROM jsonb_to_recordset($5::jsonb) AS u (alert_id uuid, kind text, level text, from_state text, to_state text, detail jsonb)"""
_KEYED = (
    "SELECT alert_id, request_digest FROM alert_event WHERE key_hash = $1 AND alert_id = ANY ($2::uuid[])"
)
_ASSIGN = "UPDATE alert_case SET assignee = $2 WHERE case_id = ANY ($1::uuid[])"
_ASSIGN_ALERTS = "UPDATE alert SET assignee = $2, version = version + (NOT alert_id = ANY ($3::uuid[]))::integer WHERE case_id = ANY ($1::uuid[]) AND state <> 'released'"
_LOCK_CASES = "SELECT case_id FROM alert_case WHERE case_id = ANY ($1::uuid[]) ORDER BY case_id FOR UPDATE"
_CLOSE = """
UPDATE alert_case c SET closed_at = $2
WHERE case_id = ANY ($1::uuid[]) AND closed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM alert a WHERE a.case_id = c.case_id AND a.state <> 'released')"""
_PRECISION = """
SELECT signal, feedback_level, count(*) FILTER (WHERE feedback = 'true_warning'),
       count(*) FILTER (WHERE feedback = 'false_alarm'), count(*) FILTER (WHERE feedback = 'unclear')
FROM alert WHERE feedback IS NOT NULL GROUP BY 1, 2
ORDER BY 1, array_position(ARRAY['red', 'orange', 'yellow'], feedback_level)"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which alerts; instants in µs, ``after`` the place of the last one that was told.

    ``assignee`` is a name, or empty for whom nobody handles. Without ``states`` those that nobody released are meant, and
    without ``snoozed`` those that are not put aside.
    """

    levels: tuple[Level, ...] = ()
    states: tuple[AlertState, ...] = ()
    assignee: str | None = None
    village: str | None = None
    loan: str | None = None
    signal: str | None = None
    case: UUID | None = None
    raised_before: int | None = None
    due_before: int | None = None
    overdue: bool = False
    snoozed: bool = False
    after: tuple[int, UUID] | None = None
    most: int = 50


def listing(wanted: Wanted, now: int) -> tuple[str, list[Any]]:
    """The statement of a list and its values: only of the filters that were asked for, so that each finds its index."""
    values: list[Any] = []

    def given(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    clauses = list(_clauses(wanted, now, given))
    place = f"WHERE {' AND '.join(clauses)} ORDER BY due_at, alert_id LIMIT {given(wanted.most)}"
    return f"SELECT {_COLUMNS} FROM alert {place}", values  # noqa: S608 - our own columns and places


def _clauses(wanted: Wanted, now: int, given: Any) -> Iterator[str]:
    if AlertState.RELEASED not in wanted.states:
        yield "state <> 'released'"
    if wanted.states:
        yield f"state = ANY ({given([state.value for state in wanted.states])})"
    if len(wanted.levels) == 1:
        yield f"level = {given(wanted.levels[0].value)}"
    elif wanted.levels:
        yield f"level = ANY ({given([level.value for level in wanted.levels])})"
    if wanted.assignee is not None:
        yield f"assignee = alert_handler({given(wanted.assignee)})" if wanted.assignee else "assignee IS NULL"
    for column, value in (("village", wanted.village), ("loan", wanted.loan), ("signal", wanted.signal), ("case_id", wanted.case)):  # fmt: skip
        if value is not None:
            yield f"{column} = {given(value)}"
    yield from _times(wanted, now, given)


def _times(wanted: Wanted, now: int, given: Any) -> Iterator[str]:
    if wanted.raised_before is not None:
        yield f"raised_at < {given(wanted.raised_before)}"
    due = [now] * wanted.overdue + [wanted.due_before] * (wanted.due_before is not None)
    if due:
        yield f"due_at < {given(min(each for each in due if each is not None))}"
    if not wanted.snoozed:
        yield f"(snoozed_until IS NULL OR snoozed_until <= {given(now)})"
    if wanted.after is not None:
        yield f"(due_at, alert_id) > ({given(wanted.after[0])}::bigint, {given(wanted.after[1])}::uuid)"


async def some(connection: asyncpg.Connection, wanted: Wanted, now: int) -> list[AlertRow]:
    """Alerts, the first due first."""
    statement, values = listing(wanted, now)
    return [_row(row) for row in await connection.fetch(statement, *values)]


async def get(connection: asyncpg.Connection, alert_id: UUID) -> tuple[AlertRow, int | None]:
    """One alert and the subject it is about, None for a village's.

    Raises:
        UnknownAlert: none of this tenant.
    """
    row = await connection.fetchrow(_GET, alert_id)
    if row is None:
        raise UnknownAlert
    values = dict(row)
    subject = values.pop("subject_id")
    return _row(values), subject


async def others(connection: asyncpg.Connection, alert: AlertRow) -> list[AlertRow]:
    """The other alerts of the same case."""
    return [_row(row) for row in await connection.fetch(_OF_CASE, alert.case_id, alert.alert_id)]


async def all_of(connection: asyncpg.Connection, subject: int) -> list[AlertRow]:
    """A borrower's alerts, those that stand first and of them the gravest."""
    return [_row(row) for row in await connection.fetch(_OF_BORROWER, subject)]


async def events(connection: asyncpg.Connection, alert_id: UUID) -> list[EventRow]:
    """What happened to an alert, oldest first."""
    rows = await connection.fetch(_EVENTS, alert_id)
    return [msgspec.convert({**row, "detail": json.loads(row["detail"])}, EventRow) for row in rows]


async def points(connection: asyncpg.Connection, alert_id: UUID) -> list[tuple[int, int, int, int]]:
    """An alert's points in order: the month's end, the gravest rank, the last day looked at and its rank."""
    return [tuple(row.values()) for row in await connection.fetch(_POINTS, alert_id)]


async def lock(connection: asyncpg.Connection, alert_ids: Sequence[UUID]) -> dict[UUID, Locked]:
    """These alerts and the others of their cases, which nobody else changes until the transaction ends."""
    rows = await connection.fetch(_LOCK, list(alert_ids))
    values = [dict(row) | {"level": Level(row["level"]), "state": AlertState(row["state"])} for row in rows]
    return {row["alert_id"]: Locked(**row) for row in values}


async def keyed(
    connection: asyncpg.Connection, key_hash: bytes, alert_ids: Sequence[UUID]
) -> dict[UUID, bytes]:
    """Digests of what was asked before under a key, by alert."""
    return {row[0]: row[1] for row in await connection.fetch(_KEYED, key_hash, list(alert_ids))}


async def update(
    connection: asyncpg.Connection, changed: Sequence[tuple[Locked, Mapping[str, Any]]], now: int
) -> None:
    """Change these columns of locked alerts, each to its next version."""
    rows = []
    for alert, changes in changed:
        kept = {name: getattr(alert, name) for name in _KEPT} | {"version": alert.version + 1} | dict(changes)
        rows.append({"alert_id": alert.alert_id, **kept})
    await connection.execute(_UPDATE, json.dumps(rows, default=str), now)


async def note(
    connection: asyncpg.Connection,
    tenant: str,
    now: int,
    actor: UUID,
    reason: str,
    told: Sequence[Mapping[str, Any]],
    key: tuple[bytes | None, bytes | None],
) -> None:
    """Events of people: ``told`` names alert, kind, level, states and detail of each."""
    await connection.execute(_EVENT, tenant, now, actor, reason, json.dumps(list(told), default=str), *key)


async def handler(connection: asyncpg.Connection, name: str) -> UUID | None:
    """Who of this name handles alerts."""
    found: UUID | None = await connection.fetchval("SELECT alert_handler($1)", name)
    return found


async def assign(
    connection: asyncpg.Connection, cases: Sequence[UUID], who: UUID, versioned: Sequence[UUID]
) -> None:
    """Give cases with all their open alerts to somebody; ``versioned`` have their new version already."""
    await connection.execute(_ASSIGN, list(cases), who)
    await connection.execute(_ASSIGN_ALERTS, list(cases), who, list(versioned))


async def close(connection: asyncpg.Connection, cases: Sequence[UUID], now: int) -> None:
    """End the cases all of whose alerts are released."""
    await connection.fetch(_LOCK_CASES, list(cases))
    await connection.execute(_CLOSE, list(cases), now)


async def precision(connection: asyncpg.Connection) -> list[tuple[str, str, int, int, int]]:
    """By signal and level: true warnings, false alarms, unclear ones."""
    return [tuple(row.values()) for row in await connection.fetch(_PRECISION)]


def _row(row: Any) -> AlertRow:
    values = dict(row)
    return msgspec.convert({**values, "evidence": json.loads(values["evidence"])}, AlertRow)
