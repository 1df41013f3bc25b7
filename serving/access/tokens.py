"""The keys of a tenant: what each may do, when it was last used, when it ends; and a new one for an old one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from features.calendar import DAY
from features.errors import Conflict, NotFound
from serving.access.model import Scope
from serving.access.repository import UnknownActor, new_secret, token_hash
from serving.store.audit import record
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction

WARN_DAYS = 14
"""So many days before its end a key is warned about."""

_KEYS = """
SELECT a.name, a.roles, encode(t.token_hash, 'hex'), t.permissions, t.products, t.created_at, t.last_used_at,
       t.expires_at, t.revoked_at
FROM token t JOIN actor a USING (actor_id) WHERE a.tenant_id = %s ORDER BY a.name, t.created_at, t.token_hash"""
_LIVE = """
SELECT token_hash, permissions, products, created_at, expires_at FROM token
WHERE actor_id = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
ORDER BY created_at DESC, token_hash FOR UPDATE"""


class NoKey(NotFound):
    """An actor without a key that opens."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has no key that opens.", remedy="`yidai tokens create` makes one.")


class SeveralScopes(Conflict):
    """An actor whose keys may do different things: which of them the new one follows is not said."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has keys with several scopes.",
            remedy="Revoke those that are not to be followed: `yidai tokens revoke NAME --key ...`.",
        )


class KeyState(StrEnum):
    """Whether a key opens."""

    LIVE = "live"
    ENDING = "ending"
    """It opens, and ends within two weeks."""
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret: ``key`` is the beginning of its hash, instants are µs of UTC."""

    name: str
    roles: tuple[str, ...]
    key: str
    permissions: tuple[str, ...]
    products: tuple[str, ...]
    made_at: int
    last_used_at: int | None
    expires_at: int | None
    state: KeyState


def keys_of(database: Database, tenant: str, now: int) -> list[Key]:
    """Every key of a tenant, ended ones too."""
    with owner_transaction(database) as connection:
        return [_key(row, now) for row in connection.execute(_KEYS, (tenant,)).fetchall()]


def rotate_token(
    database: Database,
    tenant: str,
    name: str,
    now: int,
    overlap: int,
    lasts: int | None = None,
    by: UUID | None = None,
) -> str:
    """A new key with the scope of the old one, which opens for ``overlap`` µs more and then no longer.

    The new one lasts ``lasts`` µs, or as long as the old one was made for.

    Raises:
        UnknownActor: no such actor.
        NoKey: none to rotate.
        SeveralScopes: its keys may do different things.
    """
    secret = new_secret()
    with owner_transaction(database) as connection:
        actor = _locked(connection, tenant, name)
        live = connection.execute(_LIVE, (actor, now)).fetchall()
        if not live:
            raise NoKey(name)
        if len({Scope.read(row[1], row[2]) for row in live}) > 1:
            raise SeveralScopes(name)
        _, permissions, products, made, ends = live[0]
        ends = now + lasts if lasts is not None else None if ends is None else now + ends - made
        connection.execute(
            "UPDATE token SET expires_at = least(expires_at, %s) WHERE token_hash = ANY(%s)",
            (now + overlap, [row[0] for row in live]),
        )
        connection.execute(
            "INSERT INTO token (token_hash, actor_id, created_at, expires_at, permissions, products) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (token_hash(secret), actor, now, ends, permissions, products),
        )
        connection.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
        record(connection, tenant, now, by, "token.rotated", name, old_until=now + overlap)
    return secret


def ending(keys: Sequence[Key]) -> list[Key]:
    """The keys that end soon."""
    return [key for key in keys if key.state is KeyState.ENDING]


def _locked(connection: Connection, tenant: str, name: str) -> Any:
    """An actor, for this transaction only: two rotations at once follow each other."""
    found = connection.execute(
        "SELECT actor_id FROM actor WHERE tenant_id = %s AND name = %s FOR UPDATE", (tenant, name)
    ).fetchone()
    if found is None:
        raise UnknownActor(tenant, name)
    return found[0]


def _key(row: tuple[Any, ...], now: int) -> Key:
    name, roles, hashed, permissions, products, made, used, ends, revoked = row
    return Key(
        name, tuple(roles), hashed[:8], tuple(permissions or ()), tuple(products or ()), made, used, ends,
        _state(ends, revoked, now),
    )  # fmt: skip


def _state(ends: int | None, revoked: int | None, now: int) -> KeyState:
    if revoked is not None:
        return KeyState.REVOKED
    if ends is None or ends > now + WARN_DAYS * DAY:
        return KeyState.LIVE
    return KeyState.ENDING if ends > now else KeyState.EXPIRED
