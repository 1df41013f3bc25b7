"""Statements of consents and of the online working set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from features.consent import Consent, Purpose
from features.timeline.events import Int64
from serving.store.session import Connection

GET = """
SELECT consent_id, subject_id, categories, purpose, valid_from, valid_to, withdrawn_at, recipient FROM consent
WHERE consent_id = $1"""
OF_SUBJECT = """
SELECT consent_id, subject_id, categories, purpose, valid_from, valid_to, withdrawn_at, recipient FROM consent
WHERE subject_id = $1 ORDER BY consent_id"""
OF_PURPOSE = """
SELECT consent_id, subject_id, categories, purpose, valid_from, valid_to, withdrawn_at, recipient FROM consent
WHERE purpose = %s AND withdrawn_at IS NULL AND (%s::bigint[] IS NULL OR subject_id = ANY (%s))
AND key_of_subject(subject_id) IS NOT NULL"""
INSERT = """
INSERT INTO consent (tenant_id, consent_id, subject_id, categories, purpose, recipient, form, valid_from, valid_to,
                     given_at, recorded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
WITHDRAW = "UPDATE consent SET withdrawn_at = $2 WHERE consent_id = $1 AND withdrawn_at IS NULL"
LOCK_SUBJECT = (
    "SELECT pg_advisory_xact_lock(hashtextextended(current_setting('yidai.tenant') || $1::text, 742))"
)
PUT_TIMELINE = """
INSERT INTO subject_timeline (tenant_id, subject_id, version, packed, hydrated_at, tail, household)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, subject_id) DO UPDATE
SET version = EXCLUDED.version, packed = EXCLUDED.packed, hydrated_at = EXCLUDED.hydrated_at,
    tail = EXCLUDED.tail, household = EXCLUDED.household"""
TIMELINE = "SELECT version, packed FROM subject_timeline WHERE subject_id = $1"
EMPTY_TIMELINE = "DELETE FROM subject_timeline WHERE subject_id = $1"
IS_ERASED = "SELECT key_of_subject($1) IS NULL"
STALE = """
SELECT DISTINCT c.subject_id FROM consent c LEFT JOIN subject_timeline t USING (tenant_id, subject_id)
WHERE (c.valid_to <= $1 AND t.hydrated_at < c.valid_to)
   OR (c.valid_from <= $1 AND $1 < c.valid_to AND c.withdrawn_at IS NULL
       AND (t.hydrated_at IS NULL OR t.hydrated_at < greatest(c.valid_from, (
           SELECT max(v.active_from) FROM activation v WHERE v.slot = 'definitions' AND v.active_from <= $1)))
       AND key_of_subject(c.subject_id) IS NOT NULL AND c.purpose = 'credit_assessment')
   OR EXISTS (SELECT 1 FROM record_tail r WHERE r.subject_id = t.subject_id AND r.seq > t.tail)
ORDER BY c.subject_id"""
LIVE_CATEGORIES = """
SELECT subject_id, array_agg(DISTINCT category) FROM consent, unnest(categories) AS category
WHERE subject_id = ANY($1) AND withdrawn_at IS NULL AND valid_from <= $2 AND $2 < valid_to
  AND key_of_subject(subject_id) IS NOT NULL AND purpose = $3
GROUP BY subject_id"""
DISPUTED = """
SELECT DISTINCT dataset FROM dispute WHERE subject_id = $1 AND verdict IS NULL ORDER BY dataset"""
ONLINE_OF = "SELECT subject_id FROM subject_timeline WHERE subject_id = ANY($1) ORDER BY subject_id"
ANYBODY_ONLINE = "SELECT EXISTS (SELECT 1 FROM subject_timeline)"
ONLINE = "SELECT subject_id FROM subject_timeline ORDER BY subject_id"


@dataclass(frozen=True, slots=True)
class NewConsent:
    """A consent to record."""

    consent: Consent
    recipient: str
    form: str
    given_at: int
    recorded_by: UUID


async def get(connection: asyncpg.Connection, consent_id: UUID) -> Consent | None:
    """One consent of the tenant."""
    return _consent(await connection.fetchrow(GET, consent_id))


async def of_subject(connection: asyncpg.Connection, subject: int) -> list[Consent]:
    """Every consent of a subject, ended ones too."""
    found = [_consent(row) for row in await connection.fetch(OF_SUBJECT, subject)]
    return [consent for consent in found if consent is not None]


async def insert(connection: asyncpg.Connection, tenant: str, new: NewConsent) -> None:
    """Record a consent."""
    c = new.consent
    terms = (list(c.categories), c.purpose, new.recipient, new.form, c.valid_from, c.valid_to)
    await connection.execute(
        INSERT, tenant, c.consent_id, c.subject_id, *terms, new.given_at, new.recorded_by
    )


async def lock_subject(connection: asyncpg.Connection, subject: int) -> None:
    """One change of a subject's online row at a time."""
    await connection.execute(LOCK_SUBJECT, str(subject))


async def lock_subjects(connection: asyncpg.Connection, subjects: list[int]) -> None:
    """As ``lock_subject`` for several, always in the same order, so that two families never wait in a circle."""
    for subject in sorted(subjects):
        await lock_subject(connection, subject)


async def live_categories(
    connection: asyncpg.Connection, subjects: Iterable[int], purpose: Purpose, now: int
) -> dict[int, frozenset[str]]:
    """The categories that each of these subjects allows the tenant to read for a purpose at a moment."""
    found = {subject: frozenset[str]() for subject in subjects}
    for row in await connection.fetch(LIVE_CATEGORIES, list(found), now, purpose.value):
        found[int(row[0])] = frozenset(row[1])
    return found


def of_purpose(connection: Connection, purpose: Purpose, subjects: Int64 | None = None) -> list[Consent]:
    """Every consent of the tenant, or of these subjects, for a purpose that nobody has withdrawn, for commands."""
    asked = None if subjects is None else subjects.tolist()
    rows = connection.execute(OF_PURPOSE, (purpose.value, asked, asked)).fetchall()
    found = [_consent(row) for row in rows]
    return [consent for consent in found if consent is not None]


def online_subjects(connection: Connection) -> list[int]:
    """Who is online, for commands that hydrate again."""
    return [int(row[0]) for row in connection.execute(ONLINE).fetchall()]


def _consent(row: Any) -> Consent | None:
    if row is None:
        return None
    return Consent(row[0], row[1], tuple(row[2]), row[3], row[4], row[5], row[6], row[7])
