"""What the commands of documents with a shipped default do: each takes settings and returns a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from features.calendar import iso
from features.errors import Integrity, Invalid
from serving import operations
from serving.access.model import Authority, Permission
from serving.clock import wall_clock
from serving.governance import promotion
from serving.governance.promotion import Promoted
from serving.policy.findings import Finding, error
from serving.registry import documents, repository
from serving.registry import service as registry
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import tenant_transaction


class Version(NamedTuple):
    """A document with its digest, in force from ``since`` until ``until`` (µs; 0: without end); no digest if shipped."""

    digest: str
    document: Any
    since: int = 0
    until: int = 0


def check(kind: Kind, path: Path) -> list[Finding]:
    """What is wrong with a file, the first of it."""
    try:
        documents.from_file(kind, path)
    except (Invalid, Integrity) as broken:
        return [error("document", broken.place or str(path), broken.message, broken.remedy or "")]
    return []


def standing(settings: Settings, kind: Kind) -> list[Version]:
    """The versions in force and those that are to begin; the shipped one where nothing was ever approved."""
    database, now = open_store(settings), wall_clock()
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        rows = [row for row in repository.history(connection) if row["slot"] == kind.value]
        found = [
            Version(row["digest"], documents.read(kind, registry.artifact(connection, row["digest"]).data),
                    row["active_from"], row["active_to"] or 0)
            for row in rows
            if row["active_to"] is None or row["active_to"] > now
        ]  # fmt: skip
    if any(one.since <= now for one in found):
        return found
    return [Version("", documents.shipped(kind)), *found]


def version_of(settings: Settings, kind: Kind, name: str) -> Version:
    """A version by its digest; what is in force without one.

    Raises:
        UnknownArtifact, WrongKind: there is none such.
    """
    if not name:
        return standing(settings, kind)[0]
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, name)
    of_kind(found, kind)
    return Version(found.digest, documents.read(kind, found.data))


def write(version: Version, path: Path) -> None:
    """A version as YAML that ``check`` and ``submit`` take."""
    told = msgspec.to_builtins(version.document)
    text = yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=120)
    path.write_text(f"# {version.digest or 'As shipped'}.\n{text}", encoding="utf-8")


def activate(settings: Settings, kind: Kind, name: str, begin: int | None = None) -> Promoted:
    """Put an approved version in force in the slot of its kind, now or at a later moment.

    Raises:
        WrongKind, GatesMissed, Scheduled, UnknownArtifact, Invalid: nothing changed.
    """
    database = open_store(settings)
    asker = operations.authority(settings, database, Permission.ACTIVATE)
    return activate_by(database, asker, kind, name, begin, wall_clock())


def activate_by(
    database: Database, asker: Authority, kind: Kind, name: str, begin: int | None, now: int
) -> Promoted:
    """As ``activate``, for whoever asks."""
    asker.holds(Permission.ACTIVATE)
    if begin is not None and begin <= now:
        problem = f"{iso(begin)} is not in the future."
        raise Invalid(problem, place="--from", remedy="Leave it out: it begins now.")
    with tenant_transaction(database, asker.tenant) as connection:
        found = registry.artifact(connection, name)
    of_kind(found, kind)
    return promotion.promote(database, asker, {kind.value: found.digest}, now, begin=begin)


class WrongKind(Invalid):
    """A version of another kind."""

    def __init__(self, name: str, kind: Kind) -> None:
        problem = f"{name[:12]} is a {kind.value}."
        super().__init__(problem, remedy="`yidai models promote` puts it in force.")


def of_kind(found: registry.Artifact, kind: Kind) -> None:
    """Nothing, where a version is of a kind.

    Raises:
        WrongKind: it is not.
    """
    if found.kind is not kind:
        raise WrongKind(found.digest, found.kind)
