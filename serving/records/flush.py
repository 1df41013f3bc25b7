"""From the tail into the lake, once and only once, whenever it was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.contracts.model import Contract
from features.errors import Integrity
from features.timeline.lake import Lake
from serving.records.tail import NUMBERED, decode
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction

MOST = 200_000
"""Records that are in memory at once."""
_DATASETS = "SELECT DISTINCT dataset FROM record_tail WHERE seq > %s AND seq <= %s ORDER BY dataset"
_ROWS = """
SELECT seq, subject_id, fields, data FROM record_tail WHERE dataset = %s AND seq > %s AND seq <= %s ORDER BY seq"""
_FIELDS = "SELECT DISTINCT unnest(fields) FROM record_tail WHERE dataset = %s AND seq > %s AND seq <= %s"
_DONE = "DELETE FROM record_tail WHERE seq <= %s"


class TailBehindLake(Integrity):
    """The database has numbered fewer records than the lake has flushed: one of them is an older copy."""

    def __init__(self, numbered: int, flushed: int) -> None:
        super().__init__(
            f"the database has numbered {numbered} records, the lake holds {flushed}.",
            place="record_counter",
            remedy="Restore database and lake from backups of the same moment.",
        )


@dataclass(frozen=True, slots=True)
class Flushed:
    """How many records went into the lake, and the number of the last one that is there."""

    records: int
    last: int


def flush(database: Database, lake: Lake, contracts: Mapping[str, Contract]) -> Flushed:
    """Write the tail's records to the lake, then delete them from the tail.

    A run that was cut off is begun again with the same range, so that each segment is written again under the
    same name with the same records; what was written and not yet deleted is only deleted.

    Raises:
        LakeBusy: somebody writes to the lake.
        TailBehindLake: database and lake do not belong together.
    """
    records = 0
    with lake.writing():
        while True:
            with owner_transaction(database) as connection:
                last = _next(connection, lake)
                if last > lake.flushed():
                    records += _write(connection, lake, contracts, last)
                    lake.end_flush(last)
                connection.execute(_DONE, (last,))
                numbered = _numbered(connection)
            if last >= numbered:
                return Flushed(records, last)


def _next(connection: Connection, lake: Lake) -> int:
    """Up to which number to flush now, noted in the lake before anything is written."""
    done, begun, numbered = lake.flushed(), lake.flushing(), _numbered(connection)
    if numbered < max(done, begun):
        raise TailBehindLake(numbered, max(done, begun))
    if begun > done:
        return begun
    last = min(numbered, done + MOST)
    if last > done:
        lake.begin_flush(last)
    return last


def _write(connection: Connection, lake: Lake, contracts: Mapping[str, Contract], last: int) -> int:
    first, written = lake.flushed(), 0
    for (dataset,) in connection.execute(_DATASETS, (first, last)).fetchall():
        rows = connection.execute(_ROWS, (dataset, first, last)).fetchall()
        fields = _fields(connection, contracts.get(dataset), dataset, first, last)
        lake.flush(dataset, decode(fields, rows), first + 1, last)
        written += len(rows)
    return written


def _fields(
    connection: Connection, contract: Contract | None, dataset: str, first: int, last: int
) -> list[str]:
    """The contract's fields, and those that only a record has: a field that was dropped loses no value."""
    own = list(contract.names) if contract else []
    sent = [row[0] for row in connection.execute(_FIELDS, (dataset, first, last)).fetchall()]
    return own + sorted({*sent} - {*own})


def _numbered(connection: Connection) -> int:
    row = connection.execute(NUMBERED).fetchone()
    assert row is not None
    return int(row[0])
