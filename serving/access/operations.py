"""What ``yidai tokens``, ``yidai users`` and ``yidai keys`` do."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from features.calendar import DAY
from features.errors import Invalid, NotFound
from features.terminal import Step
from serving.access import users
from serving.access.accounts import new_password, set_password
from serving.access.model import Permission, Role, Scope
from serving.access.provider import link
from serving.access.repository import create_token, revoke_tokens
from serving.access.sessions import end_sessions
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


class NoProvider(NotFound):
    """Identities belong to a provider."""

    def __init__(self) -> None:
        super().__init__(
            "there is no identity provider.",
            place="YIDAI_OIDC_ISSUER",
            remedy="Name it in the settings first.",
        )


def add_user(settings: Settings, name: str, roles: Sequence[str], *, password: bool) -> str | None:
    """`yidai users create`: a person, and its first password where one is wanted.

    Raises:
        Invalid: a role that does not exist.
        WrongName, NoRole, NameTaken.
    """
    database, wanted = open_store(settings), [_named(Role, role, "role") for role in roles]
    users.create_user(database, settings.tenant, name, wanted, wall_clock())
    return give_password(settings, name) if password else None


def give_password(settings: Settings, name: str) -> str:
    """`yidai users password`: a first password, which is shown once.

    Raises:
        UnknownActor: nobody of that name.
    """
    made = new_password(name)
    set_password(open_store(settings), settings.tenant, name, made, wall_clock(), must_change=True)
    return made


def change_roles(settings: Settings, name: str, roles: Sequence[str]) -> None:
    """`yidai users roles`: these roles and no others.

    Raises:
        UnknownActor, NoRole, Invalid.
    """
    wanted = [_named(Role, role, "role") for role in roles]
    users.set_roles(open_store(settings), settings.tenant, name, wanted, wall_clock())


def link_identity(settings: Settings, name: str, subject: str) -> None:
    """`yidai users link`: an identity of the settings' provider.

    Raises:
        NoProvider, UnknownActor, LinkedElsewhere.
    """
    if not settings.oidc_issuer:
        raise NoProvider
    link(open_store(settings), settings.tenant, name, settings.oidc_issuer, subject, wall_clock())


def close_user(settings: Settings, name: str) -> None:
    """`yidai users end`: for good.

    Raises:
        UnknownActor.
    """
    users.end_user(open_store(settings), settings.tenant, name, wall_clock())


def sign_out(settings: Settings, name: str) -> int:
    """`yidai users sign-out`: end every session of a person; returns how many.

    Raises:
        UnknownActor.
    """
    return end_sessions(open_store(settings), settings.tenant, name, wall_clock())


def list_users(settings: Settings) -> list[users.User]:
    """`yidai users list`: everybody of the settings' tenant."""
    return users.users_of(open_store(settings), settings.tenant, wall_clock())


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
