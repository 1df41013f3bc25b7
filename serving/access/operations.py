"""What ``yidai tokens`` and ``yidai keys`` do."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from features.calendar import DAY
from features.errors import Invalid
from features.terminal import Step
from serving.access.model import Permission, Role, Scope
from serving.access.repository import create_token, revoke_tokens
from serving.access.tokens import Key, keys_of, rotate_token
from serving.clock import wall_clock
from serving.serve import open_store
from serving.settings import Settings
from serving.store.audit import record
from serving.store.rotation import Rotated, rotate
from serving.store.session import tenant_transaction

_Named = TypeVar("_Named", bound=StrEnum)


def create_access(
    settings: Settings,
    name: str,
    roles: Sequence[str],
    days: int | None = None,
    permissions: Sequence[str] = (),
    products: Sequence[str] = (),
) -> str:
    """`yidai tokens create`: a key for an actor of the settings' tenant, shown once.

    Raises:
        Invalid: a role or permission that does not exist.
        RolesDiffer: an actor of that name has other roles.
    """
    now = wall_clock()
    scope = Scope.of([_named(Permission, each, "permission") for each in permissions], products)
    wanted = [_named(Role, role, "role") for role in roles]
    ends = None if days is None else now + days * DAY
    return create_token(
        open_store(settings), settings.tenant, name, wanted, now, expires_at=ends, scope=scope
    )


def end_access(settings: Settings, name: str, key: str = "") -> int:
    """`yidai tokens revoke`: end every key of an actor, or the one that begins so; returns how many.

    Raises:
        UnknownActor: nobody of that name.
    """
    return revoke_tokens(open_store(settings), settings.tenant, name, wall_clock(), key)


def rotate_access(settings: Settings, name: str, hours: float, days: int | None) -> str:
    """`yidai tokens rotate`: a new key, shown once; the old one opens for so many hours more.

    Raises:
        UnknownActor, NoKey, SeveralScopes.
    """
    overlap = round(hours * 3_600_000_000)
    lasts = None if days is None else days * DAY
    return rotate_token(open_store(settings), settings.tenant, name, wall_clock(), overlap, lasts)


def list_access(settings: Settings) -> list[Key]:
    """`yidai tokens list`: the keys of the settings' tenant."""
    return keys_of(open_store(settings), settings.tenant, wall_clock())


def rotate_keys(settings: Settings, step: Step) -> Rotated:
    """`yidai keys rotate`: every data key under a new master key.

    Raises:
        RotationRuns, KeysRemain.
    """
    database, done = open_store(settings), 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        step("data keys", done, 0)

    found = rotate(database, settings.key_file, told)
    with tenant_transaction(database, settings.tenant) as connection:
        now = wall_clock()
        record(connection, settings.tenant, now, None, "master_key.rotated", "", wrapped=found.wrapped)
    return found


def _named(kind: type[_Named], value: str, what: str) -> _Named:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(each.value for each in kind)
        raise Invalid(f"there is no {what} {value!r}.", remedy=f"Known: {known}.") from None
