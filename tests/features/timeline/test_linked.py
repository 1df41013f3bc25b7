"""Rows of a group by the index in memory are those that a plain look at every row finds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import NULL
from features.timeline.linked import holding, read_linked
from features.timeline.segments import put_table, read_arrays

GROUP = st.one_of(st.integers(0, 4), st.just(NULL))
ROWS = st.lists(st.tuples(st.integers(0, 6), GROUP, st.integers(0, 99)), min_size=1, max_size=30)


def put(path: Path, rows: list[tuple[int, int, int]]) -> None:
    columns = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    names = ("subject", "household_no", "value")
    put_table(path, pa.table({n: np.array(c, dtype=np.int64) for n, c in zip(names, columns, strict=True)}))


@given(ROWS, ROWS, st.sets(st.integers(0, 5), min_size=1))
def test_the_rows_of_groups_are_those_of_a_plain_look_also_after_the_file_was_replaced(
    before, after, wanted: set[int]
) -> None:
    values, names = np.array(sorted(wanted)), ["subject", "household_no", "value"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "000000000001.parquet"
        for rows in (before, after):
            put(path, rows)
            found, plain = read_linked(path, names, "household_no", values), read_arrays(path, names)
            at = np.isin(plain["household_no"], values)
            assert {n: a.tolist() for n, a in found.items()} == {n: plain[n][at].tolist() for n in names}
            assert holding(path, "household_no", values).tolist() == sorted(
                {r[0] for r in rows if r[1] in wanted}
            )
