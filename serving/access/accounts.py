"""Passwords of a small installation that has no identity provider: argon2id, and nobody may guess for long."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from features.errors import Invalid, TooMany, Unauthenticated
from serving.access.sessions import Lasting, Method, actor_named, begin, end_all, note
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction

SHORTEST, LONGEST = 12, 256
WINDOW = 15 * 60 * 1_000_000
OF_A_NAME, OF_AN_ADDRESS = 5, 50
"""Failed sign-ins of a name (or of a browser that its person has used) and of an address within a window (µs) after which
none is tried until it ends."""


class WrongPassword(Unauthenticated):
    """Name and password do not belong together; which of them is wrong is not said."""

    def __init__(self) -> None:
        super().__init__(
            "name or password is wrong.", remedy="Try again, or ask the administrator for a new one."
        )


class TooManySignIns(TooMany):
    """A name or an address failed too often."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            "too many sign-ins have failed.", remedy=f"Try again in {-(-seconds // 60)} minutes."
        )
        self.retry_after = seconds


class WeakPassword(Invalid):
    """A password that is easily guessed."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem, place="password", remedy=f"Take {SHORTEST} to {LONGEST} characters, best several words."
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in: to which tenant, as whom, with what, from where; ``browser`` tells one in which this person has signed in
    before (see ``serving.access.browsers``).
    """

    tenant: str
    name: str
    password: str = field(repr=False)
    address: str
    agent: str
    browser: str = field(default="", repr=False)


def new_password(name: str) -> str:
    """A password to begin with, of 96 random bits; whoever gets it changes it at the first sign-in. One that holds the
    name by chance, as it may a short one, is drawn anew: ``check_password`` would refuse it.
    """
    made = secrets.token_urlsafe(12)
    while name and name.casefold() in made.casefold():
        made = secrets.token_urlsafe(12)
    return made


def check_password(name: str, password: str) -> None:
    """Refuse what is easily guessed (NIST SP 800-63B-4, 3.1.1: length counts, no rules of composition).

    Raises:
        WeakPassword.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPassword(f"it has {len(password)} characters.")
    if name.casefold() in password.casefold() or len(set(password)) < 5:
        raise WeakPassword("it is the name, or a few characters again and again.")


def set_password(
    database: Database,
    tenant: str,
    name: str,
    password: str,
    now: int,
    *,
    must_change: bool,
    by: UUID | None = None,
) -> None:
    """Give a person a password; all its sessions end.

    Raises:
        UnknownActor: nobody of that name.
        WeakPassword.
    """
    check_password(name, password)
    hashed = _hasher().hash(password)
    with owner_transaction(database) as connection:
        actor = actor_named(connection, tenant, name)
        _keep(connection, actor, hashed, now, must_change=must_change)
        end_all(connection, tenant, actor, now, by=by)
        note(connection, tenant, by, "password.set", now, str(actor))


def change_password(database: Database, attempt: Attempt, password: str, now: int, lasting: Lasting) -> str:
    """Put a password of one's own in place of the old one; all sessions end, and a new one's secret is returned.

    Raises:
        WrongPassword, TooManySignIns: the old one.
        WeakPassword: the new one.
    """
    check_password(attempt.name, password)
    if password == attempt.password:
        raise WeakPassword("it is the old one.")
    actor = _proven(database, attempt, now)
    hashed = _hasher().hash(password)
    with owner_transaction(database) as connection:
        _keep(connection, actor, hashed, now, must_change=False)
        end_all(connection, attempt.tenant, actor, now, by=actor)
        note(connection, attempt.tenant, actor, "password.changed", now)
        return begin(connection, attempt.tenant, actor, Method.PASSWORD, attempt.agent, now, lasting)


def sign_in(database: Database, attempt: Attempt, now: int, lasting: Lasting) -> str:
    """The secret of a new session.

    Raises:
        WrongPassword: whatever does not fit.
        TooManySignIns: nothing was tried.
    """
    actor = _proven(database, attempt, now)
    with owner_transaction(database) as connection:
        return begin(connection, attempt.tenant, actor, Method.PASSWORD, attempt.agent, now, lasting)


def _proven(database: Database, attempt: Attempt, now: int) -> UUID:
    """Who it is. A failure is counted before the password is looked at, so that nobody tries many at once."""
    if "\0" in attempt.tenant + attempt.name:
        raise WrongPassword
    limits = _limits(attempt)
    with owner_transaction(database) as connection:
        found = connection.execute(
            "SELECT a.actor_id, c.password FROM actor a JOIN account c USING (actor_id)"
            " WHERE a.tenant_id = %s AND a.name = %s AND a.ended_at IS NULL",
            (attempt.tenant, attempt.name),
        ).fetchone()
        for who, most in limits.items():
            _count(connection, who, most, now)
        connection.execute("DELETE FROM failed_sign_in WHERE first_at < %s", (now - WINDOW,))
    if not _fits(found[1] if found else _nobodys(), attempt.password) or found is None:
        raise WrongPassword
    with owner_transaction(database) as connection:
        connection.execute("DELETE FROM failed_sign_in WHERE who = ANY (%s)", (list(limits)[:1],))
        connection.execute(
            "UPDATE failed_sign_in SET failures = failures - 1 WHERE who = ANY (%s)", (list(limits)[1:],)
        )
    actor: UUID = found[0]
    return actor


def _limits(attempt: Attempt) -> dict[bytes, int]:
    """What a sign-in is counted under, and how often each may fail; the first is forgotten when one succeeds."""
    if attempt.browser:
        return {_who("browser", attempt.browser): OF_A_NAME}
    return {
        _who("name", attempt.tenant, attempt.name): OF_A_NAME,
        _who("from", attempt.address): OF_AN_ADDRESS,
    }


def _count(connection: Connection, who: bytes, most: int, now: int) -> None:
    row = connection.execute(
        "INSERT INTO failed_sign_in AS f VALUES (%s, 1, %s) ON CONFLICT (who) DO UPDATE SET"
        " failures = CASE WHEN f.first_at < %s THEN 1 ELSE f.failures + 1 END,"
        " first_at = CASE WHEN f.first_at < %s THEN excluded.first_at ELSE f.first_at END"
        " RETURNING failures, first_at",
        (who, now, now - WINDOW, now - WINDOW),
    ).fetchone()
    assert row is not None
    if row[0] > most:
        raise TooManySignIns(max(1, (row[1] + WINDOW - now) // 1_000_000))


def _keep(connection: Connection, actor: UUID, hashed: str, now: int, *, must_change: bool) -> None:
    connection.execute(
        "INSERT INTO account VALUES (%s, %s, %s, %s) ON CONFLICT (actor_id) DO UPDATE SET"
        " password = excluded.password, changed_at = excluded.changed_at, must_change = excluded.must_change",
        (actor, hashed, now, must_change),
    )


def _fits(hashed: str, password: str) -> bool:
    if len(password) > LONGEST:
        return False
    try:
        return _hasher().verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _who(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


@cache
def _hasher() -> PasswordHasher:
    """The second of RFC 9106's recommended choices: 64 MiB, three passes."""
    return PasswordHasher()


@cache
def _nobodys() -> str:
    """What an unknown name's password is held against, so that it takes as long as a known one's."""
    return _hasher().hash(secrets.token_urlsafe())
