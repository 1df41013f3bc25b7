"""`yidai models inventory`, `show` and `retire`: the models that there are, and what hangs on each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from features.consent import Access, Purpose
from features.definitions.plan import FeaturePlan
from features.errors import Conflict
from features.loans.rows import PLAIN
from features.timeline.door import Door
from features.timeline.lake import Lake
from serving import operations
from serving.access.model import Authority, Permission
from serving.access.repository import actor_names
from serving.clock import wall_clock
from serving.governance.standing import BUNDLE, stand
from serving.policy.load import read_policy
from serving.registry import governance, repository
from serving.registry import service as registry
from serving.registry.governance import ModelEntry, Promotion, State
from serving.registry.heads import heads
from serving.registry.model import Kind
from serving.serve import open_store
from serving.settings import Settings
from serving.store.access_log import CommandLog
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction
from serving.watch.book import datasets, names, open_book
from training.bundle import load_bundle
from training.points import PointTable, point_table
from training.promotion import Standing

_DECIDED = """
SELECT subject_id, count(*) FROM decision WHERE outcome = 'approve' AND decided_at >= %s AND decided_at < %s
GROUP BY subject_id"""
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model: what the inventory says of it, its statutory kind, and where it stands.

    ``versions`` counts those that the registry holds; texts are empty where nobody registered it.
    """

    slot: str
    model_kind: str
    state: State
    in_force: str
    versions: int
    tier: int
    owner: str
    purpose: str
    limits: str


@dataclass(frozen=True, slots=True)
class VersionShown:
    """One version of a model, with its inventory, its evidence and how it stands at the gates now."""

    digest: str
    model: ModelRow
    author: str
    approvals: tuple[tuple[str, str, str], ...]
    evidence: tuple[tuple[str, int, str], ...]
    standings: tuple[Standing, ...]
    points: PointTable | None = None
    """Of a scorecard."""


@dataclass(frozen=True, slots=True)
class Touched:
    """What hangs on a model: approvals given while it was in force, and loans of these subjects that are open."""

    slot: str
    digest: str
    approvals: int
    subjects: int
    open_loans: tuple[str, ...]
    needed_by: str
    """The digest of the policy in force that reads it; empty if none does."""


class StillNeeded(Conflict):
    """A model that the policy in force decides by."""

    def __init__(self, slot: str, policy: str) -> None:
        super().__init__(
            f"the policy in force ({policy[:12]}) reads {slot}: without it every decision would be refused.",
            place=slot, remedy="Promote a policy that does not read it first, or another version of the model.",
        )  # fmt: skip


