"""Statements about one borrower or one village, under row-level security: a constant number, however many rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.contracts.model import Text
from serving.alerts.model import EventRow
from serving.borrowers.model import Beside, ClassCount, ClassPoint, DecisionRow, LevelCount, Told

MOST_DECISIONS, MOST_POINTS, A_STORY = 50, 60, 50
_SUBJECT = """
SELECT subject_id FROM alert WHERE case_id = $1 AND subject_id IS NOT NULL AND key_of_subject(subject_id) IS NOT NULL LIMIT 1"""
_STORY = """
SELECT e.event, e.at, name_of_actor(e.actor_id::text) AS who, e.kind, e.reason, e.from_level, e.to_level, e.from_state,
       e.to_state, e.detail, e.signals_digest, a.alert_id, a.loan, a.signal
FROM alert a JOIN alert_event e USING (tenant_id, alert_id)
WHERE a.subject_id = $1 AND ($2 = 0 OR e.event < $2) ORDER BY e.event DESC LIMIT $3"""
_DECISIONS = """
SELECT d.decision_id, d.decided_at, d.outcome, coalesce(l.kind, 'system') AS kind, d.answer, r.case_id
FROM decision d LEFT JOIN decision_link l USING (tenant_id, decision_id) LEFT JOIN review_case r USING (tenant_id, decision_id)
WHERE d.subject_id = $1 ORDER BY d.decided_at DESC, d.decision_id LIMIT $2"""
_CASE = """
SELECT a.case_id FROM decision d JOIN alert a USING (tenant_id, subject_id)
WHERE d.decision_id = $1 ORDER BY a.state = 'released', a.raised_at DESC LIMIT 1"""
_POINTS = """
SELECT month, loan, risk_class, confirmed_at IS NOT NULL AS confirmed, stage, ecl_fen, dpd FROM class_point
WHERE loan = ANY ($1) AND left_by = '' ORDER BY month DESC, loan LIMIT $2"""
_LOANS = """
SELECT loan_id::text FROM loan_account WHERE subject_id = $1 UNION SELECT loan FROM alert WHERE subject_id = $1"""
_BESIDE = """
SELECT DISTINCT ON (subject_id) subject_id, case_id, CASE WHEN state <> 'released' THEN level END AS level
FROM alert WHERE subject_id = ANY ($1)
ORDER BY subject_id, state = 'released', array_position(ARRAY['red', 'orange', 'yellow'], level), raised_at DESC"""
_LEVELS = """
SELECT level, count(*) AS alerts, count(DISTINCT subject_id) AS borrowers FROM alert
WHERE village = $1 AND state <> 'released' GROUP BY level"""
_BORROWERS = """
SELECT count(DISTINCT subject_id) FILTER (WHERE village = $1), count(DISTINCT subject_id) FROM alert
WHERE state <> 'released'"""
_ANY = "SELECT EXISTS (SELECT 1 FROM alert WHERE village = $1)"
_CLASSES = """
SELECT risk_class, count(*) AS loans, sum(balance_fen)::bigint AS balance_fen FROM class_point
WHERE month = $2 AND left_by = '' AND loan IN (SELECT loan FROM alert WHERE village = $1 AND state <> 'released' AND scope = 'loan')
GROUP BY risk_class
ORDER BY array_position(ARRAY['normal', 'special_mention', 'substandard', 'doubtful', 'loss'], risk_class)"""


async def subject_of(connection: asyncpg.Connection, case: UUID) -> int | None:
    """Whose case it is; None of a village's, of another tenant's, and of who was erased."""
    found = await connection.fetchval(_SUBJECT, case)
    return None if found is None else int(found)


async def case_of_decision(connection: asyncpg.Connection, decision: UUID) -> UUID | None:
    """A case of alerts of whom a decision is about."""
    found: UUID | None = await connection.fetchval(_CASE, decision)
    return found


async def story(connection: asyncpg.Connection, subject: int, before: int) -> tuple[list[Told], int]:
    """What happened to all alerts of a borrower, the newest first; the event before which there is more, or 0."""
    rows = await connection.fetch(_STORY, subject, before, A_STORY + 1)
    found = [_told(row) for row in rows[:A_STORY]]
    return found, found[-1].event.event if len(rows) > A_STORY else 0


async def decisions(connection: asyncpg.Connection, subject: int) -> list[DecisionRow]:
    """The last decisions about somebody, the newest first."""
    return [_decision(row) for row in await connection.fetch(_DECISIONS, subject, MOST_DECISIONS)]


async def loans(connection: asyncpg.Connection, subject: int) -> list[str]:
    """Names of a borrower's loans that this tenant has granted here or raised alerts about."""
    return [row[0] for row in await connection.fetch(_LOANS, subject)]


async def points(connection: asyncpg.Connection, names: Sequence[str]) -> list[ClassPoint]:
    """Classes of loans, the last months first."""
    rows = await connection.fetch(_POINTS, list(names), MOST_POINTS)
    return [msgspec.convert(dict(row), ClassPoint) for row in rows]


async def beside(
    connection: asyncpg.Connection, subjects: Sequence[int]
) -> dict[int, tuple[UUID, str | None]]:
    """Of those who have alerts of their own the case to open and the gravest level that stands."""
    rows = await connection.fetch(_BESIDE, list(subjects))
    return {row[0]: (row[1], row[2]) for row in rows}


def placed(
    how: str, subjects: Sequence[int], known: dict[int, tuple[UUID, str | None]]
) -> tuple[Beside, ...]:
    """People beside a borrower, those with alerts first."""
    told = [Beside(how, *known.get(one, (None, None))) for one in subjects]
    return tuple(sorted(told, key=lambda one: (one.level is None, one.case_id is None, str(one.case_id))))


async def village(
    connection: asyncpg.Connection, name: str, month: str
) -> tuple[list[LevelCount], tuple[int, int], list[ClassCount]] | None:
    """Alerts by level, borrowers here and in all, and classes of a month; None where no alert ever was."""
    if not await connection.fetchval(_ANY, name):
        return None
    levels = [msgspec.convert(dict(row), LevelCount) for row in await connection.fetch(_LEVELS, name)]
    both = await connection.fetchrow(_BORROWERS, name)
    rows = await connection.fetch(_CLASSES, name, month)
    return levels, (both[0], both[1]), [msgspec.convert(dict(row), ClassCount) for row in rows]


def _told(row: Any) -> Told:
    values = dict(row)
    alert, loan, signal = (values.pop(name) for name in ("alert_id", "loan", "signal"))
    event = msgspec.convert({**values, "detail": json.loads(values["detail"])}, EventRow)
    return Told(alert, loan, signal, event)


def _decision(row: Any) -> DecisionRow:
    answer = json.loads(row["answer"])
    reasons = tuple(Text(each.get("zh", ""), each.get("en", "")) for each in answer.get("reasons") or ())
    return DecisionRow(
        row["decision_id"], row["decided_at"], row["outcome"], row["kind"], answer.get("grade"), answer.get("pd"),
        answer.get("limit_fen") or (answer.get("offer") or {}).get("limit_fen"), reasons, row["case_id"],
    )  # fmt: skip
