"""What the log proves to those who ask over HTTP."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from serving.access.model import Authority, Permission
from serving.decisions import repository as decisions
from serving.decisions.repository import StoredDecision, UnknownDecision
from serving.log import repository, tree
from serving.log.checkpoint import Checkpoint, LogKey
from serving.log.entry import entry_of
from serving.log.model import Consistency, Inclusion, NoSuchTree, NothingSealed, NotSealed
from serving.store.session import tenant_connection


class LogService:
    """The use cases of /v1/log, each in the asker's own log."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def checkpoint(self, authority: Authority) -> Checkpoint:
        """The newest.

        Raises:
            NothingSealed: there is none.
        """
        authority.holds(Permission.READ_LOG)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await _head(connection)

    async def inclusion(self, authority: Authority, decision: UUID, size: int | None = None) -> Inclusion:
        """That a decision's receipt is a leaf of the tree of a size, or of the newest.

        Raises:
            UnknownDecision: none of this tenant.
            NotSealed: no leaf of that tree.
            NothingSealed, NoSuchTree: there is no such tree.
        """
        authority.holds(Permission.READ_LOG)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.row_async(connection, decision)
            if row is None:
                raise UnknownDecision
            head = await _head(connection)
            size = _within("size", head.size if size is None else size, head)
            place = await repository.place_async(connection, decision)
            if place is None or place >= size:
                raise NotSealed(size, place)
            proof = await _hashes(connection, tree.inclusion(place, size))
            entry = entry_of(authority.tenant, row)
            signed = await repository.head_async(connection, size)
        return Inclusion(decision, head.origin, place, size, entry, tree.leaf_hash(entry), proof, signed)

    async def consistency(self, authority: Authority, first: int, second: int | None = None) -> Consistency:
        """That the tree of ``second`` leaves (the newest, if none is named) begins with that of ``first``.

        Raises:
            NothingSealed, NoSuchTree: there are no such trees.
        """
        authority.holds(Permission.READ_LOG)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            head = await _head(connection)
            second = _within("to", head.size if second is None else second, head)
            if not 0 < first <= second:
                raise NoSuchTree("from", first, second)
            proof = await _hashes(connection, tree.consistency(first, second))
            signed = await repository.head_async(connection, second)
        return Consistency(head.origin, first, second, proof, signed)

    async def keys(self, authority: Authority) -> list[tuple[LogKey, int]]:
        """Every key that ever signed, and since when (µs), the newest first."""
        authority.holds(Permission.READ_LOG)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.keys_async(connection)

    async def stored(self, authority: Authority, decision: UUID) -> StoredDecision:
        """A decision as it is stored, its receipt encrypted: what the leaf's digests are of.

        Raises:
            UnknownDecision: none of this tenant.
        """
        authority.holds(Permission.READ_LOG)
        return await decisions.get(self._pool, authority.tenant, decision)


async def _head(connection: asyncpg.Connection) -> Checkpoint:
    head = await repository.head_async(connection)
    if head is None:
        raise NothingSealed
    return head


def _within(place: str, size: int, head: Checkpoint) -> int:
    if not 0 < size <= head.size:
        raise NoSuchTree(place, size, head.size)
    return size


async def _hashes(connection: asyncpg.Connection, spans: list[tree.Span]) -> tuple[bytes, ...]:
    wanted = {node for span in spans for node in tree.nodes_of(span)}
    found = await repository.nodes_async(connection, wanted)
    return tuple(tree.span_hash(found, span) for span in spans)
