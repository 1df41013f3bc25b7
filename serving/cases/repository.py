"""Statements of cases, under row-level security."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import NEVER
from serving.cases.model import CaseRow, CaseState, UnknownCase, WrongState

_COLUMNS = """
case_id, decision_id, origin, system_outcome, grade, codes, product, amount_fen, opened_at, due_at, requested_at, state,
name_of_actor(taken_by::text) AS taken_by, taken_at, name_of_actor(proposed_by::text) AS proposed_by, proposed_at,
decided_at, linked_id, outcome, reason_code, override, level"""
_KNOWN = """(SELECT key_of_subject(d.subject_id) FROM decision d
    WHERE d.tenant_id = c.tenant_id AND d.decision_id = c.decision_id) IS NOT NULL"""
"""Who was erased while a case waited is waited for no more."""
_LIST = f"""
SELECT {_COLUMNS} FROM review_case c
WHERE (state = 'decided' OR {_KNOWN})
  AND ($1::text[] IS NULL OR state = ANY ($1)) AND ($2::text IS NULL OR product = $2) AND due_at < $3
  AND (due_at, case_id) > ($4::bigint, $5::uuid)
ORDER BY due_at, case_id LIMIT $6"""  # noqa: S608 - our own columns
_WAITING = f"""
SELECT count(*), count(*) FILTER (WHERE due_at < $1),
       count(*) FILTER (WHERE state = 'awaiting_second' AND proposed_by IS DISTINCT FROM $2)
FROM review_case c
WHERE state <> 'decided' AND {_KNOWN}"""  # noqa: S608
_GET = f"SELECT {_COLUMNS} FROM review_case WHERE case_id = $1"  # noqa: S608
_OF_DECISION = f"SELECT {_COLUMNS} FROM review_case WHERE decision_id = $1"  # noqa: S608
_LOCK = """
SELECT state, decision_id, origin, taken_by, proposed_by, proposal FROM review_case WHERE case_id = $1 FOR UPDATE"""
_REQUEST = """
INSERT INTO review_case (tenant_id, decision_id, origin, system_outcome, grade, codes, product, amount_fen, opened_at,
                         due_at, requested_at, requested_by)
VALUES ($1, $2, 'request', $3, $4, $5, $6, $7, $8, $9, $8, $10)
ON CONFLICT (tenant_id, decision_id) DO UPDATE
SET requested_at = EXCLUDED.requested_at, requested_by = EXCLUDED.requested_by,
    due_at = least(review_case.due_at, EXCLUDED.due_at)
WHERE review_case.requested_at IS NULL AND review_case.state <> 'decided'
RETURNING case_id"""
_TAKE = "UPDATE review_case SET state = 'taken', taken_by = $2, taken_at = $3 WHERE case_id = $1"
_PROPOSE = """
UPDATE review_case SET state = 'awaiting_second', proposed_by = $2, proposed_at = $3, proposal = $4
WHERE case_id = $1"""
_SEND_BACK = """
UPDATE review_case SET state = 'open', taken_by = NULL, taken_at = NULL, proposed_by = NULL, proposed_at = NULL,
    proposal = NULL
WHERE case_id = $1"""
_DECIDE = """
UPDATE review_case SET state = 'decided', decided_at = $2, linked_id = $3, outcome = $4, reason_code = $5, override = $6,
    proposal = NULL
WHERE case_id = $1"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases; ``due_before`` in µs, ``after`` the place of the last one that was told."""

    states: tuple[CaseState, ...] = ()
    product: str | None = None
    due_before: int = NEVER
    after: tuple[int, UUID] = (-1, UUID(int=0))
    most: int = 50


class Waiting(NamedTuple):
    """Cases that are not decided: how many, how many overdue, and how many another person than the one who looks has proposed
    to decide.
    """

    cases: int
    overdue: int
    second: int


@dataclass(frozen=True, slots=True)
class Locked:
    """A case under its row's lock; people by id."""

    state: CaseState
    decision_id: UUID
    origin: str
    taken_by: UUID | None
    proposed_by: UUID | None
    proposal: bytes | None

    def expect(self, *states: CaseState) -> None:
        """Refuse a case that is in none of these states.

        Raises:
            WrongState: with what to do instead.
        """
        if self.state not in states:
            raise WrongState(self.state)


async def some(connection: asyncpg.Connection, wanted: Wanted) -> list[CaseRow]:
    """Cases of the tenant, the first due first; who was erased while a case waited is waited for no more."""
    states = [state.value for state in wanted.states] or None
    due, name = wanted.after
    rows = await connection.fetch(_LIST, states, wanted.product, wanted.due_before, due, name, wanted.most)
    return [_row(row) for row in rows]


async def waiting(connection: asyncpg.Connection, actor: UUID, now: int) -> Waiting:
    """What waits for a decision, for somebody who looks at a moment (µs)."""
    return Waiting(*(await connection.fetchrow(_WAITING, now, actor)))


async def get(connection: asyncpg.Connection, case_id: UUID) -> CaseRow:
    """One case.

    Raises:
        UnknownCase: none of this tenant.
    """
    found = await connection.fetchrow(_GET, case_id)
    if found is None:
        raise UnknownCase
    return _row(found)


async def of_decision(connection: asyncpg.Connection, decision_id: UUID) -> CaseRow | None:
    """The case of a decision, if it has one."""
    found = await connection.fetchrow(_OF_DECISION, decision_id)
    return None if found is None else _row(found)


async def lock(connection: asyncpg.Connection, case_id: UUID) -> Locked:
    """The case, which nobody else changes until the transaction ends.

    Raises:
        UnknownCase: none of this tenant.
    """
    found = await connection.fetchrow(_LOCK, case_id)
    if found is None:
        raise UnknownCase
    state, *others = found.values()
    return Locked(CaseState(state), *others)


async def request(connection: asyncpg.Connection, *values: Any) -> bool:
    """Open or mark a case as asked for; False where it was already, or is decided."""
    return await connection.fetchval(_REQUEST, *values) is not None


async def take(connection: asyncpg.Connection, case_id: UUID, actor: UUID, now: int) -> None:
    """Give it to somebody."""
    await connection.execute(_TAKE, case_id, actor, now)


async def propose(
    connection: asyncpg.Connection, case_id: UUID, actor: UUID, now: int, proposal: bytes
) -> None:
    """Keep what one person would decide until another agrees."""
    await connection.execute(_PROPOSE, case_id, actor, now, proposal)


async def send_back(connection: asyncpg.Connection, case_id: UUID) -> None:
    """Open again, without a proposal."""
    await connection.execute(_SEND_BACK, case_id)


async def decide(connection: asyncpg.Connection, case_id: UUID, *values: Any) -> None:
    """Close it with the linked decision."""
    await connection.execute(_DECIDE, case_id, *values)


def _row(row: asyncpg.Record) -> CaseRow:
    return msgspec.convert(dict(row), CaseRow)
