"""Submit, approve, activate: two people for everything that decides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from features.calendar import iso
from features.canonical import digest
from features.errors import Conflict, Invalid
from serving.access.model import Authority, Permission
from serving.policy.lists import read_list
from serving.registry import repository
from serving.registry.fitting import check, check_fit
from serving.registry.model import Kind, Verdict
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from training.bundle import load_bundle

_SLOT = re.compile(
    r"(definitions|signals|classes|handling|playbooks|monitoring|scale|policy(\.[a-z][a-z0-9_]*)?|bundle\.[a-z][a-z0-9_]*|list\.[a-z][a-z0-9_]*)"
)

_AHEAD = 60_000_000
"""µs from which on a version is one that is to begin; what began so little later had the clock behind."""


class OwnApproval(Conflict):
    """The author approves."""

    def __init__(self) -> None:
        super().__init__(
            "the author of a version may not approve it.", remedy="Ask a second person.", code="own_approval"
        )


class VerdictStands(Conflict):
    """A person who said something else of this version before."""

    def __init__(self, verdict: str) -> None:
        super().__init__(
            f"you have {verdict} this version before, and a verdict is never changed.",
            remedy="Ask a third person, or have the version submitted anew.",
        )


class ClockBehind(Conflict):
    """An activation that would begin before the one that it ends."""

    def __init__(self, slot: str, since: int) -> None:
        super().__init__(
            f"the slot {slot} holds a version since {iso(since)}, which is not in the past.",
            place=slot,
            remedy="Send it again; if it stays, set the clock of this machine.",
        )


class Scheduled(Conflict):
    """A change of a slot that another version is to have on a later day."""

    def __init__(self, slot: str, since: int) -> None:
        super().__init__(
            f"another version begins in the slot {slot} on {iso(since)}.",
            place=slot,
            remedy="Call it off first: `yidai policy rollback`, or `yidai models rollback` with the slot.",
        )


class WrongSlot(Invalid):
    """A slot that does not take this kind of artifact."""

    def __init__(self, slot: str, kind: str) -> None:
        super().__init__(
            f"the slot {slot!r} does not take a {kind}.",
            remedy="Slots: policy, policy.<name>, list.<name>, definitions, signals, classes, handling, playbooks, monitoring, scale, bundle.<name>.",
        )


@dataclass(frozen=True, slots=True)
class Artifact:
    """A version and where it stands."""

    digest: str
    kind: Kind
    data: bytes
    author: UUID


def submit(
    database: Database, authority: Authority, kind: Kind, data: bytes, now: int, *, note: str = ""
) -> str:
    """Check and store a version; returns its digest. The same bytes again keep their first author.

    Raises:
        Invalid, Integrity: the bytes are not a document of that kind.
    """
    authority.holds(Permission.SUBMIT)
    check(kind, data)
    name, actor = digest(data), authority.actor.actor_id
    with tenant_transaction(database, authority.tenant) as connection:
        values = (authority.tenant, name, kind.value, data, note, actor, now)
        if connection.execute(repository.INSERT_ARTIFACT, values).rowcount:
            record(connection, authority.tenant, now, actor, "artifact.submitted", name, kind=kind.value)
    return name


def approve(
    database: Database,
    authority: Authority,
    name: str,
    now: int,
    *,
    verdict: Verdict = Verdict.APPROVED,
    reason: str = "",
) -> None:
    """Record what a second person says of a version; saying it again changes nothing.

    Raises:
        OwnApproval: the author.
        VerdictStands: the same person said the opposite before.
        UnknownArtifact: no such version.
    """
    authority.holds(Permission.APPROVE)
    actor = authority.actor.actor_id
    with tenant_transaction(database, authority.tenant) as connection:
        found = artifact(connection, name)
        if found.author == actor:
            raise OwnApproval
        values = (authority.tenant, found.digest, actor, now, verdict.value, reason)
        if connection.execute(repository.INSERT_APPROVAL, values).rowcount:
            record(connection, authority.tenant, now, actor, f"artifact.{verdict.value}", found.digest)
            return
        before = connection.execute(repository.SAID, (found.digest, actor)).fetchone()
        if before is not None and before[0] != verdict.value:
            raise VerdictStands(before[0])


def activate(database: Database, authority: Authority, slot: str, name: str, now: int) -> None:
    """Make an approved version the one in force from now on; what was in force ends. No gate is asked: see
    ``serving.governance.promotion``.

    Raises:
        as ``put_in_force``.
    """
    authority.holds(Permission.ACTIVATE)
    with tenant_transaction(database, authority.tenant) as connection:
        connection.execute(repository.LOCK_ACTIVATIONS, (authority.tenant,))
        put_in_force(connection, authority, {slot: artifact(connection, name)}, now)


def put_in_force(
    connection: Connection,
    authority: Authority,
    wanted: Mapping[str, Artifact],
    now: int,
    begin: int | None = None,
) -> dict[str, Artifact]:
    """Activate versions by slot, together, in a transaction that holds ``LOCK_ACTIVATIONS``; returns those that
    were not in force already. They begin now, or at a later moment ``begin``.

    Raises:
        WrongSlot: a slot takes another kind.
        RefusedByStore: nobody else has approved one.
        Invalid: one does not fit what is active beside it (a feature that the definitions lack).
        TwoPolicies: one would decide a product that another policy decides then.
        ClockBehind: what is in force began later than ``now``.
        Scheduled: another version is to begin later.
    """
    check_slots(wanted)
    since = now if begin is None else max(begin, now)
    before = repository.active(connection, since)
    new = {slot: found for slot, found in wanted.items() if before.get(slot) != found.digest}
    if new:
        chosen = {slot: found.digest for slot, found in new.items()}
        for moment in (since, *(row[0] for row in connection.execute(repository.BEGINNING, (since,)))):
            check_fit(connection, {**repository.active(connection, moment), **chosen})
    for slot, found in new.items():
        _begin(connection, authority, slot, found.digest, since, now)
    return new


def call_off(connection: Connection, authority: Authority, slot: str, now: int) -> str:
    """Take back what is to begin in a slot on a later day; returns what stays in force, or nothing.

    Raises:
        TwoPolicies, Invalid: what stays does not fit what else is to begin.
    """
    begun = connection.execute(repository.BEGUN, (slot,)).fetchone()
    assert begun is not None
    stays = repository.active(connection, now).get(slot, "")
    actor = authority.actor.actor_id
    connection.execute(repository.END_ACTIVATION, (begun[0], authority.tenant, slot))
    if stays:
        connection.execute(repository.INSERT_ACTIVATION, (authority.tenant, slot, stays, now, actor))
        for row in connection.execute(repository.BEGINNING, (now,)).fetchall():
            check_fit(connection, {**repository.active(connection, row[0]), slot: stays})
    record(connection, authority.tenant, now, actor, "artifact.called_off", stays, slot=slot)
    return stays


def scheduled(connection: Connection, slot: str, now: int) -> bool:
    """Whether a version is to begin in a slot on a later day."""
    begun = connection.execute(repository.BEGUN, (slot,)).fetchone()
    return begun is not None and begun[0] > now + _AHEAD


def end(connection: Connection, authority: Authority, slot: str, name: str, now: int) -> None:
    """End what is in force in a slot, with nothing after it.

    Raises:
        ClockBehind: it began later than ``now``.
    """
    _end(connection, authority, slot, now)
    record(connection, authority.tenant, now, authority.actor.actor_id, "artifact.ended", name, slot=slot)


def _begin(connection: Connection, authority: Authority, slot: str, name: str, since: int, now: int) -> None:
    actor = authority.actor.actor_id
    if scheduled(connection, slot, now):
        raise Scheduled(slot, connection.execute(repository.BEGUN, (slot,)).fetchall()[0][0])
    while connection.execute(repository.CALLED_OFF, (slot, since)).fetchone() is not None:
        since += 1  # that moment was taken back once: the next µs is as good
    _end(connection, authority, slot, since)
    connection.execute(repository.INSERT_ACTIVATION, (authority.tenant, slot, name, since, actor))
    record(connection, authority.tenant, now, actor, "artifact.activated", name, slot=slot, since=since)


def _end(connection: Connection, authority: Authority, slot: str, now: int) -> None:
    begun = connection.execute(repository.BEGUN, (slot,)).fetchone()
    if begun is not None and begun[0] >= now:
        raise ClockBehind(slot, begun[0])
    connection.execute(repository.END_ACTIVATION, (now, authority.tenant, slot))


def check_slots(wanted: Mapping[str, Artifact]) -> None:
    """Each version into a slot of its kind, a model under its own name only.

    Raises:
        WrongSlot: one is not.
    """
    for slot, found in wanted.items():
        if not _SLOT.fullmatch(slot) or slot.partition(".")[0] != found.kind.value:
            raise WrongSlot(slot, found.kind.value)
        if found.kind in {Kind.BUNDLE, Kind.LIST}:
            _check_name(slot, found)


def _check_name(slot: str, found: Artifact) -> None:
    if found.kind is Kind.BUNDLE:
        name = load_bundle(found.data).bundle.model
    else:
        name = read_list(found.data).document.list
    if slot != f"{found.kind.value}.{name}":
        raise WrongSlot(slot, f"{found.kind.value} {name!r}")


def active_at(database: Database, authority: Authority, at: int) -> dict[str, str]:
    """What was, is or will be in force at a moment: digest by slot."""
    authority.holds(Permission.READ_REGISTRY)
    with tenant_transaction(database, authority.tenant) as connection:
        return repository.active(connection, at)


def artifact(connection: Connection, name: str) -> Artifact:
    """One version, verified against its digest."""
    kind, data, author = repository.artifact_row(connection, name)
    return Artifact(digest(data), Kind(kind), data, author)
