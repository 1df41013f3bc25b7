"""What is set up, reachable, out of date; it looks and never mends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from features.errors import Invalid, YidaiError
from features.timeline.lake import Lake
from serving.access import tokens
from serving.access.users import users_of
from serving.clock import wall_clock
from serving.decisions.live import POLICY, NothingActive, is_policy, needed
from serving.policy.load import read_policy
from serving.registry import repository as registry_rows
from serving.settings import Settings
from serving.store.engine import Database, open_database
from serving.store.keys import KeyFile, KeyRing
from serving.store.migrate import is_current
from serving.store.session import tenant_transaction

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `yidai doctor`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


def doctor(settings: Settings) -> list[Check]:
    """`yidai doctor`: what is set up, reachable, out of date. Never raises."""
    found = [_check("master key", lambda: _key(settings), "Restore the key file.")]
    found.append(_check("lake", lambda: _lake(settings), "Run `yidai ingest DIR`."))
    try:
        database = open_database(settings)
    except YidaiError as error:
        return [*found, Check("database", ok=False, detail=error.message, remedy=error.remedy)]
    schema = _check("database", lambda: _schema(database), "Run any `yidai` command that writes.")
    found.append(schema)
    if schema.ok:
        found.append(_check("registry", lambda: _active(settings, database), "Run `yidai models promote`."))
        found.append(_check("tokens", lambda: _tokens(settings, database), ""))
        found.append(_check("people", lambda: _people(settings, database), ""))
    found.append(_check("identity provider", lambda: _provider(settings), "See docs/security.md."))
    api = _port(settings, "api", settings.port, "Start it with `yidai serve`.")
    return [*found, api, _port(settings, "console", settings.console_port, _how_to_console(settings))]


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
    if KeyFile.read(settings.key_file).following is not None:
        raise Invalid(
            "a rotation of the master key was stopped.", remedy="`yidai keys rotate` goes on with it."
        )
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
        found = [slot for slot in slots if is_policy(slot)]
        if not found:
            raise NothingActive(POLICY)
        used: dict[str, str] = {}
        for slot in found:
            policy = read_policy(registry_rows.artifact_row(connection, slots[slot])[1])
            used |= needed(slots, policy, slot)
    return ", ".join(f"{slot} {name[:12]}" for slot, name in used.items())


def _tokens(settings: Settings, database: Database) -> str:
    keys = tokens.keys_of(database, settings.tenant, wall_clock())
    soon = tokens.ending(keys)
    opens = sum(key.state in {tokens.KeyState.LIVE, tokens.KeyState.ENDING} for key in keys)
    told = "".join(f"; {key.key} of {key.name} ends within {tokens.WARN_DAYS} days" for key in soon)
    return f"{opens} open{told}"


def _people(settings: Settings, database: Database) -> str:
    people = [one for one in users_of(database, settings.tenant, wall_clock()) if one.ended_at is None]
    able = [one for one in people if one.password is not None or one.identities]
    first = sum(one.must_change for one in able)
    told = f"; {first} with a first password still" if first else ""
    shut = [one.name for one in people if one not in able and not one.keys]
    told += f"; neither password, identity nor key: {', '.join(shut[:5])}" if shut else ""
    return f"{len(able)} of {len(people)} may sign in at the console{told}"


def _provider(settings: Settings) -> str:
    if not settings.oidc_issuer:
        return "none: people sign in with passwords"
    from serving.access.provider import Provider  # noqa: PLC0415 - half a second that only an installation with one pays

    Provider(settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, "").reach()
    return f"{settings.oidc_issuer} answers"


def _how_to_console(settings: Settings) -> str:
    over = settings.host not in LOOPBACK and not settings.console_url.startswith("https://")
    return "Put https before it and set YIDAI_CONSOLE_URL." if over else "Start it with `yidai console`."


def _port(settings: Settings, name: str, port: int, remedy: str) -> Check:
    with socket.socket() as probe:
        probe.settimeout(1)
        answers = probe.connect_ex((settings.host, port)) == 0
    detail = f"{settings.host}:{port} {'answers' if answers else 'is free'}"
    return Check(name, ok=True, detail=detail, remedy="" if answers else remedy)
