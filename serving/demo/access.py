"""The demo's people: a token and for the console a password each, kept beside the demo so that a second run is the same people."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from features.errors import Unauthenticated
from serving.access import operations
from serving.access.accounts import new_password, set_password
from serving.access.model import Role
from serving.access.repository import actor_of
from serving.access.users import users_of
from serving.clock import wall_clock
from serving.settings import Settings
from serving.store.engine import open_database

PEOPLE = {
    Role.ANALYST: "li-analyst",
    Role.RISK_OFFICER: "wang-risk-officer",
    Role.INTEGRATION_ENGINEER: "bank-system",
    Role.AUDITOR: "zhao-auditor",
    Role.ADMINISTRATOR: "admin",
}


def tokens(settings: Settings) -> dict[Role, str]:
    """A working token of each person, made where there is none."""
    path = _file(settings, "tokens")
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    found = {}
    for role, name in PEOPLE.items():
        token = kept.get(role.value, "")
        found[role] = (
            token if _works(settings, token) else operations.create_access(settings, name, [role.value])
        )
    _keep(path, {role.value: token for role, token in found.items()})
    return found


def passwords(settings: Settings) -> dict[str, str]:
    """A password by name of each person who opens the console; those that are kept still open it."""
    path, database, now = _file(settings, "passwords"), open_database(settings), wall_clock()
    kept = msgspec.json.decode(path.read_bytes(), type=dict[str, str]) if path.exists() else {}
    known = {user.name for user in users_of(database, settings.tenant, now) if user.password is not None}
    for role, name in PEOPLE.items():
        if role is not Role.INTEGRATION_ENGINEER and not (name in kept and name in known):
            kept[name] = new_password(name)
            set_password(database, settings.tenant, name, kept[name], now, must_change=False)
    _keep(path, kept)
    return kept


def _file(settings: Settings, name: str) -> Path:
    return settings.home / "demo" / f"{name}.json"


def _works(settings: Settings, token: str) -> bool:
    try:
        return bool(actor_of(open_database(settings), token, wall_clock()))
    except Unauthenticated:
        return False


def _keep(path: Path, found: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(found))
    draft.rename(path)
