"""Compute a whole log again from the stored rows, and name each row that is not as it was sealed.

Read once from end to end; what is kept in memory grows with tiles and checkpoints, not with receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

from features.terminal import Step
from serving.access.model import Authority, Permission
from serving.log import repository
from serving.log.checkpoint import Checkpoint
from serving.log.entry import SealedRow, leaf_of
from serving.log.model import Finding, Part, Verification
from serving.log.signatures import Signatures
from serving.log.tree import TILE, Frontier, Node
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction

_SECOND = 1_000_000
_TOLD_EVERY = 1000


def verify(
    database: Database, authority: Authority, kept: Sequence[tuple[str, Checkpoint]], step: Step, now: int
) -> Verification:
    """Verify the asker's log against its own checkpoints and against those that somebody ``kept``, by name."""
    authority.holds(Permission.READ_LOG)
    tenant = authority.tenant
    with tenant_transaction(database, tenant, snapshot=True) as connection:
        signed = Signatures(repository.keys(connection), repository.checkpoints(connection), kept)
        walk = Walk(tenant, signed.sizes, repository.tiles(connection))
        total = repository.count(connection)
        waiting, lost = _unsealed(connection)
        lost += _unkeyed(connection)
        repository.by_index(connection)
        for row in repository.every(connection):
            walk.leaf(*row)
            if walk.size % _TOLD_EVERY == 0:
                step(f"{walk.size:,} of {total:,} receipts", walk.size, total)
        walk.end()
    findings = [*signed.findings(walk), *walk.findings(signed.good(walk)), *lost]
    oldest = max(0, now - min(waiting)) / _SECOND if waiting else 0.0
    return Verification(
        signed.origin, walk.size, walk.stored.root.hex(), len(signed.checkpoints), len(waiting), oldest,
        tuple(findings),
    )  # fmt: skip


class Walk:
    """The leaves in order: two trees grow, one of the stored leaves and one of what the decisions' rows say now."""

    def __init__(self, tenant: str, sizes: set[int], tiles: dict[Node, bytes]) -> None:
        self.stored, self.by_rows = Frontier(), Frontier()
        self.roots: dict[int, bytes] = {}
        self.rows_roots: dict[int, bytes] = {}
        self.ends: dict[int, int] = {}
        """Moment of each batch by the size that it ended with."""
        self._tenant = tenant
        self._sizes = sizes
        self._tiles = tiles
        self._next = 0
        self._moment: int | None = None
        self._found: list[Finding] = []
        self._changed: list[tuple[int, UUID]] = []
        self._wrong_tiles: list[Node] = []

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self.stored.size

    def leaf(self, place: int, decision: UUID, leaf: bytes, sealed_at: int, *row: Any) -> None:
        """The next leaf, with the row of its decision (all None if there is none)."""
        if self._moment not in {None, sealed_at}:
            self.ends[self._next] = self._moment or 0
        if place != self._next:
            self._found.append(Finding(Part.LEAF, _span(self._next, place), "removed from the log"))
        self._next = place + 1
        self._moment = sealed_at
        self._grow(leaf, self._of_row(place, decision, leaf, row))

    def end(self) -> None:
        """No more leaves."""
        if self._moment is not None:
            self.ends[self._next] = self._moment

    def findings(self, good: tuple[set[int], set[int]]) -> list[Finding]:
        """What is wrong with rows, leaves and tiles; ``good`` are the sizes whose signed root the stored leaves lead
        to, and those to which the decisions' rows lead.
        """
        by_leaves, by_rows = max(good[0], default=0), max(good[1], default=0)
        changed = [_changed(place, decision, by_leaves, by_rows) for place, decision in self._changed]
        tiles = [self._of_tile(level, place, by_leaves) for level, place in self._wrong_tiles]
        more = [Finding(Part.TILE, _tile(*node), "inserted") for node in sorted(self._tiles)]
        return [*self._found, *changed, *dict.fromkeys(tiles), *more]

    def _of_row(self, place: int, decision: UUID, leaf: bytes, row: tuple[Any, ...]) -> bytes:
        name, receipt_hash, receipt, answer, *rest = row
        if name is None:
            self._found.append(
                Finding(Part.DECISION, str(decision), f"removed; it was sealed as leaf {place}")
            )
            return leaf
        digest = sha256(receipt).digest()
        computed = leaf_of(self._tenant, SealedRow(name, digest, sha256(answer).digest(), *rest))
        if computed != leaf or digest != receipt_hash:
            self._changed.append((place, decision))
        return computed

    def _grow(self, leaf: bytes, computed: bytes) -> None:
        for level, place, root in self.stored.append(leaf):
            if self._tiles.pop((level, place), None) != root:
                self._wrong_tiles.append((level, place))
        self.by_rows.append(computed)
        if self.size in self._sizes:
            self.roots[self.size] = self.stored.root
            self.rows_roots[self.size] = self.by_rows.root

    def _of_tile(self, level: int, place: int, good: int) -> Finding:
        leaves = TILE**level
        if (place + 1) * leaves <= good:
            return Finding(Part.TILE, _tile(level, place), "changed or removed")
        return Finding(Part.LEAF, _span(place * leaves, (place + 1) * leaves), _OTHERS)


def _changed(place: int, decision: UUID, by_leaves: int, by_rows: int) -> Finding:
    if place < by_leaves:
        return Finding(Part.DECISION, str(decision), f"its row is not what was sealed as leaf {place}")
    if place < by_rows:
        return Finding(Part.LEAF, str(place), f"changed; the row of decision {decision} is what was sealed")
    return Finding(Part.DECISION, str(decision), f"its row and leaf {place} do not fit, and the tree does not say which was changed")  # fmt: skip


def _unsealed(connection: Connection) -> tuple[list[int], list[Finding]]:
    """When what waits was decided, µs, and what is lost."""
    waiting, found = [], []
    for decision, decided_at, marked, place in repository.unsealed(connection):
        if decided_at is None:
            found.append(Finding(Part.DECISION, str(decision), "removed before it was sealed"))
        elif place is not None:
            found.append(
                Finding(Part.DECISION, str(decision), f"marked to be sealed, and sealed as leaf {place}")
            )
        elif not marked:
            found.append(Finding(Part.DECISION, str(decision), "it has no leaf and does not wait for one"))
        else:
            waiting.append(decided_at)
    return waiting, found


def _unkeyed(connection: Connection) -> list[Finding]:
    """Decisions whose Idempotency-Key would be decided once more."""
    found = []
    for decision, other in repository.others_key(connection):
        problem = "its key is not kept: the same request would be decided again"
        if other is not None:
            problem = f"its key is kept for decision {other}"
        found.append(Finding(Part.DECISION, str(decision), problem))
    return found


_OTHERS = "not those that were sealed: changed, removed, inserted or in another order"


def _span(first: int, end: int) -> str:
    return str(first) if end == first + 1 else f"{first} to {end - 1}"


def _tile(level: int, place: int) -> str:
    return f"level {level}, place {place}"
