"""What commands do, as plain functions: each takes settings and returns a value."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from features.errors import Invalid, YidaiError
from features.timeline.lake import Lake
from serving.access.model import Authority, Permission, Role
from serving.access.repository import actor_of, create_tenant, create_token
from serving.app import run
from serving.decisions.live import NothingActive, needed
from serving.decisions.replay import Replayed
from serving.decisions.replay import replay as replay_decisions
from serving.policy.load import load_policy
from serving.registry import repository as registry_rows
from serving.registry import service as registry
from serving.registry.service import Kind, Verdict
from serving.services import close_services, open_services, wall_clock
from serving.settings import Settings
from serving.store.engine import Database, open_database
from serving.store.keys import KeyRing
from serving.store.migrate import is_current, migrate
from serving.store.session import tenant_transaction
from serving.store.vault import PostgresVault


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `yidai doctor`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def prepare(settings: Settings) -> Database:
    """The database, started, migrated, with the settings' tenant in it. May be run again.

    Raises:
        ServerDown: it cannot be reached or started.
    """
    database = open_database(settings)
    migrate(database)
    create_tenant(database, settings.tenant, settings.tenant, wall_clock())
    return database


def vault_of(settings: Settings, database: Database) -> PostgresVault:
    """The vault for an ingest."""
    return PostgresVault(database, KeyRing.open(settings.key_file))


def serve(settings: Settings) -> None:
    """`yidai serve`: until stopped."""
    prepare(settings)
    run(settings)


def create_access(settings: Settings, name: str, roles: Iterable[str]) -> str:
    """`yidai tokens create`: a bearer token for an actor of the settings' tenant, shown once.

    Raises:
        Invalid: a role that does not exist.
    """
    known = {role.value: role for role in Role}
    wanted = list(roles)
    for role in wanted:
        if role not in known:
            raise Invalid(f"there is no role {role!r}.", remedy=f"Roles: {', '.join(known)}.")
    return create_token(prepare(settings), settings.tenant, name, [known[r] for r in wanted], wall_clock())


def authority(settings: Settings, database: Database, permission: Permission) -> Authority:
    """Who runs a command (YIDAI_TOKEN), for one permission.

    Raises:
        NobodyKnown, NotPermitted.
    """
    return actor_of(database, settings.token, wall_clock()).allowed(permission)


def submit(settings: Settings, kind: str, data: bytes, note: str = "") -> str:
    """Check and store a version as YIDAI_TOKEN's actor; returns its digest."""
    database = prepare(settings)
    asker = authority(settings, database, Permission.SUBMIT)
    return registry.submit(database, asker, Kind(kind), data, wall_clock(), note=note)


def approve(settings: Settings, name: str, *, refused: bool = False, reason: str = "") -> None:
    """Say yes or no to somebody else's version as YIDAI_TOKEN's actor."""
    database = prepare(settings)
    asker = authority(settings, database, Permission.APPROVE)
    verdict = Verdict.REFUSED if refused else Verdict.APPROVED
    registry.approve(database, asker, name, wall_clock(), verdict=verdict, reason=reason)


def activate(settings: Settings, slot: str, name: str) -> None:
    """Put an approved version in force as YIDAI_TOKEN's actor."""
    database = prepare(settings)
    asker = authority(settings, database, Permission.ACTIVATE)
    registry.activate(database, asker, slot, name, wall_clock())


def active(settings: Settings, at: int | None = None) -> dict[str, str]:
    """Digest by slot at a moment (now, if none is given)."""
    database = prepare(settings)
    asker = authority(settings, database, Permission.READ_REGISTRY)
    return registry.active_at(database, asker, wall_clock() if at is None else at)


def replay(settings: Settings, decision_id: UUID | None = None) -> Iterator[Replayed]:
    """`yidai replay`: one decision, or all where none is named."""
    database = prepare(settings)
    return replay_decisions(settings, database, authority(settings, database, Permission.REPLAY), decision_id)


def rehydrate(settings: Settings) -> int:
    """After an ingest: bring every online subject of the tenant up to the lake; returns how many."""
    database = prepare(settings)
    return asyncio.run(_rehydrate(settings, database))


def doctor(settings: Settings) -> list[Check]:
    """`yidai doctor`: what is set up, reachable, out of date. Never raises."""
    found = [_check("master key", lambda: _key(settings), "Restore the key file.")]
    found.append(_check("lake", lambda: _lake(settings), "Run `yidai ingest DIR`."))
    try:
        database = open_database(settings)
    except YidaiError as error:
        return [*found, Check("database", ok=False, detail=error.message, remedy=error.remedy)]
    found.append(_check("database", lambda: _schema(database), "Run any `yidai` command that writes."))
    found.append(_check("registry", lambda: _active(settings, database), "Run `yidai models promote`."))
    return [*found, _port(settings)]


async def _rehydrate(settings: Settings, database: Database) -> int:
    held = await open_services(settings, database, wall_clock)
    try:
        return await held.consents.rehydrate(settings.tenant)
    finally:
        await close_services(held)


def _check(name: str, look: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, ok=True, detail=look())
    except YidaiError as error:
        return Check(name, ok=False, detail=error.message, remedy=error.remedy or remedy)


def _key(settings: Settings) -> str:
    if not settings.key_file.exists():
        return "not made yet"
    mode = settings.key_file.stat().st_mode & 0o777
    if mode & 0o077:
        raise Invalid(f"others may read {settings.key_file}.", remedy=f"chmod 600 {settings.key_file}")
    return f"key {KeyRing.open(settings.key_file).identity}"


def _lake(settings: Settings) -> str:
    version = Lake(settings.lake_root).next_version() - 1
    if version == 0:
        raise Invalid("nothing was ingested yet.")
    return f"{version} ingest batches"


def _schema(database: Database) -> str:
    if not is_current(database):
        raise Invalid("migrations are missing.")
    return "reachable, schema up to date"


def _active(settings: Settings, database: Database) -> str:
    with tenant_transaction(database, settings.tenant) as connection:
        slots = registry_rows.active(connection, wall_clock())
        if "policy" not in slots:
            raise NothingActive("policy")
        used = needed(slots, load_policy(registry_rows.artifact_row(connection, slots["policy"])[1]))
    return ", ".join(f"{slot} {name[:12]}" for slot, name in used.items())


def _port(settings: Settings) -> Check:
    with socket.socket() as probe:
        probe.settimeout(1)
        answers = probe.connect_ex((settings.host, settings.port)) == 0
    detail = f"{settings.host}:{settings.port} {'answers' if answers else 'is free'}"
    return Check("api", ok=True, detail=detail, remedy="" if answers else "Start it with `yidai serve`.")
