"""Where a portfolio's dataset comes from: its files, or a join of them."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.contracts.model import Source
from features.timeline.feed import RawTable, UnreadableFeed, first_line, read_text


def read_source(source: Source, folder: Path) -> list[tuple[str, RawTable]]:
    """The files of a portfolio's dataset, or the join of its tables, as strings."""
    if source.sql:
        return [("joined", _join(source, folder))]
    paths = [path for pattern in source.files for path in sorted(folder.glob(pattern))]
    if not paths:
        raise UnreadableFeed(folder, f"no file matches {', '.join(source.files)}.", "Check the data folder.")
    return [(path.name, read_text(path, source.delimiter)) for path in paths]


def _join(source: Source, folder: Path) -> RawTable:
    connection = duckdb.connect()
    for name, pattern in source.tables.items():
        paths = sorted(folder.glob(pattern))
        if not paths:
            raise UnreadableFeed(folder, f"no file matches {pattern}.", "Check the data folder.")
        parts = [read_text(path, source.delimiter).table for path in paths]
        connection.register(name, pa.concat_tables(parts))
    try:
        table = connection.sql(source.sql).to_arrow_table()
    except duckdb.Error as error:
        problem = f"the contract's sql does not run: {first_line(error)}."
        raise UnreadableFeed(folder, problem, "Mend the statement.") from None
    text = pa.table({name: pc.fill_null(table[name].cast(pa.string()), "") for name in table.column_names})
    return RawTable(text, np.arange(1, table.num_rows + 1))
