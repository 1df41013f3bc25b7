"""Statements of classes, under row-level security: for commands (psycopg) and requests (asyncpg)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import iso
from serving.classes.document import RiskClass
from serving.classes.model import ClassEvent, ClassRow, Row
from serving.classes.movement import Provided
from serving.classes.ruling import Locked, Step
from serving.store.session import Connection

_KEPT = {
    "loan": "text", "subject_id": "bigint", "proposed": "text", "raised": "text", "held_by": "text", "stage": "smallint",
    "alert_level": "text", "left_by": "text", "dpd": "integer", "balance_fen": "bigint", "ecl_fen": "bigint",
    "ecl_year_fen": "bigint", "ecl_life_fen": "bigint", "segment": "text", "months_clean": "integer",
    "periods_kept": "integer", "evidence": "jsonb", "parameters": "text",
}  # fmt: skip
_NAMES = ", ".join(_KEPT)
_NEW = [name for name in _KEPT if name not in {"loan", "subject_id"}]
_SAME = "c.proposed = EXCLUDED.proposed"
PUT = f"""
INSERT INTO class_point AS c (tenant_id, month, risk_class, proposed_at, {_NAMES})
SELECT %s, %s, u.proposed, %s, {", ".join(f"u.{name}" for name in _KEPT)}
FROM jsonb_to_recordset(%s::jsonb) AS u ({", ".join(f"{name} {kind}" for name, kind in _KEPT.items())})
ON CONFLICT (tenant_id, month, loan) DO UPDATE SET
    risk_class = CASE WHEN {_SAME} THEN c.risk_class ELSE EXCLUDED.proposed END,
    confirmed_by = CASE WHEN {_SAME} THEN c.confirmed_by END, confirmed_at = CASE WHEN {_SAME} THEN c.confirmed_at END,
    reason = CASE WHEN {_SAME} THEN c.reason ELSE '' END,
    pending = CASE WHEN {_SAME} THEN c.pending END, pending_by = CASE WHEN {_SAME} THEN c.pending_by END,
    proposed_at = EXCLUDED.proposed_at, version = c.version + 1, {", ".join(f"{n} = EXCLUDED.{n}" for n in _NEW)}
