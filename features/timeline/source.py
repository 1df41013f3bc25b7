"""Where a portfolio's dataset comes from: its files, or a join of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.contracts.model import Source
from features.timeline.text import RawTable, UnreadableFeed, first_line, read_text


def read_source(source: Source, folder: Path, given: Path | None = None) -> list[tuple[str, RawTable]]:
    """The files of a portfolio's dataset, or the join of its tables, as strings.

    ``given`` is a file to read instead: of ``files``, or of the first of ``tables``.
    """
    if source.sql:
        return [(given.name if given else "joined", _join(source, folder, given))]
    paths = [given] if given else _matching(folder, source.files)
    return [(path.name, _read(source, path)) for path in paths]


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    paths = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if not paths:
        raise UnreadableFeed(folder, f"no file matches {', '.join(patterns)}.", "Check the data folder.")
    return paths


def _read(source: Source, path: Path) -> RawTable:
    raw = read_text(path, source.delimiter, source.header, source.skip)
    if not source.row_number or source.row_number in raw.table.column_names:
        return raw
    numbers = pa.array([str(line) for line in raw.lines], pa.string())
    return replace(raw, table=raw.table.append_column(source.row_number, numbers))


def _join(source: Source, folder: Path, given: Path | None) -> RawTable:
    connection = duckdb.connect()
    for place, (name, pattern) in enumerate(source.tables.items()):
        paths = [given] if given and place == 0 else _matching(folder, [pattern])
        connection.register(name, pa.concat_tables([_read(source, path).table for path in paths]))
    try:
        table = connection.sql(source.sql).to_arrow_table()
    except duckdb.Error as error:
        problem = f"the contract's sql does not run: {first_line(error)}."
        raise UnreadableFeed(folder, problem, "Mend the statement.") from None
    text = pa.table({name: pc.fill_null(table[name].cast(pa.string()), "") for name in table.column_names})
    return RawTable(text, np.arange(1, table.num_rows + 1))
