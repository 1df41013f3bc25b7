"""Sealing: receipts that wait become leaves, and a checkpoint says so."""

from __future__ import annotations

from uuid import UUID

from features.errors import Integrity
from serving.log import repository
from serving.log.checkpoint import Checkpoint, Signer
from serving.log.entry import leaf_of
from serving.log.tree import Frontier, edge, nodes_of
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction

BATCH = 4096
"""Receipts that one transaction seals at most."""


class BrokenLog(Integrity):
    """A stored log that does not lead to its own last checkpoint; nothing is sealed upon it."""

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the stored log is not what its checkpoint of {size} leaves says.",
            place="log",
            remedy="`yidai audit verify` names what was changed; restore the database.",
        )


def origin_of(name: str, tenant: str) -> str:
    """The name of a tenant's log: its first line and the name of its key."""
    return f"{name}/{tenant}"


def seal(database: Database, tenant: str, signer: Signer, origin: str, now: int, batch: int = BATCH) -> int:
    """Seal whatever waits, batch by batch; returns how many. May be stopped anywhere: each batch is one transaction."""
    sealed = 0
    while done := seal_batch(database, tenant, signer, origin, now, batch):
        sealed += done
        if done < batch:
            break
    return sealed


def seal_batch(database: Database, tenant: str, signer: Signer, origin: str, now: int, batch: int) -> int:
    """Leaves, tiles and checkpoint of the oldest that wait, all or none; returns how many.

    A key that has not signed yet signs the log as it stands, also where nothing waits.
    """
    with tenant_transaction(database, tenant) as connection:
        repository.lock(connection, tenant)
        repository.by_index(connection)
        rows = repository.take(connection, batch)
        leaves = [(row.decision_id, leaf_of(tenant, row)) for row in rows]
        before, key = repository.head(connection), signer.key(origin)
        if not leaves and (before is None or before.key_id == key.key_id):
            return 0
        frontier = _frontier(connection, before)
        # after what was sealed before, whatever the clock says: a moment names one batch
        sealed_at = now if before is None else max(now, before.sealed_at + bool(leaves))
        _add(connection, tenant, frontier, leaves, sealed_at)
        made = signer.sign(origin, frontier.size, frontier.root, sealed_at)
        repository.add_checkpoint(connection, tenant, key, made)
    return len(leaves)


def _frontier(connection: Connection, before: Checkpoint | None) -> Frontier:
    size = 0 if before is None else before.size
    wanted = [node for span in edge(size) for node in nodes_of(span)]
    found = repository.nodes(connection, wanted)
    if len(found) < len(wanted):
        raise BrokenLog(size)
    frontier = Frontier.of(size, found)
    if before is not None and frontier.root != before.root:
        raise BrokenLog(size)
    return frontier


def _add(
    connection: Connection, tenant: str, frontier: Frontier, leaves: list[tuple[UUID, bytes]], sealed_at: int
) -> None:
    first, full = frontier.size, []
    for _, leaf in leaves:
        full += frontier.append(leaf)
    repository.add_leaves(connection, tenant, first, leaves, sealed_at)
    repository.add_tiles(connection, tenant, full)
