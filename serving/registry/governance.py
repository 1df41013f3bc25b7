"""What promotions rest on: the inventory of models, the evidence of versions, and the promotions themselves."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from features.canonical import digest
from features.errors import Conflict, Invalid
from serving.access.model import Authority, Permission
from serving.registry.model import EvidenceKind
from serving.registry.repository import verified
from serving.registry.service import artifact
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction

TIERS = (1, 2, 3)
"""From the most material to the least."""
_INSERT_ENTRY = """
INSERT INTO model_entry (tenant_id, slot, tier, owner, purpose, limits, recorded_by, recorded_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_ENTRIES = """
SELECT DISTINCT ON (slot) slot, tier, owner, purpose, limits, recorded_at FROM model_entry
ORDER BY slot, recorded_at DESC"""
_INSERT_EVIDENCE = """
INSERT INTO evidence (tenant_id, digest, kind, about, bytes, hash, added_by, added_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
_EVIDENCE = """
SELECT kind, about, bytes, hash, added_by, added_at FROM evidence WHERE digest = %s ORDER BY added_at, kind, about"""
_INSERT_PROMOTION = """
INSERT INTO promotion (tenant_id, promoted_at, promoted_by, kind, slots, gates, waived, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_PROMOTIONS = """
SELECT promoted_at, promoted_by, kind, slots, gates, waived, reason FROM promotion
WHERE slots @> %s ORDER BY promoted_at"""
_APPROVALS = """
SELECT approved_by, approved_at, verdict, reason FROM approval WHERE digest = %s ORDER BY approved_at, approved_by"""


class State(StrEnum):
    """Where a model stands."""

    IN_DEVELOPMENT = "in development"
    IN_FORCE = "in force"
    RETIRED = "retired"


class OtherEvidence(Conflict):
    """Evidence of that kind is there, and it says something else."""

    def __init__(self, kind: EvidenceKind) -> None:
        super().__init__(
            f"this version has another {kind.value} already, and evidence is never changed.",
            place=kind.value,
            remedy="Submit a new version with its own.",
        )


class BadEntry(Invalid):
    """An entry of the inventory that says too little."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(problem, place=field, remedy=remedy)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What the inventory says of a model (``slot``)."""

    slot: str
    tier: int
    owner: str
    purpose: str
    limits: str
    recorded_at: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """One document about a version; ``about`` is the digest of the other version of a comparison."""

    kind: EvidenceKind
    about: str
    data: bytes
    added_by: UUID
    added_at: int


@dataclass(frozen=True, slots=True)
class Approval:
    """What somebody said of a version."""

    by: UUID
    at: int
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What went into force together, or ended, and the gates as they were seen then, by slot."""

    at: int
    by: UUID
    kind: str
    slots: Mapping[str, str]
    gates: Mapping[str, Sequence[Mapping[str, Any]]]
    waived: Collection[str]
    reason: str


def register(database: Database, authority: Authority, entry: ModelEntry, now: int) -> None:
    """Write what the inventory says of a model; the newest entry counts, older ones stay.

    Raises:
        BadEntry: no such tier, another kind of slot, or a text that is empty.
    """
    authority.holds(Permission.SUBMIT)
    _check(entry)
    actor = authority.actor.actor_id
    values = (entry.slot, entry.tier, entry.owner, entry.purpose, entry.limits)
    with tenant_transaction(database, authority.tenant) as connection:
        connection.execute(_INSERT_ENTRY, (authority.tenant, *values, actor, now))
        record(connection, authority.tenant, now, actor, "model.registered", entry.slot, tier=entry.tier)


def _check(entry: ModelEntry) -> None:
    name = entry.slot.removeprefix("bundle.")
    if name == entry.slot or not (name.isascii() and name.isidentifier() and name == name.lower()):
        raise BadEntry("slot", f"{entry.slot!r} is no slot of a model.", "Name bundle.NAME, as bundle.risk.")
    if entry.tier not in TIERS:
        raise BadEntry("tier", f"there is no tier {entry.tier}.", "Take 1 (the most material), 2 or 3.")
    for field in ("owner", "purpose", "limits"):
        if not getattr(entry, field).strip():
            raise BadEntry(field, "it is empty.", f"Say the model's {field} in a sentence.")


def entries(connection: Connection) -> dict[str, ModelEntry]:
    """The newest entry by slot."""
    return {row[0]: ModelEntry(*row) for row in connection.execute(_ENTRIES).fetchall()}


def attach(
    database: Database,
    authority: Authority,
    name: str,
    kind: EvidenceKind,
    data: bytes,
    now: int,
    about: str = "",
) -> None:
    """Keep a document about a version; the same bytes again change nothing.

    Raises:
        OtherEvidence: there is one of that kind, with other bytes.
        UnknownArtifact: no such version.
    """
    authority.holds(Permission.SUBMIT)
    actor = authority.actor.actor_id
    with tenant_transaction(database, authority.tenant) as connection:
        full = artifact(connection, name).digest
        values = (authority.tenant, full, kind.value, about, data, digest(data), actor, now)
        if connection.execute(_INSERT_EVIDENCE, values).rowcount:
            record(
                connection, authority.tenant, now, actor, "evidence.added", full, kind=kind.value, about=about
            )
        elif data not in [
            e.data for e in evidence_of(connection, full) if (e.kind, e.about) == (kind, about)
        ]:
            raise OtherEvidence(kind)


def evidence_of(connection: Connection, name: str) -> list[Evidence]:
    """All evidence of a version, oldest first, verified against its hash."""
    return [
        Evidence(EvidenceKind(kind), about, verified(hashed, data), by, at)
        for kind, about, data, hashed, by, at in connection.execute(_EVIDENCE, (name,)).fetchall()
    ]


def approvals_of(connection: Connection, name: str) -> list[Approval]:
    """What was said of a version, oldest first."""
    return [Approval(*row) for row in connection.execute(_APPROVALS, (name,)).fetchall()]


def write_promotion(connection: Connection, authority: Authority, done: Promotion) -> None:
    """Keep a promotion, in its own transaction."""
    values = (
        authority.tenant, done.at, done.by, done.kind, json.dumps(dict(done.slots)), json.dumps(dict(done.gates)),
        list(done.waived), done.reason,
    )  # fmt: skip
    connection.execute(_INSERT_PROMOTION, values)


def promotions_of(connection: Connection, slot: str, name: str) -> list[Promotion]:
    """Every promotion that put a version in force in a slot, oldest first."""
    rows = connection.execute(_PROMOTIONS, (json.dumps({slot: name}),)).fetchall()
    return [Promotion(*row) for row in rows]
