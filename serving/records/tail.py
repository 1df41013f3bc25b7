"""Single records between their acceptance and the lake, as a reader of the lake meets them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import numpy as np

from features.calendar import NULL
from features.contracts.model import Contract
from features.timeline.events import TAIL, Int64, RawEvents, empty_raw
from features.timeline.lake import Batch, Lake
from features.timeline.life import linked_fields
from serving.store.session import Connection

NUMBERED = "SELECT last FROM record_counter"
DATASETS = """
WITH RECURSIVE held AS (
    (SELECT dataset FROM record_tail ORDER BY dataset LIMIT 1)
    UNION ALL
    SELECT (SELECT r.dataset FROM record_tail r WHERE r.dataset > held.dataset ORDER BY r.dataset LIMIT 1)
    FROM held WHERE held.dataset IS NOT NULL
) SELECT dataset FROM held WHERE dataset IS NOT NULL"""
OF_SUBJECT = (
    "SELECT dataset, seq, subject_id, fields, data FROM record_tail WHERE subject_id = $1 ORDER BY seq"
)
BY_SUBJECTS = "SELECT seq, subject_id, fields, data FROM record_tail WHERE dataset = $1 AND subject_id = ANY($2::bigint[]) ORDER BY seq"
BY_LINKS = "SELECT seq, subject_id, fields, data FROM record_tail WHERE dataset = $1 AND links && $2::bigint[] ORDER BY seq"
WHOLE = "SELECT seq, subject_id, fields, data FROM record_tail WHERE dataset = $1 ORDER BY seq"
HELD = "SELECT 1 FROM record_tail WHERE dataset = %s LIMIT 1"
_TIMES = 5
"""valid_from, valid_to, known_from, key and whether known_from was imputed come before a row's fields."""

Row = Sequence[Any]


def encode(batch: Batch) -> list[bytes]:
    """Each row's int64s, little endian: times, key, imputed, then the fields."""
    raw = batch.raw
    head = [raw.valid_from, raw.valid_to, raw.known_from, raw.key, batch.imputed.astype(np.int64)]
    matrix = np.stack([*head, *raw.columns.values()], axis=1).astype("<i8")
    return [row.tobytes() for row in matrix]


def links_of(contract: Contract, raw: RawEvents) -> list[list[int]]:
    """The subjects that each row names beside its own."""
    fields = linked_fields(contract)
    ends = np.stack([raw.columns[name] for name in fields], axis=1) if fields else np.empty((len(raw.key), 0))
    return [[int(end) for end in row if end >= 0] for row in ends]


def decode(fields: Sequence[str], rows: Sequence[Row]) -> Batch:
    """Rows of (seq, subject_id, fields, data) under a contract's fields, ``NULL`` where a row lacks one."""
    if not rows:
        return Batch(empty_raw(fields), np.empty(0, dtype=bool))
    matrix = np.empty((len(rows), _TIMES + len(fields)), dtype=np.int64)
    places: dict[tuple[str, ...], list[int]] = {}
    for place, row in enumerate(rows):
        values = np.frombuffer(row[3], dtype="<i8")
        there = tuple(row[2])
        at = places.setdefault(there, [there.index(n) if n in there else -1 for n in fields])
        matrix[place, :_TIMES] = values[:_TIMES]
        matrix[place, _TIMES:] = [values[_TIMES + k] if k >= 0 else NULL for k in at]
    version = TAIL + np.array([row[0] for row in rows], dtype=np.int64)
    subject = np.array([row[1] for row in rows], dtype=np.int64)
    valid_from, valid_to, known_from, key, imputed = matrix[:, :_TIMES].T
    columns = {name: matrix[:, _TIMES + k] for k, name in enumerate(fields)}
    raw = RawEvents(subject, valid_from, valid_to, known_from, version, key, columns)
    return Batch(raw, imputed.astype(bool))


def _statement(contract: Contract, subjects: list[int] | None, by: str) -> str:
    """Rows are found by their subject and by whom they name; by any other column all are looked through."""
    if subjects is None or (by != "subject" and by not in linked_fields(contract)):
        return WHOLE
    return BY_SUBJECTS if by == "subject" else BY_LINKS


