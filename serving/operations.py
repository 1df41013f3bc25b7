"""What commands do, as plain functions: each takes settings and returns a value."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from features.canonical import canonical_bytes
from features.contracts.documents import read_yaml
from features.contracts.load import BUILTIN, load_contracts
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.errors import Invalid, Unavailable
from features.terminal import Step
from features.timeline.ingest import IngestReport, ingest_folder
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission
from serving.access.repository import actor_of
from serving.classes.document import ClassesDocument
from serving.clock import wall_clock
from serving.decisions.live import NothingActive
from serving.decisions.replay import Replayed
from serving.decisions.replay import replay as replay_decisions
from serving.governance import promotion
from serving.governance.promotion import Promoted
from serving.governance.standing import BUNDLE
from serving.policy.load import policy_from_yaml
from serving.quality.sources import judge
from serving.records.flush import flush
from serving.records.looking import Shown, alone, with_store
from serving.registry import repository as registry_rows
from serving.registry import service as registry
from serving.registry.documents import SORTS, from_file
from serving.registry.model import EvidenceKind, Kind, Verdict
from serving.registry.overview import ArtifactRow, overview
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing
from serving.store.session import Connection, tenant_transaction
from serving.store.vault import PostgresVault
from serving.watch import service as watching
from serving.watch.deriving import derive as derive_conduct
from serving.watch.inforce import in_force
from serving.watch.service import WatchReport
from serving.watch.signals import SignalsDocument
from training.bundle import Bundle, load_bundle
from training.portfolio import find_portfolio, load_portfolio
from training.tracking import mirror_champion


def ingest(settings: Settings, folder: Path, progress: Step | None = None) -> IngestReport:
    """`yidai ingest`: feeds into the lake, then every online subject up to the lake.

    Raises:
        HalfWritten, UnknownFeed, UnreadableFeed, LakeBusy: with the place; what was loaded stays.
    """
    database = open_store(settings)
    vault = PostgresVault(database, KeyRing.open(settings.key_file))
    contracts = load_contracts([BUILTIN])
    lake = Lake(settings.lake_root)
    flush(database, lake, contracts)  # so that a record that came alone is known when a file brings it again
    now = moment_of(settings)
    report = ingest_folder(folder, contracts, vault, lake, progress, now)
    judge(database, lake, contracts, now)
    if report.loaded:
        with_services(settings, database, lambda held: held.consents.rehydrate(settings.tenant))
    return report


def moment_of(settings: Settings) -> int:
    """As of when decisions are made: now, or the moment of a sample."""
    return settings.seen_at(wall_clock())


def show_subject(settings: Settings, subject: int, as_of: int, lake: Path | None = None) -> Shown:
    """`yidai features show`: a subject's features as of a moment (µs), from the settings' lake and store, or from
    another lake alone. Where there is no store, or it does not answer, the lake is read alone too.
    """
    plan, root = load_plan([BUILTIN], [DEFINITIONS]), lake or settings.lake_root
    there = lake is None and (settings.database_url or (settings.home / "postgres").is_dir())
    if there:
        with suppress(Unavailable):
            return with_store(
                plan, Lake(root), open_store(settings), settings.tenant, subject, as_of, wall_clock()
            )
    return alone(plan, Lake(root), subject, as_of, wall_clock())


def authority(settings: Settings, database: Database, permission: Permission) -> Authority:
    """Who runs a command (YIDAI_TOKEN), for one permission.

    Raises:
        NobodyKnown, NotPermitted.
    """
    return actor_of(database, settings.token, wall_clock()).allowed(permission)


def document_of(kind: Kind, source: str) -> bytes:
    """The canonical bytes of a version: a JSON file as it stands, a YAML file read as its kind; for
    definitions a portfolio, whose contracts and features are taken together.

    Raises:
        Invalid: there is no such file, or it is not of that kind.
    """
    if kind is Kind.DEFINITIONS:
        return load_portfolio(find_portfolio(source)).plan.document
    path = Path(source)
    if not path.is_file():
        raise Invalid("there is no such file.", place=source, remedy="Name a .json or .yaml file.")
    if path.suffix == ".json":
        return path.read_bytes()
    if kind is Kind.POLICY:
        return policy_from_yaml(path).data
    if kind is Kind.SIGNALS:
        return canonical_bytes(read_yaml(path, SignalsDocument))
    if kind in SORTS:
        return from_file(kind, path)
    if kind is Kind.CLASSES:
        return canonical_bytes(read_yaml(path, ClassesDocument))
    raise Invalid(f"a {kind.value} is submitted as JSON.", place=source, remedy="`yidai train` writes it.")


def submit(
    settings: Settings,
    kind: Kind,
    data: bytes,
    note: str = "",
    evidence: Mapping[EvidenceKind, bytes] | None = None,
) -> str:
    """Check and store a version with what is known of it, as YIDAI_TOKEN's actor; returns its digest."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    name = registry.submit(database, asker, kind, data, wall_clock(), note=note)
    for each, document in (evidence or {}).items():
        promotion.attach(database, asker, name, each, document, wall_clock())
    return name


