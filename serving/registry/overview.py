"""Every version that the registry holds, and where it stands: for `yidai models list` and the console."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from serving.access.model import Authority, Permission
from serving.access.repository import actor_names
from serving.registry import repository
from serving.registry.model import Kind
from serving.store.engine import Database
from serving.store.session import tenant_transaction

NOBODY = "(unknown)"
"""Shown for an actor whose row is gone."""
_PERIODS = """
SELECT slot, digest, active_from, active_to, activated_by FROM activation
WHERE active_to IS NULL OR active_to > active_from ORDER BY active_from, slot"""


class VersionState(StrEnum):
    """Where a version stands."""

    SUBMITTED = "submitted"
    """It waits for a second person."""
    APPROVED = "approved"
    REFUSED = "refused"
    SCHEDULED = "scheduled"
    """It is to begin on a later day."""
    ACTIVE = "active"
    RETIRED = "retired"
    """It was in force once."""


@dataclass(frozen=True, slots=True)
class Period:
    """When a version was, is or will be in force in a slot, µs; ``until`` is None without an end."""

    slot: str
    digest: str
    since: int
    until: int | None
    by: str

    def holds(self, at: int) -> bool:
        """Whether it is in force at a moment."""
        return self.since <= at and (self.until is None or self.until > at)


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


def periods(database: Database, authority: Authority) -> list[Period]:
    """Every period of every slot, oldest first, without what was called off before it began."""
    authority.holds(Permission.READ_REGISTRY)
    names = actor_names(database, authority.tenant)
    with tenant_transaction(database, authority.tenant) as connection:
        rows = connection.execute(_PERIODS).fetchall()
    return [Period(row[0], row[1], row[2], row[3], names.get(row[4], NOBODY)) for row in rows]


def state_of(row: ArtifactRow, of_all: list[Period], now: int) -> VersionState:
    """Where a version stands at a moment, from what was said of it and from the periods of all slots."""
    own = [one for one in of_all if one.digest == row.digest]
    said = {verdict for _, verdict in row.approvals}
    if any(one.holds(now) for one in own):
        return VersionState.ACTIVE
    if any(one.since > now for one in own):
        return VersionState.SCHEDULED
    if own:
        return VersionState.RETIRED
    if "refused" in said:
        return VersionState.REFUSED
    return VersionState.APPROVED if said else VersionState.SUBMITTED
