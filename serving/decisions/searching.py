"""An auditor's search among decisions: by who asked, whom it was about, what came out, when, and which model was in force."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import NEVER
from features.contracts.model import SubjectKind
from features.errors import Invalid
from serving.access.model import Authority, Permission
from serving.clock import Clock
from serving.consents.check import person_number
from serving.decisions.reading import read_of_decisions
from serving.store.access_log import write_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async

A_PAGE = 50
_IN_FORCE = """
EXISTS (SELECT 1 FROM activation a WHERE a.tenant_id = d.tenant_id AND starts_with(a.digest, {})
        AND a.active_from <= d.decided_at AND (a.active_to IS NULL OR a.active_to > d.decided_at))"""
_SEARCH = """
SELECT d.decision_id, d.decided_at, d.outcome, name_of_actor(d.actor_id::text) AS who, coalesce(l.kind, 'system') AS kind,
       l.parent_id
FROM decision d LEFT JOIN decision_link l USING (tenant_id, decision_id)
WHERE {} ORDER BY d.decision_id DESC LIMIT {}"""


class ShortDigest(Invalid):
    """A digest of which too little is said to mean one thing."""

    def __init__(self) -> None:
        super().__init__(
            "at least eight hexadecimal characters are needed.",
            place="model",
            remedy="See `yidai models list`.",
        )


class FoundDecision(msgspec.Struct, frozen=True):
    """A decision as it is listed; the instant in µs."""

    decision_id: UUID
    decided_at: int
    outcome: str
    who: str | None
    kind: str
    parent_id: UUID | None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty is no condition, instants in µs, ``after`` the last decision that was told.

    ``model`` is the beginning of the digest of anything that was in force: a model, a policy, definitions. ``number`` is a
    person's.
    """

    who: str = ""
    outcome: str = ""
    model: str = ""
    number: str = ""
    since: int = 0
    until: int = NEVER
    after: UUID | None = None
    decision: UUID | None = None


class DecisionSearch:
    """The use case of searching decisions."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyRing, clock: Clock) -> None:
        self._pool = pool
        self._keys = keys
        self._clock = clock

    async def find(self, authority: Authority, search: Search) -> list[FoundDecision]:
        """Decisions of the tenant, the newest first, a page of them; that somebody was asked for is logged.

        Raises:
            ShortDigest: too little of a digest.
            WrongNumber, UnknownSubject: nobody has this number.
        """
        authority.holds(Permission.READ_RECEIPTS)
        values: list[object] = []

        def given(value: object) -> str:
            values.append(value)
            return f"${len(values)}"

        clauses = [f"d.decided_at >= {given(search.since)}", f"d.decided_at < {given(search.until)}"]
        subject = await self._subject(search.number) if search.number else None
        if subject is not None:
            clauses.append(f"d.subject_id = {given(subject)}")
        if search.who:
            clauses.append(f"name_of_actor(d.actor_id::text) = {given(search.who)}")
        if search.outcome:
            clauses.append(f"d.outcome = {given(search.outcome)}")
        if search.model:
            clauses.append(_IN_FORCE.format(given(_digest(search.model))))
        if search.decision is not None:
            clauses.append(f"d.decision_id = {given(search.decision)}")
        if search.after is not None:
            clauses.append(f"d.decision_id < {given(search.after)}")
        statement = _SEARCH.format(" AND ".join(clauses), given(A_PAGE))
        async with tenant_connection(self._pool, authority.tenant) as connection:
            if subject is not None:
                await write_async(connection, [read_of_decisions(authority, subject, self._clock())])
            rows = await connection.fetch(statement, *values)
        return [msgspec.convert(dict(row), FoundDecision) for row in rows]

    async def _subject(self, number: str) -> int:
        checked = person_number(number, "number")
        return await subject_of_async(self._pool, self._keys, SubjectKind.PERSON, checked)


def _digest(text: str) -> str:
    found = text.strip().lower()
    if not 8 <= len(found) <= 64 or set(found) - set("0123456789abcdef"):
        raise ShortDigest
    return found
