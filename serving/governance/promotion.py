"""Putting versions in force: gates, activations, the record of both and the job for MLflow, in one transaction.

A gate that is missed changes nothing. Where it is about a figure, somebody other than the author may waive it with a
reason, which is kept; what is about integrity (two persons, test vectors, the definitions) nobody may.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from features.errors import Conflict, Invalid
from serving.access.model import Authority, Permission
from serving.governance.standing import BUNDLE, Standings, stand
from serving.registry import governance, repository
from serving.registry import service as registry
from serving.registry.fitting import check_policies
from serving.registry.governance import Promotion
from serving.registry.model import EvidenceKind
from serving.registry.service import Artifact
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from serving.work.repository import enqueue
from training.promotion import NEVER_WAIVED, Comparison, Gate, Standing, digest_of, read_evidence

MIRROR = "mirror_champion"
"""The kind of job that lets MLflow's alias follow."""


class GatesMissed(Conflict):
    """A promotion that misses gates; nothing changed."""

    def __init__(self, missed: Mapping[str, Sequence[Standing]]) -> None:
        self.missed = missed
        told = [f"{slot}: {one}" for slot, standings in missed.items() for one in standings]
        more = "" if len(told) == 1 else f"{len(told)} gates are missed. "
        super().__init__(
            more + "\n".join(told), place=", ".join(missed),
            remedy="A gate about a figure may be waived by another than the author: --waive GATE --reason TEXT.",
        )  # fmt: skip


