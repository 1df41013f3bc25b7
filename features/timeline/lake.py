"""The record of truth: Parquet segments by dataset, subject bucket and ingest version."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.contracts.model import Contract
from features.errors import Conflict
from features.timeline.events import EventTable, Int64, Pin, RawEvents, empty_raw, joined, mix
from features.timeline.life import forget, standing
from features.timeline.linked import read_linked
from features.timeline.marks import Marks
from features.timeline.segments import DamagedSegment, current, put_table, read_arrays, settled_read
from features.timeline.views import Reach, Seen, ViewReader, views

__all__ = ["BUCKET_BITS", "DamagedSegment", "Lake", "LakeBusy", "Tail"]
BUCKET_BITS = 16
ROWS_OF_A_FEW = 20_000
"""Fewer rows than this are looked for by their subjects; for more the whole bucket is read."""
TIMES = ("subject", "valid_from", "valid_to", "known_from", "version", "key")


class LakeBusy(Conflict):
    """Another process is writing to the lake."""

    def __init__(self, root: Path) -> None:
        super().__init__(
            "another ingest is writing here.",
            place=str(root),
            remedy="Wait until it has ended, then run again.",
        )


class Tail(Protocol):
    """Single records that were accepted and are not in the lake yet."""

    def rows(self, contract: Contract, subjects: list[int] | None, by: str) -> RawEvents:
        """Those of a dataset whose column (``subject`` or a link's field) is one of these; None for all."""

    def holds(self, dataset: str) -> bool:
        """Whether there is one of a dataset."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to store, with which of them had no known time of their own."""

    raw: RawEvents
    imputed: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Batch:
        """The chosen rows."""
        return Batch(self.raw.take(rows), self.imputed[rows])


class Lake(Marks):
    """Reads and appends. A compaction merges segments and never changes what is read.

    Layout: ``<root>/<dataset>/<bucket>/<version>.parquet``, sorted by subject; ``t<first>-<last>.parquet``
    for single records; ``c<number>.parquet`` for what a compaction merged; and the small files of ``Marks``.
    With a ``tail`` what is read are the stored rows and those of the tail.
    """

    def __init__(self, root: Path, tail: Tail | None = None) -> None:
        super().__init__(root)
        self._tail = tail

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
            yield

    def append(self, dataset: str, raw: RawEvents, imputed: NDArray[np.bool_]) -> int:
        """Store the rows that are not stored yet; returns how many. The version is the rows' own."""
        if not len(raw.subject):
            return 0
        self.begin(int(raw.version[0]))
        hashes = row_hash(raw)
        fresh = first_of_each(hashes) & ~self.holds(dataset, raw.subject, hashes)
        chosen = Batch(raw, imputed).take(fresh)
        for bucket, part in by_bucket(chosen):
            self._write(dataset, bucket, part, f"{int(raw.version[0]):012d}")
        self.settle()
        return int(fresh.sum())

    def flush(self, dataset: str, batch: Batch, first: int, last: int) -> None:
        """Store the single records numbered from ``first`` to ``last``; doing it again changes nothing."""
        for bucket, part in by_bucket(batch):
            self._write(dataset, bucket, part, f"t{first:015d}-{last:015d}")

    def holds(self, dataset: str, subject: Int64, hashes: Int64) -> NDArray[np.bool_]:
        """Which rows, by subject and hash, are stored already."""

        def stored() -> Int64:
            paths = self.segments(dataset, np.unique(subject >> BUCKET_BITS).tolist())
            few = np.unique(subject) if len(subject) < ROWS_OF_A_FEW else None
            parts = [read_arrays(path, ["row"], "subject", few)["row"] for path in paths]
            return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

        return np.isin(hashes, settled_read(self.root, stored))

    def read(self, contract: Contract, *, pin: Pin | None = None) -> EventTable:
        """All events of a dataset with corrections applied."""
        return standing(contract, self.raw(contract, None), pin)

    @property
    def tailed(self) -> bool:
        """Whether what is read may hold rows that no segment has."""
        return self._tail is not None

    def tables(
        self,
        contracts: Mapping[str, Contract],
        names: Iterable[str],
        seers: Int64 | None = None,
        *,
        pin: Pin | None = None,
    ) -> dict[str, EventTable]:
        """The named datasets, whole, and views, of everybody or of these seers."""
        known = views(contracts)
        reader = self._views(contracts, pin)
        return {
            name: reader.whole(known[name], seers) if name in known else self.read(contracts[name], pin=pin)
            for name in names
        }

    def subject_tables(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        *,
        pin: Pin | None = None,
        names: Iterable[str] = (),
    ) -> dict[str, EventTable]:
        """Every dataset for one subject, also the empty ones, its registers of firms, and the views in ``names``."""
        seen = self.seen(contracts, subject, names, pin=pin)
        own = self.own_tables(contracts, subject, pin=pin)
        return own | {name: each.table for name, each in seen.items()}

    def own_tables(
        self, contracts: Mapping[str, Contract], subject: int, *, pin: Pin | None = None
    ) -> dict[str, EventTable]:
        """Every dataset for one subject, also the empty ones, without any view."""
        return {
            name: standing(contract, self.raw(contract, [subject]), pin)
            for name, contract in contracts.items()
        }

    def seen(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        names: Iterable[str],
        *,
        pin: Pin | None = None,
        at: int | None = None,
    ) -> dict[str, Seen]:
        """The views in ``names`` of one subject, and its registers of firms; see ``ViewReader.of``."""
        reader, wanted = self._views(contracts, pin), set(names)
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

    def raw(self, contract: Contract, subjects: list[int] | None, by: str = "subject") -> RawEvents:
        """Accepted rows whose column (``subject`` or a link's field) is one of these; all of them for None."""
        erased = self.erased()
        if subjects is not None and len(erased):
            subjects = np.setdiff1d(subjects, erased).tolist()
        if subjects is not None and not subjects:
            return empty_raw(contract.names)
        # the tail first: what is flushed in between is found in the lake then
        live = self._tail.rows(contract, subjects, by) if self._tail else None
        stored = settled_read(self.root, lambda: self._stored(contract, subjects, by))
        both = stored if live is None else joined(stored, live.take(~np.isin(live.version, stored.version)))
        return forget(contract, both, erased)

    def delivered(self, dataset: str) -> bool:
        """Whether anything of a dataset has ever come; nobody's record is read for it."""
        held = self._tail is not None and self._tail.holds(dataset)
        return held or bool(self.segments(dataset))

    def segments(self, dataset: str, buckets: Iterable[int] | None = None) -> list[Path]:
        """The files that hold a dataset now, of these buckets or of all; a compaction may take one away."""
        folder = self.root / dataset
        if buckets is None:
            folders = sorted(path for path in folder.glob("*") if path.is_dir())
        else:
            folders = [folder / f"{bucket:05d}" for bucket in buckets]
        return [path for each in folders for path in current(each)]

    def _views(self, contracts: Mapping[str, Contract], pin: Pin | None) -> ViewReader:
        def read(dataset: str, subjects: list[int] | None, by: str) -> RawEvents:
            return self.raw(contracts[dataset], subjects, by)

        return ViewReader(contracts, read, pin)

    def _stored(self, contract: Contract, subjects: list[int] | None, by: str) -> RawEvents:
        values = None if subjects is None else np.array(sorted(subjects), dtype=np.int64)
        names = [*TIMES, *contract.names]
        if values is not None and by != "subject":
            parts = [read_linked(path, names, by, values) for path in self.segments(contract.dataset)]
            return raw_of(contract.names, parts)
        buckets = None if values is None else np.unique(values >> BUCKET_BITS).tolist()
        parts = [read_arrays(path, names, by, values) for path in self.segments(contract.dataset, buckets)]
        return raw_of(contract.names, parts)

    def _write(self, dataset: str, bucket: int, batch: Batch, name: str) -> None:
        raw = batch.raw
        columns: dict[str, Any] = {name: getattr(raw, name) for name in TIMES}
        columns |= {"row": row_hash(raw), "imputed_known": batch.imputed, **raw.columns}
        put_table(self.root / dataset / f"{bucket:05d}" / f"{name}.parquet", pa.table(columns))


def raw_of(fields: Iterable[str], parts: list[dict[str, Int64]]) -> RawEvents:
    """Rows from the arrays of several segments."""
    names = list(fields)
    if not parts:
        return empty_raw(names)
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in (*TIMES, *names)}
    subject, valid_from, valid_to, known_from, version, key = (arrays[name] for name in TIMES)
    columns = {name: arrays[name] for name in names}
    return RawEvents(subject, valid_from, valid_to, known_from, version, key, columns)


def by_bucket(batch: Batch) -> Iterator[tuple[int, Batch]]:
    """The rows of each bucket, in the order of a segment."""
    raw = batch.raw
    buckets = raw.subject >> BUCKET_BITS
    for bucket in np.unique(buckets).tolist():
        rows = np.flatnonzero(buckets == bucket)
        keys = (raw.version[rows], raw.known_from[rows], raw.valid_from[rows], raw.subject[rows])
        yield bucket, batch.take(rows[np.lexsort(keys)])


def row_hash(raw: RawEvents) -> Int64:
    """What makes a row the same row when it is sent again, int64 [n]."""
    return mix([raw.subject, raw.key, raw.valid_from, raw.valid_to, raw.known_from, *raw.columns.values()])


def first_of_each(values: Int64) -> NDArray[np.bool_]:
    """The first place of each value, bool [n]."""
    first = np.zeros(len(values), dtype=bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
