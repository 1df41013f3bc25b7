"""Statements of the log: what is sealed, what waits, and what a verification reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

import asyncpg

from serving.log.checkpoint import Checkpoint, LogKey
from serving.log.entry import SealedRow
from serving.log.tree import Node
from serving.store.session import Connection

_BY_INDEX = """
SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan',
    'enable_seqscan', 'enable_sort', 'enable_material']) name"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('yidai/log/' || %s, 0))"
_TAKE = """
WITH taken AS (DELETE FROM receipt_unsealed WHERE decision_id IN
    (SELECT decision_id FROM receipt_unsealed ORDER BY decision_id LIMIT %s) RETURNING decision_id)
SELECT decision_id, receipt_hash, sha256(answer), key_hash, request_digest, subject_id, consent_id, actor_id,
       decided_at, outcome, kind, parent_id, about
FROM taken JOIN decision USING (decision_id) LEFT JOIN decision_link USING (tenant_id, decision_id)"""
_ROW = """
SELECT decision_id, receipt_hash, sha256(answer), key_hash, request_digest, subject_id, consent_id, actor_id,
       decided_at, outcome, kind, parent_id, about
FROM decision LEFT JOIN decision_link USING (tenant_id, decision_id) WHERE decision_id = $1"""
_LEAVES = "SELECT 0, place, leaf_hash FROM log_leaf WHERE place = ANY({})"
_TILES = "SELECT level, place, root FROM log_tile WHERE (level, place) IN (SELECT * FROM unnest({}::int[], {}::bigint[]))"
_LEAF = """
INSERT INTO log_leaf (tenant_id, place, decision_id, leaf_hash, sealed_at)
SELECT %s, %s::bigint + u.at - 1, u.decision, u.leaf, %s::bigint
FROM unnest(%s::uuid[], %s::bytea[]) WITH ORDINALITY AS u (decision, leaf, at)"""
_KEY = "INSERT INTO log_key (tenant_id, key_id, name, public_key, first_at) VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"
_CHECKPOINT = """
INSERT INTO log_checkpoint (tenant_id, origin, size, root, key_id, signature, sealed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_CHECKPOINTS = "SELECT origin, size, root, key_id, signature, sealed_at FROM log_checkpoint"
_NEWEST = "ORDER BY size DESC, sealed_at DESC LIMIT 1"
_EVERY = """
SELECT l.place, l.decision_id, l.leaf_hash, l.sealed_at, d.decision_id, d.receipt_hash, d.receipt, d.answer, d.key_hash,
       d.request_digest, d.subject_id, d.consent_id, d.actor_id, d.decided_at, d.outcome, k.kind, k.parent_id, k.about
FROM log_leaf l LEFT JOIN decision d ON (d.tenant_id, d.decision_id) = (l.tenant_id, l.decision_id)
LEFT JOIN decision_link k ON (k.tenant_id, k.decision_id) = (l.tenant_id, l.decision_id)
ORDER BY l.place"""
_OTHERS_KEY = """
SELECT d.decision_id, k.decision_id FROM decision d LEFT JOIN decision_key k USING (tenant_id, key_hash)
WHERE k.decision_id IS DISTINCT FROM d.decision_id ORDER BY d.decision_id"""
_OPEN = """
SELECT coalesce(u.decision_id, d.decision_id), d.decided_at, u.decision_id IS NOT NULL, l.place
FROM decision d FULL JOIN receipt_unsealed u USING (tenant_id, decision_id)
LEFT JOIN log_leaf l USING (tenant_id, decision_id)
WHERE u.decision_id IS NOT NULL OR l.place IS NULL"""


def lock(connection: Connection, tenant: str) -> None:
    """Let one transaction at a time seal a tenant's receipts; decisions never wait for it."""
    connection.execute(_LOCK, (tenant,))


def by_index(connection: Connection) -> None:
    """For the rest of the transaction go from row to row by their keys.

    What the planner chooses from statistics that are older than the rows takes their number squared.
    """
    connection.execute(_BY_INDEX)


def take(connection: Connection, most: int) -> list[SealedRow]:
    """Receipts that wait, the oldest first, and their marks away."""
    found = [SealedRow(*row) for row in connection.execute(_TAKE, (most,)).fetchall()]
    return sorted(found, key=lambda row: row.decision_id)


def head(connection: Connection) -> Checkpoint | None:
    """The newest checkpoint."""
    row = connection.execute(f"{_CHECKPOINTS} {_NEWEST}").fetchone()
    return None if row is None else Checkpoint(*row)


