"""Merging a bucket's segments into one, without what may not be kept any longer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.calendar import NULL
from features.contracts.model import Contract
from features.timeline.events import Int64
from features.timeline.lake import BUCKET_BITS, TIMES, Lake, raw_of
from features.timeline.life import expired, expiry, linked_fields
from features.timeline.scan import STANDS_UNTIL, seen_metadata
from features.timeline.segments import (
    Merged,
    current,
    leftovers,
    merged_of,
    put_bytes,
    put_table,
    read_arrays,
    schema_of,
    swap,
)

_OWN = (*TIMES, "row", "imputed_known")
_FLUSHED = re.compile(r"t(\d+)-(\d+)\.parquet")
AGED = "_aged"
"""Subject and expiry of those whose rows were dropped by retention, int64 [n, 2]: a replay may say so."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a bucket: ``rows`` are kept, ``aged`` were past their retention, ``erased`` nobody's."""

    dataset: str
    bucket: int
    segments: int
    rows: int
    aged: int
    erased: int


def compact(lake: Lake, contracts: Mapping[str, Contract], now: int) -> Iterator[Compacted]:
    """Merge every bucket that has several segments, or rows to drop. Each bucket is done or not; doing it again
    changes nothing. What a reader as of ``now`` or later sees stays the same, for every pin; without rows to
    drop that holds for every moment.

    Raises:
        LakeBusy: somebody writes.
    """
    with lake.writing():
        for name, contract in sorted(contracts.items()):
            for folder in sorted(path for path in (lake.root / name).glob("*") if path.is_dir()):
                done = _compact(lake, contract, folder, now)
                if done is not None:
                    yield done


def crowded(lake: Lake, contracts: Mapping[str, Contract], most: int) -> bool:
    """Whether some bucket has more segments than that."""
    folders = (path for name in contracts for path in (lake.root / name).glob("*") if path.is_dir())
    return any(len(current(folder)) > most for folder in folders)


def _compact(lake: Lake, contract: Contract, folder: Path, now: int) -> Compacted | None:
    for path in leftovers(folder):
        path.unlink()
    paths = [path for path in current(folder) if _whole(path, lake.flushed())]
    if not paths:
        return None
    arrays = _arrays(contract, paths)
    erased, aged = _drops(contract, arrays, lake.erased(), now)
    cleared = _clear(contract, arrays, lake.erased())
    ready = len(paths) == 1 and STANDS_UNTIL in schema_of(paths[0]).names
    if ready and not (erased.any() or aged.any() or cleared):
        return None
    _note_aged(folder, contract, arrays, aged, now)
    rows = np.flatnonzero(~(erased | aged))
    keys = tuple(arrays[name][rows] for name in ("key", "version", "known_from", "valid_from", "subject"))
    rows = rows[np.lexsort(keys)]
    _put(folder, paths, contract, {name: values[rows] for name, values in arrays.items()})
    counts = (len(paths), len(rows), int(aged.sum()), int(erased.sum()))
    return Compacted(contract.dataset, int(folder.name), *counts)


def _whole(path: Path, flushed: int) -> bool:
    """Not the segment of a flush that was cut off: it will be written again under its name."""
    found = _FLUSHED.fullmatch(path.name)
    return found is None or int(found[2]) <= flushed


def _arrays(contract: Contract, paths: list[Path]) -> dict[str, Int64]:
    names = [*_OWN, *contract.names]
    names += sorted({name for path in paths for name in schema_of(path).names} - {*names, STANDS_UNTIL})
    parts = [read_arrays(path, names) for path in paths]
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _drops(contract: Contract, arrays: Mapping[str, Int64], erased: Int64, now: int) -> tuple[Any, Any]:
    raw = raw_of(contract.names, [dict(arrays)])
    gone = np.isin(raw.subject, erased)
    return gone, expired(contract, raw, now) & ~gone


def _clear(contract: Contract, arrays: dict[str, Int64], erased: Int64) -> bool:
    """Take out what leads to an erased subject; whether there was anything."""
    found = False
    for name in linked_fields(contract):
        there = np.isin(arrays[name], erased)
        if there.any():
            arrays[name] = np.where(there, NULL, arrays[name])
            found = True
    return found


def _stands_until(contract: Contract, arrays: Mapping[str, Int64]) -> Int64:
    """The end of each row's known time, for a reader who has seen all of these rows."""
    raw = raw_of(contract.names, [dict(arrays)])
    ends = raw.stands_until(raw.by_key())
    return np.minimum(ends, expiry(contract, raw.valid_from, raw.valid_to))


def _note_aged(folder: Path, contract: Contract, arrays: Mapping[str, Int64], aged: Any, now: int) -> None:
    if not aged.any():
        return
    gone = np.minimum(expiry(contract, arrays["valid_from"][aged], arrays["valid_to"][aged]), now)
    pairs = np.concatenate([aged_of(folder), np.stack([arrays["subject"][aged], gone], axis=1)])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    last = np.append(pairs[1:, 0] != pairs[:-1, 0], True)
    put_bytes(folder / AGED, pairs[last].astype("<i8").tobytes())


def aged_of(folder: Path) -> Int64:
    """Subject and latest expiry of those whose rows a bucket lost by retention, int64 [n, 2]."""
    path = folder / AGED
    data = np.fromfile(path, dtype="<i8") if path.exists() else np.empty(0, dtype=np.int64)
    return data.reshape(-1, 2).astype(np.int64)


def lost_since(lake: Lake, datasets: Iterable[str], subject: int, as_of: int) -> bool:
    """Whether rows of a subject were dropped that could still be seen as of a moment."""
    return bool(rows_lost(lake, datasets, np.array([subject]), np.array([as_of]))[0])


def rows_lost(lake: Lake, datasets: Iterable[str], subjects: Int64, as_of: Int64) -> NDArray[np.bool_]:
    """Of which (subject, as_of) pairs rows were dropped that could still be seen as of then, bool [n]."""
    out = np.zeros(len(subjects), dtype=bool)
    names, buckets = sorted(set(datasets)), subjects >> BUCKET_BITS
    for bucket in np.unique(buckets).tolist():
        rows = np.flatnonzero(buckets == bucket)
        for name in names:
            pairs = aged_of(lake.root / name / f"{bucket:05d}")
            if len(pairs):
                at = np.searchsorted(pairs[:, 0], subjects[rows]).clip(max=len(pairs) - 1)
                out[rows] |= (pairs[at, 0] == subjects[rows]) & (pairs[at, 1] > as_of[rows])
    return out


def _put(folder: Path, paths: list[Path], contract: Contract, arrays: Mapping[str, Int64]) -> None:
    """Write, swap in one rename, then take away what counts no more."""
    before = merged_of(folder)
    number = 1 + (int(before.segment[1:].split(".", 1)[0]) if before else 0)
    name = f"c{number:012d}.parquet"
    columns: dict[str, Any] = dict(arrays)
    columns["imputed_known"] = arrays["imputed_known"].astype(bool)
    columns[STANDS_UNTIL] = _stands_until(contract, arrays)
    metadata = seen_metadata(arrays["version"])
    put_table(folder / name, pa.table(columns).replace_schema_metadata(metadata))
    swap(folder, Merged(name, tuple(path.name for path in paths)))
    for path in paths:
        path.unlink(missing_ok=True)