class NotWaived(Invalid):
    """A gate that cannot be waived, or not so."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="--waive", remedy=remedy)


class NothingBefore(Conflict):
    """A slot without an earlier version."""

    def __init__(self, slot: str, *, empty: bool) -> None:
        held = "has held no version" if empty else "held no other version before the one in force"
        super().__init__(
            f"the slot {slot} {held}.",
            place=slot,
            remedy="`yidai models active` shows what is in force; a later version is put in force again by activating it.",
        )


@dataclass(frozen=True, slots=True)
class Promoted:
    """What is in force now by slot, how each stood at its gates, and which of them were waived."""

    slots: Mapping[str, str]
    standings: Standings
    waived: tuple[str, ...]


def promote(
    database: Database,
    authority: Authority,
    wanted: Mapping[str, str],
    now: int,
    *,
    waived: Collection[str] = (),
    reason: str = "",
    begin: int | None = None,
) -> Promoted:
    """Put approved versions (digest by slot) in force together, now or at a later moment ``begin``.

    Raises:
        BrokenPolicy: a policy that would have no row within the year after it begins.
        GatesMissed: with the figure, the limit and what to do, for each.
        NotWaived: an unknown gate, one about integrity, no reason, or the author waives.
        WrongSlot, UnknownArtifact, RefusedByStore, ClockBehind, Invalid: as ``put_in_force``.
    """
    authority.holds(Permission.ACTIVATE)
    with tenant_transaction(database, authority.tenant) as connection:
        connection.execute(repository.LOCK_ACTIVATIONS, (authority.tenant,))
        found = {slot: registry.artifact(connection, name) for slot, name in wanted.items()}
        registry.check_slots(found)
        given = _waivable(authority, found, waived, reason)
        standings = stand(connection, found, now)
        _refuse(
            {slot: [s for s in all_ if not s.met and s.gate not in given] for slot, all_ in standings.items()}
        )
        done = {slot: one.digest for slot, one in found.items()}
        check_policies(connection, done, now if begin is None else begin)
        if registry.put_in_force(connection, authority, found, now, begin):
            _keep(connection, authority, "promote", done, standings, now, given, reason)
    return Promoted(done, standings, tuple(sorted(given)))


def rollback(database: Database, authority: Authority, slot: str, now: int) -> Promoted:
    """Put in force again what was in a slot before the present version first was, and in those slots that changed
    together with it. What is to begin in the slot on a later day is called off instead.

    Whether models and definitions belong together is looked at again; the other gates were when it went into force
    first, and every bundle is checked whenever it is read.

    Raises:
        NothingBefore: the present version is the slot's first one.
        GatesMissed, ClockBehind: nothing changed.
    """
    authority.holds(Permission.ACTIVATE)
    with tenant_transaction(database, authority.tenant) as connection:
        connection.execute(repository.LOCK_ACTIVATIONS, (authority.tenant,))
        if registry.scheduled(connection, slot, now):
            stays = registry.call_off(connection, authority, slot, now)
            return Promoted({slot: stays} if stays else {}, {}, ())
        before = _before(repository.history(connection), slot)
        found = {one: registry.artifact(connection, name) for one, name in before.items()}
        standings = stand(connection, found, now)
        _refuse({
            one: [s for s in all_ if not s.met and s.gate is Gate.DEFINITIONS]
            for one, all_ in standings.items()
        })  # fmt: skip
        registry.put_in_force(connection, authority, found, now)
        _keep(connection, authority, "rollback", before, standings, now, (), f"rollback of {slot}")
    return Promoted(before, standings, ())


def _waivable(
    authority: Authority, found: Mapping[str, Artifact], waived: Collection[str], reason: str
) -> frozenset[Gate]:
    if not waived:
        return frozenset()
    known = [gate.value for gate in Gate if gate not in NEVER_WAIVED]
    for name in waived:
        if name not in known:
            raise NotWaived(
                f"the gate {name!r} is none that may be waived.", f"Those may: {', '.join(known)}."
            )
    if not reason.strip():
        raise NotWaived("a gate is waived without a reason.", "Say --reason; it is kept with the promotion.")
    if any(one.author == authority.actor.actor_id for one in found.values()):
        raise NotWaived("the author of a version may not waive its gates.", "Ask a second person.")
    return frozenset(Gate(name) for name in waived)


def _refuse(missed: Mapping[str, Sequence[Standing]]) -> None:
    found = {slot: standings for slot, standings in missed.items() if standings}
    if found:
        raise GatesMissed(found)


def _before(rows: Sequence[Mapping[str, Any]], slot: str) -> dict[str, str]:
    """What was in force before the present version first was, by slot, of those slots whose change was one with this
    slot's. Counted from its first day, every step leads further back: a second rollback never goes forward again.
    """
    now = {row["slot"]: row["digest"] for row in rows if row["active_to"] is None}
    mine = [row for row in rows if row["slot"] == slot]
    if slot not in now and mine:
        return {slot: mine[-1]["digest"]}
    moments = {one: _first(rows, one, name) for one, name in now.items()}
    together = [one for one, moment in moments.items() if moment == moments.get(slot)]
    found = {one: name for one in together if (name := _ahead_of(rows, one, moments[one]))}
    if slot not in found:
        raise NothingBefore(slot, empty=slot not in now)
    return found


def _first(rows: Sequence[Mapping[str, Any]], slot: str, name: str) -> int:
    """When a version went into force in a slot for the first time, in µs."""
    return next(int(row["active_from"]) for row in rows if row["slot"] == slot and row["digest"] == name)


def _ahead_of(rows: Sequence[Mapping[str, Any]], slot: str, moment: int) -> str:
    """The last version that began in a slot before a moment; empty where none did."""
    earlier = [str(row["digest"]) for row in rows if row["slot"] == slot and row["active_from"] < moment]
    return earlier[-1] if earlier else ""


def _keep(
    connection: Connection,
    authority: Authority,
    kind: str,
    slots: Mapping[str, str],
    standings: Standings,
    now: int,
    waived: Collection[str],
    reason: str,
) -> None:
    gates = {slot: [msgspec.to_builtins(one) for one in all_] for slot, all_ in standings.items()}
    by = authority.actor.actor_id
    done = Promotion(now, by, kind, slots, gates, sorted(waived), reason)
    governance.write_promotion(connection, authority, done)
    follow(connection, authority, [slot for slot in slots if slot.startswith(BUNDLE)], now)


def follow(connection: Connection, authority: Authority, slots: Sequence[str], now: int) -> None:
    """Let MLflow's alias follow each of these slots after the commit, as often as it takes."""
    for slot in slots:
        enqueue(
            connection, MIRROR, f"{authority.tenant}:{slot}:{now}", now, tenant=authority.tenant, slot=slot
        )


def attach(
    database: Database, authority: Authority, name: str, kind: EvidenceKind, data: bytes, now: int
) -> None:
    """Keep evidence about a version, if it is of that version.

    Raises:
        BrokenEvidence, Invalid: it cannot be read, or speaks of another bundle.
        OtherEvidence: there is another of that kind.
    """
    found = read_evidence(kind.value, data)
    with tenant_transaction(database, authority.tenant) as connection:
        full = registry.artifact(connection, name).digest
    if digest_of(found) != full:
        problem = f"it speaks of the bundle {digest_of(found)[:12]}, not of {full[:12]}."
        raise Invalid(problem, place=kind.value, remedy="Bring the file that lies beside that bundle.")
    about = found.champion if isinstance(found, Comparison) else ""
    governance.attach(database, authority, full, kind, data, now, about)
