"""Parquet segments of one dataset and bucket, and which of a folder's files are the ones that count.

A compaction writes a new segment and then, in one rename, the small file ``_merged`` that names it and all that
it stands for. Until then the old files count, from then on the new one; a reader who listed the old ones and
finds them gone lists again.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.calendar import NULL
from features.errors import Integrity, Unavailable
from features.timeline.events import Int64

ROW_GROUP = 1 << 14
"""Rows that are read for one subject: small enough for a request, large enough for a scan."""
LARGE = 1 << 20
ROW_GROUP_LARGE = 1 << 17
"""The same of a segment with so many rows: small groups would halve the speed of a scan."""
_MERGED = "_merged"
_TRIES = 20
_Result = TypeVar("_Result")


class DamagedSegment(Integrity):
    """A segment that is not readable Parquet."""

    def __init__(self, path: Path) -> None:
        super().__init__("the segment cannot be read.", place=str(path), remedy="Restore it from the backup.")


class LakeMoving(Unavailable):
    """Segments went away under a reader again and again."""

    def __init__(self, root: Path) -> None:
        super().__init__("segments are missing.", place=str(root), remedy="Restore them from the backup.")


class Merged(msgspec.Struct, frozen=True):
    """What a compacted segment stands for."""

    segment: str
    replaced: tuple[str, ...]


def merged_of(folder: Path) -> Merged | None:
    """The last compaction of a folder."""
    try:
        return msgspec.json.decode((folder / _MERGED).read_bytes(), type=Merged)
    except (FileNotFoundError, NotADirectoryError):
        return None


def swap(folder: Path, merged: Merged) -> None:
    """From now on the merged segment counts, and no file that it replaces."""
    put_bytes(folder / _MERGED, msgspec.json.encode(merged))


def leftovers(folder: Path) -> list[Path]:
    """Files that do not count: replaced, or written by a compaction that was cut off."""
    counted = set(current(folder))
    return [
        path for path in sorted(folder.iterdir()) if path not in counted and not path.name.startswith("_")
    ]


def current(folder: Path) -> list[Path]:
    """The segments of a folder that count, in the order of their names."""
    for _ in range(_TRIES):
        merged = merged_of(folder)
        try:
            names = sorted(path.name for path in folder.iterdir() if path.suffix == ".parquet")
        except (FileNotFoundError, NotADirectoryError):
            return []
        if merged_of(folder) == merged:
            break
    if merged is None:
        return [folder / name for name in names if not name.startswith("c")]
    gone = set(merged.replaced)
    kept = (n for n in names if n == merged.segment or (n not in gone and not n.startswith("c")))
    return [folder / name for name in kept]


def settled_read(root: Path, read: Callable[[], _Result]) -> _Result:
    """The result of a reading that is begun again when a compaction took its files away.

    Raises:
        LakeMoving: files that are named are not there.
    """
    for _ in range(_TRIES):
        try:
            return read()
        except FileNotFoundError:
            continue
    raise LakeMoving(root)


def read_arrays(
    path: Path, names: Sequence[str], by: str = "", values: Int64 | None = None
) -> dict[str, Int64]:
    """Columns of a segment as int64 [n], ``NULL`` where it has none of that name; rows with these values of ``by``.

    Raises:
        DamagedSegment: it is not readable.
        FileNotFoundError: it is gone.
    """
    table = read_table(path, names, by, values)
    arrays = {name: int64_of(table[name]) for name in table.column_names}
    absent = [name for name in names if name not in arrays]
    arrays |= {name: np.full(table.num_rows, NULL) for name in absent}
    if values is None:
        return arrays
    rows = np.flatnonzero(np.isin(arrays[by], values))
    return {name: array[rows] for name, array in arrays.items()}


def schema_of(path: Path) -> pa.Schema:
    """The columns of a segment, with its metadata.

    Raises:
        DamagedSegment: it is not readable.
    """
    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError):
        raise DamagedSegment(path) from None


def read_table(path: Path, names: Sequence[str], by: str = "", values: Int64 | None = None) -> pa.Table:
    """The named columns that are there, of the row groups that may hold one of the values."""

    def chosen(footer: Footer) -> list[int]:
        if values is None or by not in footer.names:
            return list(range(footer.metadata.num_row_groups))
        ordered = np.sort(values)
        groups = [group for group, span in enumerate(footer.spans(by)) if _may_hold(span, ordered)]
        if len(ordered) != 1:
            return groups
        # of most datasets a subject has nothing, and what a group holds is known at no cost
        return [group for group in groups if (footer.column(group, by) == ordered[0]).any()]

    return _read_groups(path, [*names, by] if by and by not in names else list(names), chosen)


def read_span(path: Path, names: Sequence[str], first: int, last: int) -> pa.Table:
    """The named columns that are there, of the row groups that may hold subjects from ``first`` to ``last``."""

    def chosen(footer: Footer) -> list[int]:
        spans = enumerate(footer.spans("subject"))
        return [group for group, span in spans if span is None or (span[0] <= last and first <= span[1])]

    return _read_groups(path, names, chosen)


@dataclass(frozen=True, slots=True)
class Footer:
    """What a segment tells of itself. A segment is never changed, so that this holds for as long as it stands."""

    path: Path
    key: tuple[int, int]
    metadata: Any
    schema: pa.Schema
    names: frozenset[str]

    def spans(self, by: str) -> tuple[tuple[int, int] | None, ...]:
        """The least and the greatest value of a column in each group; None where that is not told."""
        return _spans(self.path, by, *self.key)

    def column(self, group: int, by: str) -> Int64:
        """A column of one group."""
        return _column(self.path, group, by, *self.key)


def footer_of(path: Path) -> Footer:
    """Of a segment as it is now.

    Raises:
        FileNotFoundError: it is gone.
    """
    stat = path.stat()
    return _footer(path, stat.st_ino, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _footer(path: Path, inode: int, written: int) -> Footer:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        return Footer(path, (inode, written), file.metadata, schema, frozenset(schema.names))


@lru_cache(maxsize=8192)
def _spans(path: Path, by: str, inode: int, written: int) -> tuple[tuple[int, int] | None, ...]:
    footer = _footer(path, inode, written)
    place = footer.schema.names.index(by)
    groups = (footer.metadata.row_group(g) for g in range(footer.metadata.num_row_groups))
    told = (group.column(place).statistics for group in groups)
    return tuple((s.min, s.max) if s is not None and s.has_min_max else None for s in told)


@lru_cache(maxsize=256)  # 128 KB each; 1 MB of a large segment's
def _column(path: Path, group: int, by: str, inode: int, written: int) -> Int64:
    metadata = _footer(path, inode, written).metadata
    with pq.ParquetFile(path, metadata=metadata) as file:
        return int64_of(file.read_row_group(group, columns=[by], use_threads=False)[by])


def _read_groups(path: Path, names: Sequence[str], chosen: Callable[[Footer], list[int]]) -> pa.Table:
    try:
        footer = footer_of(path)
        present = [name for name in dict.fromkeys(names) if name in footer.names]
        groups = chosen(footer)
        if not groups:
            return pa.schema([footer.schema.field(name) for name in present]).empty_table()
        with pq.ParquetFile(path, metadata=footer.metadata) as file:
            return file.read_row_groups(groups, columns=present, use_threads=False)
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError):
        raise DamagedSegment(path) from None


def _may_hold(span: tuple[int, int] | None, ordered: Int64) -> bool:
    if span is None:
        return True
    first = np.searchsorted(ordered, span[0], side="left")
    return bool(first < len(ordered) and ordered[first] <= span[1])


def put_table(path: Path, table: pa.Table, by: str = "subject") -> None:
    """Store a table under a name, whole or not at all; ``by`` is the column that it is sorted by."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    repeating = _repeating(table)
    with pq.ParquetWriter(draft, table.schema, compression="lz4", use_dictionary=repeating) as writer:
        for first, past in itertools.pairwise(_group_edges(int64_of(table[by]))):
            writer.write_table(table.slice(first, past - first), row_group_size=max(past - first, 1))
    _stand(draft, path)