def evidence_beside(path: Path) -> dict[EvidenceKind, bytes]:
    """The report and the test of fairness that lie beside a bundle's file, where they do."""
    kinds = (EvidenceKind.REPORT, EvidenceKind.FAIRNESS)
    found = {kind: path.with_name(f"{kind.value}.json") for kind in kinds}
    return {kind: file.read_bytes() for kind, file in found.items() if file.is_file()}


def approve(settings: Settings, name: str, *, refused: bool = False, reason: str = "") -> None:
    """Say yes or no to somebody else's version as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.APPROVE)
    verdict = Verdict.REFUSED if refused else Verdict.APPROVED
    registry.approve(database, asker, name, wall_clock(), verdict=verdict, reason=reason)


def promote(
    settings: Settings,
    slot: str,
    name: str,
    *,
    beside: Mapping[str, str] | None = None,
    waived: Collection[str] = (),
    reason: str = "",
) -> Promoted:
    """Put an approved version in force as YIDAI_TOKEN's actor, together with those of other slots ``beside`` it.

    For a model the alias `champion` follows in MLflow: at once where the server that is set answers, and by a job
    of the worker until it does.

    Raises:
        GatesMissed, NotWaived, WrongSlot, RefusedByStore, UnknownArtifact: nothing changed.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.ACTIVATE)
    wanted = {slot: name, **(beside or {})}
    done = promotion.promote(database, asker, wanted, wall_clock(), waived=waived, reason=reason)
    _mirror(database, asker, done)
    return done


def rollback(settings: Settings, slot: str) -> Promoted:
    """Put in force again what was in force in a slot before, and in those that changed with it.

    Raises:
        NothingBefore: the present version is the first one.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.ACTIVATE)
    done = promotion.rollback(database, asker, slot, wall_clock())
    _mirror(database, asker, done)
    return done


def _mirror(database: Database, asker: Authority, done: Promoted) -> None:
    for slot in done.slots:
        if slot.startswith(BUNDLE):
            digest, bundle = champion(database, asker.tenant, slot, wall_clock())
            if bundle is not None:
                mirror_champion(bundle.portfolio, bundle.model, digest)


def champion(database: Database, tenant: str, slot: str, now: int) -> tuple[str, Bundle | None]:
    """The digest and the model in force in a slot; none where nothing is."""
    with tenant_transaction(database, tenant) as connection:
        digest = registry_rows.active(connection, now).get(slot, "")
        data = registry.artifact(connection, digest).data if digest else b""
    return digest, load_bundle(data).bundle if digest else None


def versions(settings: Settings) -> list[ArtifactRow]:
    """`yidai models list`: every version, oldest first."""
    database = open_store(settings)
    return overview(database, authority(settings, database, Permission.READ_REGISTRY), wall_clock())


def active(settings: Settings, at: int | None = None) -> dict[str, str]:
    """Digest by slot at a moment (now, if none is given)."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_REGISTRY)
    return registry.active_at(database, asker, wall_clock() if at is None else at)


def replay(settings: Settings, decision_id: UUID | None = None) -> Iterator[Replayed]:
    """`yidai replay`: one decision, or all where none is named."""
    database = open_store(settings)
    return replay_decisions(settings, database, authority(settings, database, Permission.REPLAY), decision_id)


def watch(settings: Settings) -> WatchReport:
    """`yidai watch`: the active signals over the open book, as of now or of the sample's moment.

    Raises:
        NothingActive: no definitions or no signals are in force.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.HANDLE_ALERTS)
    now = wall_clock()
    with tenant_transaction(database, asker.tenant) as connection:
        means = in_force(connection, now)
    watcher = watching.Watcher.of(asker, feeds=asker.tenant == settings.tenant)
    return watching.watch_book(database, watcher, means, Lake(settings.lake_root), settings.seen_at(now), now)


def active_plan(connection: Connection, now: int) -> FeaturePlan:
    """The definitions that are in force.

    Raises:
        NothingActive: none are.
    """
    return FeaturePlan.load(_active(connection, "definitions", now).data)


def _active(connection: Connection, slot: str, now: int) -> registry.Artifact:
    slots = registry_rows.active(connection, now)
    if slot not in slots:
        raise NothingActive(slot)
    return registry.artifact(connection, slots[slot])


def derive(settings: Settings) -> int:
    """`yidai signals derive`: what only a join of the bank's own records shows, into the lake; returns how many events.

    Raises:
        LakeBusy: another process writes.
    """
    database = open_store(settings)
    asker = authority(settings, database, Permission.HANDLE_ALERTS)
    return derive_for(settings, database, watching.Watcher.of(asker))


def derive_for(settings: Settings, database: Database, watcher: watching.Watcher) -> int:
    """As ``derive``, for whoever looks; who is online follows."""
    now, lake = wall_clock(), Lake(settings.lake_root)
    with tenant_transaction(database, watcher.tenant) as connection:
        door = watching.door_for(connection, watcher, lake, now)
        stored = derive_conduct(lake, load_contracts([BUILTIN]), door, settings.seen_at(now))
    if stored:
        with_services(settings, database, lambda held: held.consents.rehydrate(settings.tenant))
    return stored