def _chosen(contract: Contract, rows: Sequence[Row], subjects: list[int] | None, by: str) -> RawEvents:
    raw = decode(contract.names, rows).raw
    if subjects is None or by == "subject":
        return raw
    return raw.take(np.isin(raw.columns[by], subjects))


@dataclass(frozen=True, slots=True)
class RequestTail:
    """Read on the connection of a transaction whose coroutine waits in a thread meanwhile: it sees that
    transaction's own records too. ``subject``'s rows are there already, by dataset.
    """

    connection: asyncpg.Connection
    loop: asyncio.AbstractEventLoop
    datasets: frozenset[str]
    subject: int | None
    own: dict[str, list[Row]]

    def rows(self, contract: Contract, subjects: list[int] | None, by: str) -> RawEvents:
        """See ``Tail.rows``."""
        name = contract.dataset
        if name not in self.datasets:
            return empty_raw(contract.names)
        if subjects == [self.subject] and by == "subject":
            return decode(contract.names, self.own.get(name, [])).raw
        statement = _statement(contract, subjects, by)
        asked = [name] if statement is WHOLE else [name, subjects]
        found = self.connection.fetch(statement, *asked)
        rows = asyncio.run_coroutine_threadsafe(_awaited(found), self.loop).result()
        return _chosen(contract, rows, subjects, by)

    def holds(self, dataset: str) -> bool:
        """See ``Tail.holds``."""
        return dataset in self.datasets


@dataclass(frozen=True, slots=True)
class CommandTail:
    """Read on a command's connection. Who reads often looks first which ``datasets`` there are."""

    connection: Connection
    datasets: frozenset[str] | None = None

    @staticmethod
    def looked(connection: Connection) -> CommandTail:
        """The tail as it is now: what comes later in other datasets is not seen."""
        rows = connection.execute(DATASETS).fetchall()
        return CommandTail(connection, frozenset(row[0] for row in rows))

    def rows(self, contract: Contract, subjects: list[int] | None, by: str) -> RawEvents:
        """See ``Tail.rows``."""
        if self.datasets is not None and contract.dataset not in self.datasets:
            return empty_raw(contract.names)
        statement = _statement(contract, subjects, by)
        asked = (contract.dataset,) if statement is WHOLE else (contract.dataset, subjects)
        rows = self.connection.execute(statement.replace("$1", "%s").replace("$2", "%s"), asked).fetchall()
        return _chosen(contract, rows, subjects, by)

    def holds(self, dataset: str) -> bool:
        """See ``Tail.holds``."""
        if self.datasets is not None:
            return dataset in self.datasets
        return self.connection.execute(HELD, (dataset,)).fetchone() is not None


async def live_lake(lake: Lake, connection: asyncpg.Connection, subject: int | None = None) -> Lake:
    """The lake with its tail, to be read in a thread that the connection's coroutine waits for."""
    datasets = frozenset(row[0] for row in await connection.fetch(DATASETS))
    if not datasets:
        return lake
    own: dict[str, list[Row]] = {}
    if subject is not None:
        for row in await connection.fetch(OF_SUBJECT, subject):
            own.setdefault(row[0], []).append(tuple(row)[1:])
    loop = asyncio.get_running_loop()
    return Lake(lake.root, RequestTail(connection, loop, datasets, subject, own))


async def numbered(connection: asyncpg.Connection) -> int:
    """The number of the last record that was accepted."""
    return int(await connection.fetchval(NUMBERED))


async def wait_for_calls(connection: asyncpg.Connection) -> int:
    """As ``numbered``, after every call that is being stored just now."""
    return int(await connection.fetchval(f"{NUMBERED} FOR SHARE"))


async def _awaited(found: Any) -> Any:
    return await found


def subjects_of(batches: Iterable[Batch]) -> Int64:
    """Everybody whose rows they are, ascending."""
    return np.unique(np.concatenate([batch.raw.subject for batch in batches]))
