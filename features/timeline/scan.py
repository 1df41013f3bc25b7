"""Whole buckets of the lake, read for many subjects at once: only the columns that are needed, sorted already.

A compacted segment says of each row until when it stands, for a reader who has seen all of its rows. Where a
bucket is one such segment nothing is left to sort or to resolve; any other bucket is read the usual way.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.contracts.model import Contract
from features.timeline.events import EventTable, Int64, Pin
from features.timeline.lake import BUCKET_BITS, Lake
from features.timeline.life import standing
from features.timeline.segments import int64_of, read_span, schema_of, settled_read

STANDS_UNTIL = "stands_until"
"""The column of a compacted segment that holds the end of each row's known time."""
SEEN = b"yidai.pin"
"""Metadata of such a segment: the pin from which on that column is right."""
PIECE = 1_000_000
"""Rows of a dataset that are read at once: what was decoded is still near when it is aggregated."""
_SPARSE = 0.5
"""Below this share of rows that anybody asked for, the others are left out before they are looked at."""


def bucket_events(
    lake: Lake,
    contract: Contract,
    bucket: int,
    fields: Collection[str],
    subjects: Int64,
    pin: Pin | None = None,
    *,
    lasting: bool = True,
) -> EventTable:
    """Events of a dataset in one bucket: at least those of ``subjects`` (sorted), with at least these fields.

    Without ``lasting`` nobody asks how long an event is true, and its ``valid_to`` means nothing.
    """
    path = _ready(lake, contract, bucket, pin)
    if path is not None:
        return settled_read(lake.root, lambda: _scan(path, fields, subjects, lasting=lasting))
    low, high = bucket << BUCKET_BITS, (bucket + 1) << BUCKET_BITS
    chosen = subjects[(subjects >= low) & (subjects < high)]
    return standing(contract, lake.raw(contract, chosen.tolist()), pin)


def _ready(lake: Lake, contract: Contract, bucket: int, pin: Pin | None) -> Path | None:
    """The one segment that needs no resolving, if the bucket is that."""
    paths = lake.segments(contract.dataset, [bucket])
    if len(paths) != 1 or lake.tailed or len(lake.erased()):
        return None
    schema = schema_of(paths[0])
    seen = (schema.metadata or {}).get(SEEN)
    if seen is None or STANDS_UNTIL not in schema.names:
        return None
    batch, record = (int(part) for part in seen.split(b","))
    covered = pin is None or (pin.lake >= batch and pin.tail >= record)
    return paths[0] if covered else None


def _scan(path: Path, fields: Collection[str], subjects: Int64, *, lasting: bool) -> EventTable:
    end = "valid_to" if lasting else "valid_from"
    names = list(dict.fromkeys(["subject", "valid_from", end, "known_from", STANDS_UNTIL, *fields]))
    table = read_span(path, names, int(subjects[0]), int(subjects[-1]))
    rows = _rows_of(int64_of(table["subject"]), subjects)
    arrays: dict[str, Int64] = {}
    for name in names:
        values = int64_of(table[name])
        arrays[name] = values if rows is None else values[rows]
    version = np.broadcast_to(np.int64(0), len(arrays["subject"]))
    columns = {name: arrays[name] for name in fields}
    return EventTable(
        arrays["subject"], arrays["valid_from"], arrays[end], arrays["known_from"], arrays[STANDS_UNTIL], version,
        columns,
    )  # fmt: skip


def _rows_of(subject: Int64, wanted: Int64) -> NDArray[np.int64] | None:
    """Places of the rows of these subjects; None where most rows are theirs. Both arrays are sorted."""
    first = np.searchsorted(subject, wanted, side="left")
    count = np.searchsorted(subject, wanted, side="right") - first
    total = int(count.sum())
    if total > _SPARSE * len(subject):
        return None
    before = np.cumsum(count) - count
    return np.asarray(np.arange(total) - np.repeat(before - first, count))


class BucketTables(Mapping[str, EventTable]):
    """The datasets of a bucket, each read when it is asked for, piece by piece, and not kept.

    ``views`` are read beforehand, because they gather the events of subjects in other buckets.
    """

    def __init__(
        self,
        lake: Lake,
        contracts: Mapping[str, Contract],
        fields: Mapping[str, Collection[str]],
        bucket: int,
        subjects: Int64,
        views: Mapping[str, EventTable],
        pin: Pin | None = None,
        lasting: Collection[str] = (),
    ) -> None:
        self._lake, self._contracts, self._fields, self._lasting = lake, contracts, fields, lasting
        self._bucket, self._subjects, self._views, self._pin = bucket, subjects, views, pin

    def __getitem__(self, name: str) -> EventTable:
        """One dataset's events."""
        return self._views[name] if name in self._views else self._piece(name, self._subjects)

    def pieces(self, name: str, subjects: Int64) -> Iterator[tuple[slice, EventTable]]:
        """One dataset's events in pieces of about ``PIECE`` rows, each with the places in ``subjects``, sorted,
        that it is for. Every place is in one piece.
        """
        path = (
            None
            if name in self._views
            else _ready(self._lake, self._contracts[name], self._bucket, self._pin)
        )
        cuts = settled_read(self._lake.root, lambda: cuts_of(path, PIECE)) if path else []
        if not cuts:
            yield slice(None), self[name]
            return
        edges = [0, *np.searchsorted(subjects, cuts).tolist(), len(subjects)]
        for first, past in itertools.pairwise(edges):
            if first < past:
                yield slice(first, past), self._piece(name, np.unique(subjects[first:past]))

    def _piece(self, name: str, subjects: Int64) -> EventTable:
        return bucket_events(
            self._lake, self._contracts[name], self._bucket, self._fields[name], subjects, self._pin,
            lasting=name in self._lasting,
        )  # fmt: skip

    def __iter__(self) -> Iterator[str]:
        """Names of datasets."""
        return iter(self._fields)

    def __len__(self) -> int:
        """Number of datasets."""
        return len(self._fields)


def buckets_of(subjects: Int64) -> list[int]:
    """The buckets in which these subjects lie, ascending."""
    return [int(bucket) for bucket in np.unique(subjects >> BUCKET_BITS)]


def cuts_of(path: Path, most: int) -> list[int]:
    """Subjects at which a segment is cut into pieces of at most ``most`` rows, or of one row group.

    They are the first of row groups, so that no group is read for two pieces.
    """
    cuts, held = [], 0
    for first, rows in _groups_of(path):
        if held and held + rows > most:
            cuts.append(first)
            held = 0
        held += rows
    return cuts


def _groups_of(path: Path) -> list[tuple[int, int]]:
    """First subject and rows of each row group."""
    metadata = pq.read_metadata(path)
    place = metadata.schema.names.index("subject")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [(group.column(place).statistics.min, group.num_rows) for group in groups if group.num_rows]


def seen_metadata(version: Int64) -> dict[bytes, bytes]:
    """What a segment says of the pin that has seen all of these versions."""
    pin = Pin.of(version) if len(version) else Pin(0)
    return {SEEN: f"{pin.lake},{pin.tail}".encode()}
