"""The people of a tenant: made, given other roles, ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from unicodedata import category, normalize
from uuid import UUID

from features.errors import Conflict, Invalid
from serving.access.model import Role
from serving.access.repository import new_id
from serving.access.sessions import actor_named, end_all, note
from serving.process.telling import NumberInText, holds_number
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction

MOST_NAME = 64
SYSTEMS = frozenset({Role.INTEGRATION_ENGINEER})
"""What somebody with a key that was made at the console may be."""
_MINUS = "\N{MINUS SIGN}"
_USERS = """
SELECT a.name, a.roles, a.created_at, a.ended_at, c.changed_at, c.must_change,
       ARRAY(SELECT l.subject FROM linked_identity l WHERE l.actor_id = a.actor_id ORDER BY 1),
       (SELECT count(*) FROM token t WHERE t.actor_id = a.actor_id AND t.revoked_at IS NULL
        AND (t.expires_at IS NULL OR t.expires_at > %s)),
       (SELECT max(s.seen_at) FROM console_session s WHERE s.actor_id = a.actor_id)
FROM actor a LEFT JOIN account c USING (actor_id) WHERE a.tenant_id = %s ORDER BY a.ended_at IS NOT NULL, a.name"""


class NameTaken(Conflict):
    """Somebody has that name or one that looks like it, or had it: what was done under it must stay whose it was."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} exists already.", place="name", remedy="Take another name.")


class WrongName(Invalid):
    """A name that cannot be told apart or printed."""

    def __init__(self) -> None:
        super().__init__(
            "a name is 1 to 64 printed characters, none of them a slash or one of another width or form (NFKC), without a "
            "space at either end, and not of dots alone.",
            place="name",
            remedy="Mend it.",
        )


class NoRole(Invalid):
    """Somebody who could do nothing."""

    def __init__(self) -> None:
        super().__init__("a person needs a role.", place="role", remedy=f"Known: {', '.join(Role)}.")


class OwnRoles(Conflict):
    """An administrator who changes or ends itself."""

    def __init__(self) -> None:
        super().__init__("nobody changes or ends itself.", remedy="Another administrator does.")


class KeyOfPerson(Conflict):
    """A key with which an administrator would be somebody else."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is a person, and a key would act as that person.",
            place="role",
            remedy="Keys at the console are for systems, with the role of an integration engineer and no other; a person's is made "
            "where the key file is: `yidai tokens create`.",
        )


@dataclass(frozen=True, slots=True)
class User:
    """A person or system of a tenant; instants are µs. ``password`` says since when there is one."""

    name: str
    roles: tuple[Role, ...]
    made_at: int
    ended_at: int | None
    password: int | None
    must_change: bool
    identities: tuple[str, ...]
    keys: int
    seen_at: int | None


def users_of(database: Database, tenant: str, now: int) -> list[User]:
    """Everybody of a tenant, those who were ended last."""
    with owner_transaction(database) as connection:
        rows = connection.execute(_USERS, (now, tenant)).fetchall()
    return [
        User(name, tuple(map(Role, roles)), made, ended, changed, bool(must), tuple(linked), keys, seen)
        for name, roles, made, ended, changed, must, linked, keys, seen in rows
    ]


def create_user(
    database: Database, tenant: str, name: str, roles: Collection[Role], now: int, by: UUID | None = None
) -> UUID:
    """A new person, who can sign in once there is a password or a linked identity.

    Raises:
        WrongName, NoRole, NameTaken.
        NumberInText: the name looks like somebody's number.
    """
    if not roles:
        raise NoRole
    check_name(name)
    wanted, actor = sorted(role.value for role in roles), new_id()
    with owner_transaction(database) as connection:
        _refuse_alike(connection, tenant, name)
        done = connection.execute(
            "INSERT INTO actor (actor_id, tenant_id, name, roles, created_at) VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (tenant_id, name) DO NOTHING",
            (actor, tenant, name, wanted, now),
        )
        if not done.rowcount:
            raise NameTaken(name)
        note(connection, tenant, by, "user.created", now, name, roles=wanted)
    return actor


def set_roles(
    database: Database, tenant: str, name: str, roles: Collection[Role], now: int, by: UUID | None = None
) -> None:
    """Give a person these roles and no others; its sessions end, so that nobody goes on with what it had.

    Where a person does that (``by``) and it is no system any more, its keys end too: none that was made for a system acts
    as a person afterwards.

    Raises:
        UnknownActor, NoRole, OwnRoles.
    """
    if not roles:
        raise NoRole
    wanted = sorted(role.value for role in roles)
    with owner_transaction(database) as connection:
        actor = actor_named(connection, tenant, name)
        if actor == by:
            raise OwnRoles
        connection.execute("UPDATE actor SET roles = %s WHERE actor_id = %s", (wanted, actor))
        end_all(connection, tenant, actor, now, by=by)
        if by is not None and not SYSTEMS.issuperset(roles):
            _end_keys(connection, tenant, actor, name, now, by)
        note(connection, tenant, by, "user.roles", now, name, roles=wanted)


def end_user(database: Database, tenant: str, name: str, now: int, by: UUID | None = None) -> None:
    """End a person for good: no session, key or identity opens any more, and the name is not given again. An identity of
    the provider's may be linked to somebody else afterwards, who has another name.

    Raises:
        UnknownActor, OwnRoles.
    """
    with owner_transaction(database) as connection:
        actor = actor_named(connection, tenant, name)
        if actor == by:
            raise OwnRoles
        connection.execute("UPDATE actor SET ended_at = %s WHERE actor_id = %s", (now, actor))
        _end_keys(connection, tenant, actor, name, now, by)
        connection.execute("DELETE FROM linked_identity WHERE actor_id = %s", (actor,))
        end_all(connection, tenant, actor, now, by=by)
        note(connection, tenant, by, "user.ended", now, name)


def check_name(name: str) -> None:
    """Refuse a name that cannot be printed, told apart or put into an address.

    Raises:
        WrongName.
        NumberInText: it looks like somebody's number; names are told where numbers never are.
    """
    spoilt = not name.isprintable() or "/" in name or normalize("NFKC", name) != name
    if not name or len(name) > MOST_NAME or name != name.strip() or spoilt or name in {".", ".."}:
        raise WrongName
    if holds_number(name):
        raise NumberInText("name")


def skeleton(name: str) -> str:
    """What people see of a name: two with the same one cannot be told apart by case, width, dashes or spaces."""
    folded = normalize("NFKC", normalize("NFKC", name).casefold())
    dashed = "".join("-" if category(each) == "Pd" or each == _MINUS else each for each in folded)
    return " ".join(dashed.split())


def _refuse_alike(connection: Connection, tenant: str, name: str) -> None:
    """Refuse what looks like the name of somebody else; two who are made at once follow each other."""
    connection.execute("SELECT 1 FROM tenant WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant,))
    held = connection.execute("SELECT name FROM actor WHERE tenant_id = %s", (tenant,)).fetchall()
    if skeleton(name) in {skeleton(one) for (one,) in held}:
        raise NameTaken(name)


def _end_keys(connection: Connection, tenant: str, actor: UUID, name: str, now: int, by: UUID | None) -> None:
    done = connection.execute(
        "UPDATE token SET revoked_at = %s WHERE actor_id = %s AND revoked_at IS NULL", (now, actor)
    ).rowcount
    if done:
        note(connection, tenant, by, "token.revoked", now, name, keys=done)