def _repeating(table: pa.Table) -> list[str]:
    """Columns that a dictionary makes smaller; of the others it makes reading and writing slower."""
    sample = table.slice(0, ROW_GROUP)
    return [
        name for name in table.column_names if pc.count_distinct(sample[name]).as_py() * 2 <= sample.num_rows
    ]


def _group_edges(ordered: Int64) -> list[int]:
    """Where row groups begin and end: not within a subject, so that who reads a span reads no group in vain."""
    size = ROW_GROUP if len(ordered) < LARGE else ROW_GROUP_LARGE
    starts = np.unique(np.searchsorted(ordered, ordered[size::size]))
    return [0, *starts[starts > 0].tolist(), len(ordered)]


def put_bytes(path: Path, data: bytes) -> None:
    """Store bytes under a name, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.write_bytes(data)
    _stand(draft, path)


def _stand(draft: Path, path: Path) -> None:
    """Rename, and have both the bytes and the name on the disk: the tail deletes what is stored here."""
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def int64_of(column: pa.ChunkedArray) -> Int64:
    """An int64 column without nulls as numpy; Arrow's own way would import pandas."""
    if column.type == pa.bool_():
        column = column.cast(pa.int64())
    chunks = [
        np.frombuffer(c.buffers()[1], np.int64)[c.offset : c.offset + len(c)] for c in column.chunks if len(c)
    ]
    if len(chunks) == 1:
        return chunks[0]
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)
