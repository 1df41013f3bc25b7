"""Whose features, as of when: (subject, as_of) pairs from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from features.calendar import instant
from features.errors import Invalid
from features.timeline.events import Int64
from features.timeline.segments import int64_of

_COLUMNS = ("subject", "as_of")


class BrokenPairs(Invalid):
    """A population file that names nobody, or no moment."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(problem, place=str(path), remedy=remedy)


def read_pairs(path: Path) -> tuple[Int64, Int64]:
    """Subjects and moments of a Parquet or CSV file with the columns ``subject`` and ``as_of``, int64 [rows] each.

    ``as_of`` is a whole number of µs of UTC, a timestamp, or a text such as 2024-05-31 (of Shanghai).

    Raises:
        BrokenPairs: unreadable, without these columns or rows, or with a value that is none of these.
    """
    table = _table(path)
    lacks = [name for name in _COLUMNS if name not in table.column_names]
    if lacks:
        raise BrokenPairs(path, f"it lacks the column {', '.join(lacks)}.", "Name them subject and as_of.")
    if not table.num_rows:
        raise BrokenPairs(path, "it has no rows.", "Give one row a subject and moment.")
    if any(table[name].null_count for name in _COLUMNS):
        raise BrokenPairs(path, "it has empty cells.", "Give every row a subject and a moment.")
    return _whole(path, table["subject"], "subject"), _moments(path, table["as_of"])


def _table(path: Path) -> pa.Table:
    try:
        parquet = path.suffix == ".parquet"
        table = pq.read_table(path, partitioning=None) if parquet else pa_csv.read_csv(path)
        assert (
            table.column_names is not None
        )  # read here: a name that is not UTF-8 is told when it is asked for
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        problem = "there is no such file." if not path.exists() else "it cannot be read."
        raise BrokenPairs(path, problem, "Name a .parquet or .csv file.") from error
    return table


def _whole(path: Path, column: pa.ChunkedArray, name: str) -> Int64:
    if not pa.types.is_integer(column.type):
        raise BrokenPairs(path, f"{name} is no whole number.", "Subjects are the lake's own ids.")
    return np.array(int64_of(column.cast(pa.int64())))


def _moments(path: Path, column: pa.ChunkedArray) -> Int64:
    if pa.types.is_integer(column.type):
        return _whole(path, column, "as_of")
    if pa.types.is_timestamp(column.type) and column.type.tz:
        return np.array(int64_of(column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())))
    try:
        encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
        known = np.array([instant(text.replace(" ", "T")) for text in encoded.dictionary.to_pylist()])
    except (Invalid, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise BrokenPairs(path, "as_of is no moment.", "Write it as 2024-05-31.") from None
    return np.asarray(known[np.asarray(encoded.indices.to_numpy(zero_copy_only=False))], dtype=np.int64)
