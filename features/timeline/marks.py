"""The small files of a lake: how far it is settled, what is in flight, what it knows already, who is erased."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.calendar import NULL
from features.timeline.events import Int64
from features.timeline.segments import int64_of, put_bytes, put_table, read_table

_SETTLED, _BEGUN = "_settled", "_begun"
_FLUSHED, _FLUSHING = "_flushed", "_flushing"
_ERASED = "_erased"


class Marks:
    """``_settled`` and ``_begun`` are batch versions, ``_flushed`` and ``_flushing`` numbers of single records."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def settled(self) -> int:
        """The highest version of which every row is stored: what is read up to it never grows.

        While a batch is being written, some of its segments are there and others are not; a reader who
        pins a version for later must not have seen half of one.
        """
        return self._number(_SETTLED)

    def next_version(self) -> int:
        """The version that the next ingest batch gives its rows."""
        return 1 + max(self._number(_SETTLED), self._number(_BEGUN))

    def begin(self, version: int) -> None:
        """From now on rows of this version may be there: no other batch takes it, also if this one is cut off."""
        if version > self._number(_BEGUN):
            self._put_number(_BEGUN, version)

    def settle(self) -> None:
        """All that was begun is whole, or will never be continued."""
        self._put_number(_SETTLED, max(self._number(_SETTLED), self._number(_BEGUN)))

    def flushed(self) -> int:
        """Single records up to this number are in the lake, all of them."""
        return self._number(_FLUSHED)

    def flushing(self) -> int:
        """The number up to which a flush was begun."""
        return self._number(_FLUSHING)

    def begin_flush(self, last: int) -> None:
        """Records up to ``last`` are about to be written."""
        self._put_number(_FLUSHING, last)

    def end_flush(self, last: int) -> None:
        """Records up to ``last`` are written."""
        self._put_number(_FLUSHED, last)

    def erased(self) -> Int64:
        """Every subject that was erased, ascending: rows of theirs that are still stored are not read."""
        try:
            (self.root / _ERASED).stat()  # most lakes have none, and this costs less than to open it
            return np.fromfile(self.root / _ERASED, dtype="<i8").astype(np.int64)
        except FileNotFoundError:
            return np.empty(0, dtype=np.int64)

    def erase(self, subjects: Iterable[int]) -> None:
        """Add subjects to those that are erased."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".erased.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self.erased()
            after = np.union1d(before, np.array(sorted(subjects), dtype=np.int64))
            if len(after) > len(before):
                put_bytes(self.root / _ERASED, after.astype("<i8").tobytes())

    def loaded(self, dataset: str, file_digest: str) -> dict[str, Any] | None:
        """The report of a file that was loaded whole before, else None."""
        path = self._file(dataset, file_digest)
        return msgspec.json.decode(path.read_bytes()) if path.exists() else None

    def mark_loaded(self, dataset: str, file_digest: str, report: object) -> None:
        """Remember that a file was loaded whole."""
        put_bytes(self._file(dataset, file_digest), msgspec.json.encode(report))

    def every_loaded(self, dataset: str) -> Iterator[dict[str, Any]]:
        """The reports of all files of a dataset that were loaded whole."""
        for path in sorted((self.root / "_files" / dataset).glob("*.json")):
            yield msgspec.json.decode(path.read_bytes())

    def remember(self, dataset: str, field: str, version: int, codes: Int64, texts: pa.Array) -> None:
        """Keep the texts of a named id's codes, arrays [rows]."""
        kept, first = np.unique(codes, return_index=True)
        first = first[kept != NULL]
        chosen = pc.utf8_trim_whitespace(texts.take(pa.array(first)))
        path = self.root / "_names" / f"{dataset}.{field}" / f"{version:012d}.parquet"
        put_table(path, pa.table({"code": kept[kept != NULL], "text": chosen}), by="code")

    def names(self, dataset: str, field: str) -> dict[int, str]:
        """Text by code of a named id."""
        found: dict[int, str] = {}
        for path in sorted((self.root / "_names" / f"{dataset}.{field}").glob("*.parquet")):
            table = read_table(path, ["code", "text"])
            found |= dict(zip(int64_of(table["code"]).tolist(), table["text"].to_pylist(), strict=True))
        return found

    def _file(self, dataset: str, file_digest: str) -> Path:
        return self.root / "_files" / dataset / f"{file_digest}.json"

    def _number(self, name: str) -> int:
        try:
            return int((self.root / name).read_bytes())
        except FileNotFoundError:
            return 0

    def _put_number(self, name: str, value: int) -> None:
        put_bytes(self.root / name, str(value).encode())