WHERE ({", ".join(f"c.{n}" for n in _NEW)}) IS DISTINCT FROM ({", ".join(f"EXCLUDED.{n}" for n in _NEW)})
RETURNING loan"""  # noqa: S608 - our own columns
ANEW = """
INSERT INTO class_event (tenant_id, month, loan, at, kind, from_class, to_class)
SELECT %s, %s, u.loan, %s, 'proposed_anew', u.from_class, u.to_class
FROM jsonb_to_recordset(%s::jsonb) AS u (loan text, from_class text, to_class text)"""
LOCK_MONTH = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 751))"
STANDS = "SELECT loan, proposed, risk_class FROM class_point WHERE month = %s AND confirmed_at IS NOT NULL"
BEFORE = "SELECT loan, risk_class, stage FROM class_point WHERE month = %s AND left_by = ''"
GONE = "SELECT loan, subject_id FROM class_point WHERE month = %s AND left_by = ''"
ALERTS = """
SELECT loan, max(array_position(ARRAY['yellow', 'orange', 'red'], level)) FROM alert
WHERE scope = 'loan' AND raised_at < %(end)s AND (released_at IS NULL OR released_at >= %(end)s) GROUP BY loan"""
_TOLD = """
loan AS loan_id, month, risk_class, proposed, raised, held_by, confirmed_at IS NOT NULL AS confirmed,
name_of_actor(confirmed_by::text) AS confirmed_by, confirmed_at, reason, pending, name_of_actor(pending_by::text) AS pending_by,
stage, alert_level, left_by, dpd, balance_fen, ecl_fen, ecl_year_fen, ecl_life_fen, segment, months_clean, periods_kept,
evidence, parameters, proposed_at, version"""
_ONE = f"SELECT {_TOLD}, subject_id FROM class_point WHERE loan = $1 AND month = $2"  # noqa: S608
_LAST = "SELECT max(month) FROM class_point WHERE ($1::text IS NULL OR loan = $1)"
_PREVIOUS = "SELECT max(month) FROM class_point WHERE month < $1"
_EVENTS = """
SELECT month, at, name_of_actor(actor_id::text) AS who, kind, from_class, to_class, reason FROM class_event
WHERE loan = $1 ORDER BY event LIMIT 1000"""
_PAGE = f"""
SELECT {_TOLD} FROM class_point
WHERE month = $1 AND loan > $2 AND ($3::text IS NULL OR risk_class = $3)
  AND (NOT $4 OR (confirmed_at IS NULL AND left_by = '')) ORDER BY loan LIMIT $5"""  # noqa: S608
_LOCK = """
SELECT month, loan, subject_id, proposed, risk_class, left_by, pending, pending_by, version FROM class_point
WHERE loan = $1 AND month = $2 FOR UPDATE"""
_KEYED = "SELECT request_digest FROM class_event WHERE key_hash = $1"
_CONFIRM = """
UPDATE class_point SET risk_class = $3, confirmed_by = $4, confirmed_at = $5, reason = $6, pending = NULL, pending_by = NULL,
       version = version + 1 WHERE loan = $1 AND month = $2"""
_WAIT = """
UPDATE class_point SET pending = $3, pending_by = $4, version = version + 1 WHERE loan = $1 AND month = $2"""
_NOTE = """
INSERT INTO class_event (tenant_id, month, loan, at, actor_id, kind, from_class, to_class, reason, key_hash, request_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
_PROVIDED = "SELECT loan, risk_class, stage, balance_fen, ecl_fen, left_by FROM class_point WHERE month = $1"
_UNCONFIRMED = "SELECT count(*) FROM class_point WHERE month = $1 AND confirmed_at IS NULL AND left_by = ''"
_AT_ONCE = 5_000


def put(connection: Connection, tenant: str, month: str, rows: Sequence[Row], now: int) -> int:
    """Store a month's proposals; returns how many are new or changed. What people said of the same proposal stands, of
    another it does not: that is noted.
    """
    connection.execute(LOCK_MONTH, (f"{tenant} {month}",))
    said = {loan: (old, stands) for loan, old, stands in connection.execute(STANDS, (month,)).fetchall()}
    anew = [
        {"loan": row["loan"], "from_class": said[row["loan"]][1], "to_class": row["proposed"]}
        for row in rows
        if row["loan"] in said and said[row["loan"]][0] != row["proposed"]
    ]
    done = 0
    for part in (rows[k : k + _AT_ONCE] for k in range(0, len(rows), _AT_ONCE)):
        done += connection.execute(PUT, (tenant, month, now, json.dumps(part))).rowcount
    if anew:
        connection.execute(ANEW, (tenant, month, now, json.dumps(anew)))
    return done


async def month_of(connection: asyncpg.Connection, loan: str | None) -> str | None:
    """The last month that was classed, of a loan or at all."""
    found: str | None = await connection.fetchval(_LAST, loan)
    return found


async def month_before(connection: asyncpg.Connection, month: str) -> str | None:
    """The last month before one that was classed."""
    found: str | None = await connection.fetchval(_PREVIOUS, month)
    return found


async def one(connection: asyncpg.Connection, loan: str, month: str) -> tuple[ClassRow, int] | None:
    """A loan's class and whose loan it is."""
    row = await connection.fetchrow(_ONE, loan, month)
    if row is None:
        return None
    values = dict(row)
    subject = int(values.pop("subject_id"))
    return _row(values), subject


async def events(connection: asyncpg.Connection, loan: str) -> list[ClassEvent]:
    """What people did, oldest first."""
    rows = await connection.fetch(_EVENTS, loan)
    return [msgspec.convert({**dict(row), "at": iso(row["at"])}, ClassEvent) for row in rows]


async def some(
    connection: asyncpg.Connection, month: str, after: str, risk_class: RiskClass | None, most: int, *, unconfirmed: bool
) -> list[ClassRow]:  # fmt: skip
    """A page of a month."""
    wanted = None if risk_class is None else risk_class.value
    rows = await connection.fetch(_PAGE, month, after, wanted, unconfirmed, most)
    return [_row(dict(row)) for row in rows]


async def lock(connection: asyncpg.Connection, loan: str, month: str) -> Locked | None:
    """A class that nobody else changes until the transaction ends."""
    row = await connection.fetchrow(_LOCK, loan, month)
    if row is None:
        return None
    values = dict(row)
    for name in ("proposed", "risk_class", "pending"):
        values[name] = None if values[name] is None else RiskClass(values[name])
    return Locked(**values)


async def keyed(connection: asyncpg.Connection, key_hash: bytes) -> bytes | None:
    """The digest of what was asked before under a key."""
    found: bytes | None = await connection.fetchval(_KEYED, key_hash)
    return found


async def write(
    connection: asyncpg.Connection, tenant: str, row: Locked, step: Step, actor: UUID, reason: str, now: int,
    key: tuple[bytes, bytes],
) -> None:  # fmt: skip
    """What a person said."""
    if step.waits:
        await connection.execute(_WAIT, row.loan, row.month, step.risk_class.value, actor)
    else:
        await connection.execute(_CONFIRM, row.loan, row.month, step.risk_class.value, actor, now, reason)
    told = (step.kind, row.risk_class.value, step.risk_class.value, reason)
    await connection.execute(_NOTE, tenant, row.month, row.loan, now, actor, *told, *key)


async def provided(connection: asyncpg.Connection, month: str) -> list[Provided]:
    """Every loan of a month."""
    rows = await connection.fetch(_PROVIDED, month)
    return [
        Provided(loan, RiskClass(name), stage, balance, ecl, left)
        for loan, name, stage, balance, ecl, left in rows
    ]


async def unconfirmed(connection: asyncpg.Connection, month: str) -> int:
    """How many classes of a month nobody confirmed."""
    return int(await connection.fetchval(_UNCONFIRMED, month))


def _row(values: dict[str, Any]) -> ClassRow:
    return msgspec.convert(values | dict(_texts(values)), ClassRow)


def _texts(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ("confirmed_at", "proposed_at"):
        yield name, None if values[name] is None else iso(values[name])
    yield "evidence", json.loads(values["evidence"])
