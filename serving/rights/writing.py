"""What people write about a subject, kept under the subject's own key: who erases the subject erases it too."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from serving.store.keys import KeyRing, seal, unseal

_KEY = "SELECT key_of_subject($1)"


async def seal_text(
    connection: asyncpg.Connection, keys: KeyRing, subject: int, name: UUID, text: str
) -> bytes | None:
    """A text for storage, bound to the id ``name``; None where it is empty or the subject was erased."""
    wrapped = await connection.fetchval(_KEY, subject) if text else None
    return None if wrapped is None else seal(keys.unwrap(wrapped), text.encode(), _context(name))


async def open_text(
    connection: asyncpg.Connection, keys: KeyRing, subject: int, name: UUID, sealed: bytes | None
) -> str:
    """The text again; empty where there is none or the subject was erased.

    Raises:
        Unreadable: the bytes were changed.
    """
    wrapped = await connection.fetchval(_KEY, subject) if sealed else None
    if wrapped is None or sealed is None:
        return ""
    return unseal(keys.unwrap(wrapped), sealed, _context(name)).decode()


def _context(name: UUID) -> bytes:
    return f"writing {name}".encode()
