"""A version of a model beside the one in force: the figures of both, what was compared, and when each was in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.access.model import Authority, Permission
from serving.access.repository import actor_names
from serving.governance.inventory import VersionShown, version_of
from serving.registry import governance, repository
from serving.registry.governance import Evidence
from serving.registry.heads import Head, heads
from serving.registry.model import EvidenceKind, Kind
from serving.registry.overview import NOBODY
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from training.promotion import NEVER_WAIVED, Comparison, Gate, ReportFigures, Standing, read_evidence


@dataclass(frozen=True, slots=True)
class Put:
    """A promotion of a version, a rollback to it, or its end; moments in µs."""

    at: int
    kind: str
    by: str
    waived: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """All that a second person weighs before it says yes.

    ``champion`` is what is in force in the slot, empty where nothing or this version itself is; ``compared`` the pair on
    the same rows, None before somebody compared them. ``beside`` is the digest of the definitions that would have to go
    into force with it: empty where they are in force, or where the registry does not hold them.
    """

    shown: VersionShown
    head: Head
    report: ReportFigures | None
    champion: str
    champion_report: ReportFigures | None
    compared: Comparison | None
    beside: str
    put: tuple[Put, ...]

    @property
    def missed(self) -> tuple[Standing, ...]:
        """The gates that refuse a promotion now."""
        return tuple(one for one in self.shown.standings if not one.met)

    @property
    def waivable(self) -> tuple[Gate, ...]:
        """Of these, the ones that somebody other than the author may waive."""
        return tuple(one.gate for one in self.missed if one.gate not in NEVER_WAIVED)


def weigh(database: Database, asker: Authority, name: str, now: int) -> Weighed:
    """A version of a model, by its whole digest.

    Raises:
        UnknownArtifact: there is none such.
    """
    asker.holds(Permission.READ_REGISTRY)
    shown = version_of(database, asker, name, now)
    digest, slot = shown.digest, shown.model.slot
    names = actor_names(database, asker.tenant)
    with tenant_transaction(database, asker.tenant) as connection:
        active = repository.active(connection, now)
        champion = active.get(slot, "").replace(digest, "")
        own = governance.evidence_of(connection, digest)
        other = governance.evidence_of(connection, champion) if champion else []
        promotions = governance.promotions_of(connection, slot, digest)
        head = heads(connection, [digest])[digest]
        beside = _beside(connection, head, active.get("definitions", ""))
    put = [
        Put(one.at, one.kind, names.get(one.by, NOBODY), tuple(one.waived), one.reason) for one in promotions
    ]
    return Weighed(
        shown, head, _report(own), champion, _report(other), _comparison(own, champion), beside, tuple(put)
    )


def _beside(connection: Connection, head: Head, in_force: str) -> str:
    own = head.definitions_digest
    if own == in_force:
        return ""
    held = {row[0] for row in connection.execute(repository.OVERVIEW) if row[1] == Kind.DEFINITIONS.value}
    return own if own in held else ""


def _report(held: Sequence[Evidence]) -> ReportFigures | None:
    for one in held:
        if one.kind is EvidenceKind.REPORT:
            found = read_evidence(one.kind.value, one.data)
            assert isinstance(found, ReportFigures)
            return found
    return None


def _comparison(held: Sequence[Evidence], champion: str) -> Comparison | None:
    for one in held:
        if champion and one.kind is EvidenceKind.COMPARISON and one.about == champion:
            found = read_evidence(one.kind.value, one.data)
            assert isinstance(found, Comparison)
            return found
    return None
