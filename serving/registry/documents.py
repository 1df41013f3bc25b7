"""Documents that two people approve and that have a shipped default: what holds where nothing is in force.

Who handles an alert and by when, its playbooks, and the limits of the monitoring of models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from features.canonical import UNREADABLE, canonical_bytes
from features.contracts.documents import convert, parse_yaml
from features.errors import Integrity
from serving.alerts.handling import (
    HANDLING,
    PLAYBOOKS,
    Handling,
    Playbooks,
    check_handling,
    check_playbooks,
)
from serving.registry.model import Kind
from serving.registry.repository import verified
from serving.store.session import Connection
from training.limits import SHIPPED, Limits, check_limits

_BYTES = """
SELECT a.digest, a.bytes FROM activation v JOIN artifact a USING (tenant_id, digest)
WHERE v.slot = $1 AND v.active_from <= $2 AND (v.active_to IS NULL OR v.active_to > $2)"""


@dataclass(frozen=True, slots=True)
class Sort:
    """What a document of a kind is: its type, what must hold of it, and the file that is shipped."""

    type: type[Any]
    check: Callable[[Any], Any]
    shipped: Path


SORTS = {
    Kind.HANDLING: Sort(Handling, check_handling, HANDLING),
    Kind.PLAYBOOKS: Sort(Playbooks, check_playbooks, PLAYBOOKS),
    Kind.MONITORING: Sort(Limits, check_limits, SHIPPED),
}
"""By kind, which is the name of the slot too."""


def from_file(kind: Kind, path: Path) -> bytes:
    """The canonical bytes of a document from YAML, or of the JSON that was stored.

    Raises:
        BrokenDocument, BrokenHandling, BrokenLimits, Integrity: with the place and what to mend.
    """
    if path.suffix == ".json":
        data = path.read_bytes()
        read(kind, data)
        return data
    sort = SORTS[kind]
    return canonical_bytes(sort.check(convert(parse_yaml(path), sort.type, path)))


def read(kind: Kind, data: bytes) -> Any:
    """The document in these canonical bytes, as the registry keeps them.

    Raises:
        Integrity: not canonical, or no document of the kind.
        BrokenHandling, BrokenLimits: what may not be used.
    """
    sort = SORTS[kind]
    try:
        document = msgspec.json.decode(data, type=sort.type)
        canonical = canonical_bytes(msgspec.json.decode(data))
    except UNREADABLE as error:
        raise Integrity(f"the {kind.value} cannot be read: {error}.") from error
    if canonical != data:
        raise Integrity(
            f"the {kind.value} is not in canonical form.", remedy="Submit it with the command from its YAML."
        )
    return sort.check(document)


@lru_cache(maxsize=64)
def _known(kind: Kind, data: bytes) -> Any:
    return read(kind, data)


@lru_cache(maxsize=len(SORTS))
def shipped(kind: Kind) -> Any:
    """What holds where nothing is in force."""
    sort = SORTS[kind]
    return sort.check(convert(parse_yaml(sort.shipped), sort.type, sort.shipped))


def in_force(connection: Connection, kind: Kind, now: int) -> Any:
    """The document of a kind at a moment, in a tenant's transaction: the approved one, or the one that is shipped."""
    statement = _BYTES.replace("$1", "%s").replace("$2", "%s")
    row = connection.execute(statement, (kind.value, now, now)).fetchone()
    return shipped(kind) if row is None else _known(kind, verified(row[0], bytes(row[1])))


async def in_force_async(connection: asyncpg.Connection, kind: Kind, now: int) -> Any:
    """As ``in_force``, of a request."""
    row = await connection.fetchrow(_BYTES, kind.value, now)
    return shipped(kind) if row is None else _known(kind, verified(row["digest"], row["bytes"]))