def nodes(connection: Connection, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """Hashes of leaves and tiles."""
    leaves, levels, places = _parted(wanted)
    found = connection.execute(_LEAVES.format("%s"), (leaves,)).fetchall()
    found += connection.execute(_TILES.format("%s", "%s"), (levels, places)).fetchall()
    return {(level, place): node for level, place, node in found}


def add_leaves(
    connection: Connection, tenant: str, first: int, leaves: Sequence[tuple[UUID, bytes]], sealed_at: int
) -> None:
    """Leaves from a place on."""
    names, hashes = [name for name, _ in leaves], [leaf for _, leaf in leaves]
    connection.execute(_LEAF, (tenant, first, sealed_at, names, hashes))


def add_tiles(connection: Connection, tenant: str, tiles: Iterable[tuple[int, int, bytes]]) -> None:
    """Tiles that became full."""
    statement = "INSERT INTO log_tile (tenant_id, level, place, root) VALUES (%s, %s, %s, %s)"
    connection.cursor().executemany(statement, [(tenant, *tile) for tile in tiles])


def add_checkpoint(connection: Connection, tenant: str, key: LogKey, made: Checkpoint) -> None:
    """A checkpoint, and its key if that is new."""
    connection.execute(_KEY, (tenant, key.key_id, key.name, key.public, made.sealed_at))
    row = (tenant, made.origin, made.size, made.root, made.key_id, made.signature, made.sealed_at)
    connection.execute(_CHECKPOINT, row)


def keys(connection: Connection) -> list[tuple[bytes, LogKey, int]]:
    """Every key, the id under which it is stored, and since when (µs) it signs."""
    query = "SELECT key_id, name, public_key, first_at FROM log_key ORDER BY first_at"
    return [(row[0], LogKey(row[1], row[2]), row[3]) for row in connection.execute(query).fetchall()]


def checkpoints(connection: Connection) -> list[Checkpoint]:
    """All, the smallest first."""
    found = connection.execute(f"{_CHECKPOINTS} ORDER BY size, sealed_at").fetchall()
    return [Checkpoint(*row) for row in found]


def tiles(connection: Connection) -> dict[Node, bytes]:
    """All that are stored."""
    found = connection.execute("SELECT level, place, root FROM log_tile").fetchall()
    return {(level, place): root for level, place, root in found}


def count(connection: Connection) -> int:
    """How many leaves there are."""
    row = connection.execute("SELECT count(*) FROM log_leaf").fetchone()
    return 0 if row is None else int(row[0])


def every(connection: Connection) -> Iterator[tuple[int, UUID, bytes, int, *tuple[object, ...]]]:
    """Each leaf with the row that it is of, in order, some hundreds at a time."""
    with connection.cursor(name="leaves", binary=True) as cursor:
        cursor.itersize = 500
        cursor.execute(_EVERY)
        yield from cursor


def unsealed(connection: Connection) -> list[tuple[UUID, int | None, bool, int | None]]:
    """Decisions that have no leaf, and marks: id, when it was decided (None: there is no such decision), whether it is
    marked, and the place of a leaf that it has all the same.
    """
    return connection.execute(_OPEN).fetchall()


def others_key(connection: Connection) -> list[tuple[UUID, UUID | None]]:
    """Decisions whose key is not kept for them, and whose it is."""
    return connection.execute(_OTHERS_KEY).fetchall()


async def head_async(connection: asyncpg.Connection, size: int | None = None) -> Checkpoint | None:
    """The newest checkpoint, or that of a size."""
    where = "" if size is None else "WHERE size = $1"
    query = f"{_CHECKPOINTS} {where} {_NEWEST}"
    row = await connection.fetchrow(query, *([] if size is None else [size]))
    return None if row is None else Checkpoint(*row.values())


async def nodes_async(connection: asyncpg.Connection, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """As ``nodes``."""
    leaves, levels, places = _parted(wanted)
    found = await connection.fetch(_LEAVES.format("$1"), leaves)
    found += await connection.fetch(_TILES.format("$1", "$2"), levels, places)
    return {(level, place): node for level, place, node in found}


async def keys_async(connection: asyncpg.Connection) -> list[tuple[LogKey, int]]:
    """Every key and since when (µs) it signs, the newest first."""
    found = await connection.fetch("SELECT name, public_key, first_at FROM log_key ORDER BY first_at DESC")
    return [(LogKey(row[0], row[1]), row[2]) for row in found]


async def place_async(connection: asyncpg.Connection, decision: UUID) -> int | None:
    """Where a decision's receipt stands; None where it is not sealed."""
    place: int | None = await connection.fetchval(
        "SELECT place FROM log_leaf WHERE decision_id = $1", decision
    )
    return place


async def row_async(connection: asyncpg.Connection, decision: UUID) -> SealedRow | None:
    """A decision's row as a leaf states it."""
    row = await connection.fetchrow(_ROW, decision)
    return None if row is None else SealedRow(*row.values())


def _parted(wanted: Iterable[Node]) -> tuple[list[int], list[int], list[int]]:
    nodes = list(wanted)
    above = [node for node in nodes if node[0]]
    return [place for level, place in nodes if not level], [n[0] for n in above], [n[1] for n in above]