class NotInForce(Conflict):
    """A slot in which nothing is in force."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"nothing is in force in the slot {slot}.", place=slot, remedy="See: yidai models active."
        )


def register(settings: Settings, entry: ModelEntry) -> None:
    """Write what the inventory says of a model."""
    governance.register(*_asking(settings, Permission.SUBMIT), entry, wall_clock())


def inventory(settings: Settings) -> list[ModelRow]:
    """Every model that the registry or the inventory knows, by slot."""
    return models_of(*_asking(settings, Permission.READ_REGISTRY), wall_clock())


def models_of(database: Database, asker: Authority, now: int) -> list[ModelRow]:
    """As ``inventory``, for whoever asks; the number of queries does not grow with the models."""
    asker.holds(Permission.READ_REGISTRY)
    with tenant_transaction(database, asker.tenant) as connection:
        return list(_models(connection, now).values())


def show(settings: Settings, name: str) -> VersionShown:
    """One version; see ``VersionShown``.

    Raises:
        UnknownArtifact: none, or several, begin like this.
        NotInForce: a slot without a version in force was named.
    """
    return version_of(*_asking(settings, Permission.READ_REGISTRY), name, wall_clock())


def version_of(database: Database, asker: Authority, name: str, now: int) -> VersionShown:
    """As ``show``, for whoever asks."""
    asker.holds(Permission.READ_REGISTRY)
    names = actor_names(database, asker.tenant)
    with tenant_transaction(database, asker.tenant) as connection:
        if name.startswith(BUNDLE):
            name = _in_force(connection, name, now)
        found = registry.artifact(connection, name)
        bundle = load_bundle(found.data).bundle if found.kind is Kind.BUNDLE else None
        slot = found.kind.value if bundle is None else f"{BUNDLE}{bundle.model}"
        model = _models(connection, now).get(slot) or ModelRow(
            slot, "", _state(connection, slot, now), repository.active(connection, now).get(slot, ""),
            0, 0, "", "", "",
        )  # fmt: skip
        said = governance.approvals_of(connection, found.digest)
        held = governance.evidence_of(connection, found.digest)
        standings = stand(connection, {slot: found}, now)[slot]
    return VersionShown(
        found.digest, model, names.get(found.author, "(unknown)"),
        tuple((names.get(one.by, "(unknown)"), one.verdict, one.reason) for one in said),
        tuple((one.kind.value, one.added_at, names.get(one.added_by, "(unknown)")) for one in held), tuple(standings),
        None if bundle is None else point_table(bundle),
    )  # fmt: skip


def touched(settings: Settings, slot: str) -> Touched:
    """What hangs on the model in force in a slot. The book is read for managing loans, and the read is logged.

    Raises:
        NotInForce: nothing is.
    """
    return touched_by(settings, *_asking(settings, Permission.ACTIVATE), slot, wall_clock())


def touched_by(settings: Settings, database: Database, asker: Authority, slot: str, now: int) -> Touched:
    """As ``touched``, for whoever asks."""
    asker.holds(Permission.ACTIVATE)
    with tenant_transaction(database, asker.tenant) as connection:
        digest = _in_force(connection, slot, now)
        periods = [r for r in repository.history(connection) if (r["slot"], r["digest"]) == (slot, digest)]
        approved: dict[int, int] = {}
        for row in periods:
            until = NEVER if row["active_to"] is None else row["active_to"]
            for subject, count in connection.execute(_DECIDED, (row["active_from"], until)).fetchall():
                approved[subject] = approved.get(subject, 0) + count
        loans = _open_loans(settings, connection, asker.tenant, str(asker.actor.actor_id), set(approved))
        needed = _reader(connection, slot, now)
    return Touched(slot, digest, sum(approved.values()), len(approved), loans, needed)


def retire(settings: Settings, slot: str, reason: str) -> Touched:
    """End a model: nothing is in force in its slot from now on. What it decided stays and replays.

    Raises:
        StillNeeded: the policy in force reads it.
        NotInForce: nothing is in force there.
    """
    return retire_by(settings, *_asking(settings, Permission.ACTIVATE), slot, reason, wall_clock())


def retire_by(
    settings: Settings, database: Database, asker: Authority, slot: str, reason: str, now: int
) -> Touched:
    """As ``retire``, for whoever asks."""
    found = touched_by(settings, database, asker, slot, now)
    with tenant_transaction(database, asker.tenant) as connection:
        connection.execute(repository.LOCK_ACTIVATIONS, (asker.tenant,))
        digest, policy = _in_force(connection, slot, now), _reader(connection, slot, now)
        if policy:
            raise StillNeeded(slot, policy)
        registry.end(connection, asker, slot, digest, now)
        done = Promotion(now, asker.actor.actor_id, "retire", {slot: digest}, {}, (), reason)
        governance.write_promotion(connection, asker, done)
    return replace(found, digest=digest)


def _asking(settings: Settings, permission: Permission) -> tuple[Database, Authority]:
    database = open_store(settings)
    return database, operations.authority(settings, database, permission)


def _models(connection: Connection, now: int) -> dict[str, ModelRow]:
    entries = governance.entries(connection)
    rows = connection.execute(repository.OVERVIEW).fetchall()
    known = heads(connection, [digest for digest, kind, *_ in rows if kind == Kind.BUNDLE.value])
    of_slot: dict[str, list[str]] = {slot: [] for slot in entries}
    for digest, head in known.items():
        of_slot.setdefault(f"{BUNDLE}{head.model}", []).append(digest)
    active, ever = repository.active(connection, now), {row["slot"] for row in repository.history(connection)}
    found = {}
    for slot in sorted(of_slot):
        versions, entry = of_slot[slot], entries.get(slot, ModelEntry("", 0, "", "", ""))
        digest = active.get(slot, "")
        named = digest or (versions[-1] if versions else "")
        kind, state = known[named].model_kind if named else "", _state_of(digest, ever=slot in ever)
        texts = (entry.owner, entry.purpose, entry.limits)
        found[slot] = ModelRow(slot, kind, state, digest, len(versions), entry.tier, *texts)
    return found


def _state(connection: Connection, slot: str, now: int) -> State:
    ever = any(row["slot"] == slot for row in repository.history(connection))
    return _state_of(repository.active(connection, now).get(slot, ""), ever=ever)


def _state_of(active: str, *, ever: bool) -> State:
    return State.IN_FORCE if active else State.RETIRED if ever else State.IN_DEVELOPMENT


def _in_force(connection: Connection, slot: str, now: int) -> str:
    found = repository.active(connection, now).get(slot, "")
    if not found:
        raise NotInForce(slot)
    return found


def _reader(connection: Connection, slot: str, now: int) -> str:
    """The policy in force, if it decides by this model."""
    digest = repository.active(connection, now).get("policy", "")
    if not digest:
        return ""
    document = read_policy(registry.artifact(connection, digest).data).document
    return digest if slot == f"{BUNDLE}{document.pd_model}" else ""


def _open_loans(
    settings: Settings, connection: Connection, tenant: str, actor: str, subjects: set[int]
) -> tuple[str, ...]:
    """The bank's own numbers of the open loans of these subjects."""
    now = operations.moment_of(settings)
    definitions = repository.active(connection, wall_clock()).get("definitions", "")
    if not subjects or not definitions or not settings.lake_root.is_dir():
        return ()
    lake = Lake(settings.lake_root)
    contracts = FeaturePlan.load(registry.artifact(connection, definitions).data).contracts
    access = Access(actor, Purpose.POST_LOAN_MANAGEMENT, tenant, now)
    read = Door(lake, access, CommandLog(connection, tenant)).whole(contracts, datasets(contracts))
    if not set(PLAIN) <= set(read.tables):
        return ()
    book, named = open_book(read.tables, now), names(lake, connection, feeds=tenant == settings.tenant)
    pairs = zip(book.loan.tolist(), book.subject.tolist(), strict=True)
    return tuple(named.get(loan, str(loan)) for loan, subject in pairs if subject in subjects)
