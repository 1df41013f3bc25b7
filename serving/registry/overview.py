"""Every version that the registry holds, and where it stands: for `yidai models list` and the console."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from serving.access.model import Authority, Permission
from serving.access.repository import actor_names
from serving.registry import repository
from serving.registry.model import Kind
from serving.store.engine import Database
from serving.store.session import tenant_transaction

NOBODY = "(unknown)"
"""Shown for an actor whose row is gone."""


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """One version; ``approvals`` are (name, verdict) in the order in which they were said."""

    digest: str
    kind: Kind
    note: str
    author: str
    created_at: int
    approvals: tuple[tuple[str, str], ...]
    active_slots: tuple[str, ...]


def overview(database: Database, authority: Authority, at: int) -> list[ArtifactRow]:
    """The tenant's versions, oldest first; ``active_slots`` are those in which each is in force at ``at``."""
    authority.holds(Permission.READ_REGISTRY)
    names = actor_names(database, authority.tenant)
    with tenant_transaction(database, authority.tenant) as connection:
        artifacts = connection.execute(repository.OVERVIEW).fetchall()
        said = connection.execute(repository.VERDICTS).fetchall()
        active = repository.active(connection, at)
    verdicts: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, by, verdict in said:
        verdicts[name].append((names.get(by, NOBODY), verdict))
    slots: defaultdict[str, list[str]] = defaultdict(list)
    for slot, name in active.items():
        slots[name].append(slot)
    return [
        ArtifactRow(
            name, Kind(kind), note, names.get(author, NOBODY), made, tuple(verdicts[name]), tuple(slots[name])
        )
        for name, kind, note, author, made in artifacts
    ]
