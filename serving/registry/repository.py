"""Artifact, approval, activation: the statements, for commands (psycopg) and requests (asyncpg)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg

from features.canonical import digest
from features.errors import Integrity, NotFound
from serving.store.session import Connection

INSERT_ARTIFACT = """
INSERT INTO artifact (tenant_id, digest, kind, bytes, note, created_by, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
INSERT_APPROVAL = """
INSERT INTO approval (tenant_id, digest, approved_by, approved_at, verdict, reason)
VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, digest, approved_by) DO NOTHING"""
END_ACTIVATION = """
UPDATE activation SET active_to = %s WHERE tenant_id = %s AND slot = %s AND active_to IS NULL"""
INSERT_ACTIVATION = """
INSERT INTO activation (tenant_id, slot, digest, active_from, activated_by) VALUES (%s, %s, %s, %s, %s)"""
LOCK_ACTIVATIONS = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 743))"
SAID = "SELECT verdict FROM approval WHERE digest = %s AND approved_by = %s"
BEGUN = "SELECT active_from FROM activation WHERE slot = %s AND active_to IS NULL"
ACTIVE = """
SELECT slot, digest FROM activation
WHERE active_from <= %s AND (active_to IS NULL OR active_to > %s) ORDER BY slot"""
HISTORY = """
SELECT v.slot, v.digest, v.active_from, v.active_to, a.kind, a.note FROM activation v
JOIN artifact a USING (tenant_id, digest)
WHERE v.active_to IS NULL OR v.active_to > v.active_from ORDER BY v.active_from, v.slot"""
"""Without what was called off before it began."""
BEGINNING = "SELECT DISTINCT active_from FROM activation WHERE active_from > %s AND active_to IS NULL"
CALLED_OFF = "SELECT 1 FROM activation WHERE slot = %s AND active_from = %s AND active_to = active_from"
OVERVIEW = "SELECT digest, kind, note, created_by, created_at FROM artifact ORDER BY created_at, digest"
VERDICTS = "SELECT digest, approved_by, verdict FROM approval ORDER BY approved_at, approved_by"

_PREFIX = re.compile(r"[0-9a-f]{8,64}")


class UnknownArtifact(NotFound):
    """No artifact with this digest in the tenant."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the registry holds no artifact {name[:16]}.", remedy="`yidai models list` shows what it holds."
        )


class ChangedArtifact(Integrity):
    """Stored bytes that are not what their digest says."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the bytes of artifact {name[:16]} were changed.", remedy="Restore the database.")


def artifact_row(connection: Connection, name: str) -> tuple[str, bytes, UUID]:
    """Kind, bytes and author of an artifact; a digest may be shortened to 8 characters.

    Raises:
        UnknownArtifact: none or several begin like this.
    """
    statement = "SELECT kind, bytes, created_by, digest FROM artifact WHERE digest LIKE %s"
    rows = connection.execute(statement, (f"{name}%",)).fetchall() if _PREFIX.fullmatch(name) else []
    if len(rows) != 1:
        raise UnknownArtifact(name)
    kind, data, author, full = rows[0]
    return kind, verified(full, data), author


def active(connection: Connection, at: int) -> dict[str, str]:
    """Digest by slot at a moment."""
    return dict(connection.execute(ACTIVE, (at, at)).fetchall())


async def artifacts_async(connection: asyncpg.Connection, digests: list[str]) -> Mapping[str, bytes]:
    """Bytes by digest.

    Raises:
        UnknownArtifact: one is missing.
        ChangedArtifact: one is not what its digest says.
    """
    rows = await connection.fetch("SELECT digest, bytes FROM artifact WHERE digest = ANY($1)", digests)
    found = {row["digest"]: verified(row["digest"], row["bytes"]) for row in rows}
    for name in digests:
        if name not in found:
            raise UnknownArtifact(name)
    return found


async def active_async(connection: asyncpg.Connection, at: int) -> dict[str, str]:
    """Digest by slot at a moment."""
    statement = ACTIVE.replace("%s", "$1")
    return {row["slot"]: row["digest"] for row in await connection.fetch(statement, at)}


def verified(name: str, data: bytes) -> bytes:
    """The bytes, if they are what the digest says.

    Raises:
        ChangedArtifact: they are not.
    """
    if digest(data) != name:
        raise ChangedArtifact(name)
    return data


def history(connection: Connection) -> list[dict[str, Any]]:
    """Every activation, oldest first."""
    names = ("slot", "digest", "active_from", "active_to", "kind", "note")
    return [dict(zip(names, row, strict=True)) for row in connection.execute(HISTORY).fetchall()]
