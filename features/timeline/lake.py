"""The record of truth: append-only Parquet segments by dataset, subject bucket and ingest version."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.calendar import NULL
from features.contracts.model import Contract
from features.errors import Conflict, Integrity
from features.timeline.events import EventTable, Int64, RawEvents, empty_raw, mix
from features.timeline.views import Reach, Seen, ViewReader, views

BUCKET_BITS = 16
_TIMES = ("subject", "valid_from", "valid_to", "known_from", "version", "key")
_ROW_GROUP = 1 << 16
_SETTLED = "_settled"


class LakeBusy(Conflict):
    """Another process is writing to the lake."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            "another ingest is writing here.",
            place=str(root),
            remedy="Wait until it has ended, then run again.",
        )


class DamagedSegment(Integrity):
    """A segment that is not readable Parquet."""

    def __init__(self, path: Path) -> None:
        super().__init__("the segment cannot be read.", place=str(path), remedy="Restore it from the backup.")


class Lake:
    """Reads and appends; nothing in a lake is ever changed.

    Layout: ``<root>/<dataset>/<bucket>/<version>.parquet``, sorted by subject,
    ``<root>/_files/<dataset>/<sha256>.json`` for each feed file that was loaded whole, and
    ``<root>/_settled`` with the highest version that is stored whole.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the only right to append.

        Raises:
            LakeBusy: another process holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise LakeBusy(self.root) from None
            if not (self.root / _SETTLED).exists():
                self._settle()
            yield

    def settled(self) -> int:
        """The highest version of which every row is stored: what is read up to it never grows.

        While a batch is being written, some of its segments are there and others are not; a reader who
        pins a version for later must not have seen half of one.
        """
        path = self.root / _SETTLED
        return int(path.read_bytes()) if path.exists() else self.next_version() - 1

    def next_version(self) -> int:
        """The version that the next ingest batch gives its rows."""
        return 1 + max((int(path.stem) for path in self.root.glob("[!_]*/*/*.parquet")), default=0)

    def append(self, dataset: str, raw: RawEvents, imputed: NDArray[np.bool_]) -> int:
        """Store the rows that are not stored yet; returns how many. The version is the rows' own."""
        fresh = ~np.isin(_row_hash(raw), self._row_hashes(dataset))
        fresh &= _first_of_each(_row_hash(raw))
        buckets = raw.subject >> BUCKET_BITS
        for bucket in np.unique(buckets[fresh]):
            rows = np.flatnonzero(fresh & (buckets == bucket))
            rows = rows[np.lexsort((raw.known_from[rows], raw.valid_from[rows], raw.subject[rows]))]
            self._write(dataset, int(bucket), raw.take(rows), imputed[rows])
        self._settle()
        return int(fresh.sum())

    def remember(self, dataset: str, field: str, version: int, codes: Int64, texts: pa.Array) -> None:
        """Keep the texts of a named id's codes, arrays [rows]."""
        kept, first = np.unique(codes, return_index=True)
        first = first[kept != NULL]
        chosen = pc.utf8_trim_whitespace(texts.take(pa.array(first)))
        path = self.root / "_names" / f"{dataset}.{field}" / f"{version:012d}.parquet"
        _put(path, pa.table({"code": kept[kept != NULL], "text": chosen}))

    def names(self, dataset: str, field: str) -> dict[int, str]:
        """Text by code of a named id."""
        found: dict[int, str] = {}
        for path in sorted((self.root / "_names" / f"{dataset}.{field}").glob("*.parquet")):
            table = _read(path, ["code", "text"])
            found |= dict(zip(table["code"].to_pylist(), table["text"].to_pylist(), strict=True))
        return found

    def read(self, contract: Contract, *, max_version: int | None = None) -> EventTable:
        """All events of a dataset with corrections applied."""
        return self._raw(contract, None).resolve(max_version)

    def tables(
        self, contracts: Mapping[str, Contract], names: Iterable[str], seers: Int64 | None = None
    ) -> dict[str, EventTable]:
        """The named datasets, whole, and views, of everybody or of these seers."""
        known = views(contracts)
        reader = self._views(contracts, None)
        return {
            name: reader.whole(known[name], seers) if name in known else self.read(contracts[name])
            for name in names
        }

    def subject_tables(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        *,
        max_version: int | None = None,
        names: Iterable[str] = (),
    ) -> dict[str, EventTable]:
        """Every dataset for one subject, also the empty ones, its registers of firms, and the views in ``names``."""
        tables = {
            name: self._raw(contract, [subject]).resolve(max_version) for name, contract in contracts.items()
        }
        seen = self.seen(contracts, subject, names, max_version=max_version)
        return tables | {name: each.table for name, each in seen.items()}

    def seen(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        names: Iterable[str],
        *,
        max_version: int | None = None,
        at: int | None = None,
    ) -> dict[str, Seen]:
        """The views in ``names`` of one subject, and its registers of firms; see ``ViewReader.of``."""
        reader, wanted = self._views(contracts, max_version), set(names)
        return {
            name: reader.of(view, subject, at)
            for name, view in views(contracts).items()
            if name in wanted or (view.own and view.reach is Reach.OWNER)
        }

    def relatives(
        self, contracts: Mapping[str, Contract], names: Iterable[str], subject: int
    ) -> frozenset[int]:
        """Whose view among ``names`` shows this subject's events."""
        known = views(contracts)
        wanted = [known[name] for name in names if name in known]
        return self._views(contracts, None).relatives(wanted, subject)

    def version_of(self, subject: int, tables: Mapping[str, EventTable] | None = None) -> int:
        """Highest ingest version among a subject's rows; 0 for an unknown subject."""
        if tables is not None:
            return max((int(table.version.max()) for table in tables.values() if len(table)), default=0)
        paths = self.root.glob(f"[!_]*/{subject >> BUCKET_BITS:05d}/*.parquet")
        found = [_read(path, ["version"], [("subject", "=", subject)]) for path in paths]
        return max((int(_int64(table["version"]).max()) for table in found if table.num_rows), default=0)

    def loaded(self, dataset: str, file_digest: str) -> dict[str, Any] | None:
        """The report of a file that was loaded whole before, else None."""
        path = self._ledger(dataset, file_digest)
        return msgspec.json.decode(path.read_bytes()) if path.exists() else None

    def mark_loaded(self, dataset: str, file_digest: str, report: object) -> None:
        """Remember that a file was loaded whole."""
        path = self._ledger(dataset, file_digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, msgspec.json.encode(report))

    def _settle(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        _replace(self.root / _SETTLED, str(self.next_version() - 1).encode())

    def _ledger(self, dataset: str, file_digest: str) -> Path:
        return self.root / "_files" / dataset / f"{file_digest}.json"

    def _views(self, contracts: Mapping[str, Contract], max_version: int | None) -> ViewReader:
        def read(dataset: str, subjects: list[int] | None, by: str) -> RawEvents:
            return self._raw(contracts[dataset], subjects, by)

        return ViewReader(contracts, read, max_version)

    def _segments(self, dataset: str, buckets: Iterable[int] | None) -> list[Path]:
        folder = self.root / dataset
        if buckets is None:
            return sorted(folder.glob("*/*.parquet"))
        return [path for bucket in buckets for path in sorted(folder.glob(f"{bucket:05d}/*.parquet"))]

    def _raw(self, contract: Contract, subjects: list[int] | None, by: str = "subject") -> RawEvents:
        whole = subjects is None or by != "subject"
        buckets = None if whole else sorted({subject >> BUCKET_BITS for subject in subjects or []})
        filters = None if subjects is None else [(by, "in", subjects)]
        names = [*_TIMES, *contract.names]
        if subjects is not None and not subjects:
            return empty_raw(contract.names)
        parts = [_read(path, names, filters) for path in self._segments(contract.dataset, buckets)]
        if not parts:
            return empty_raw(contract.names)
        table = pa.concat_tables(parts)
        arrays = {name: _int64(table[name]) for name in names}
        subject, valid_from, valid_to, known_from, version, key = (arrays[name] for name in _TIMES)
        columns = {name: arrays[name] for name in contract.names}
        return RawEvents(subject, valid_from, valid_to, known_from, version, key, columns)

    def _row_hashes(self, dataset: str) -> Int64:
        parts = [_int64(_read(path, ["row"])["row"]) for path in self._segments(dataset, None)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _write(self, dataset: str, bucket: int, raw: RawEvents, imputed: NDArray[np.bool_]) -> None:
        columns: dict[str, Any] = {name: getattr(raw, name) for name in _TIMES}
        columns |= {"row": _row_hash(raw), "imputed_known": imputed, **raw.columns}
        path = self.root / dataset / f"{bucket:05d}" / f"{int(raw.version[0]):012d}.parquet"
        _put(path, pa.table(columns))


def _put(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    pq.write_table(table, draft, compression="lz4", row_group_size=_ROW_GROUP)
    _sync(draft)
    draft.rename(path)


def _row_hash(raw: RawEvents) -> Int64:
    return mix([raw.subject, raw.key, raw.valid_from, raw.valid_to, raw.known_from, *raw.columns.values()])


def _first_of_each(values: Int64) -> NDArray[np.bool_]:
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first


def _read(path: Path, columns: list[str], filters: list[Any] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, filters=filters, partitioning=None, use_threads=False)
    except (pa.ArrowInvalid, OSError):
        raise DamagedSegment(path) from None


def _int64(column: pa.ChunkedArray) -> Int64:
    """An int64 column without nulls as numpy; Arrow's own way would import pandas."""
    chunks = [
        np.frombuffer(c.buffers()[1], np.int64)[c.offset : c.offset + len(c)] for c in column.chunks if len(c)
    ]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_bytes(data)
    _sync(draft)
    draft.rename(path)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
