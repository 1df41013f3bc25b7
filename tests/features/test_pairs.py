"""Population files: what is read from them, and what is refused with place and remedy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.calendar import instant
from features.pairs import BrokenPairs, read_pairs

DAY = instant("2024-05-31")


def written(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "as_of",
    [
        pa.array([DAY, DAY]),
        pa.array([DAY, DAY]).cast(pa.timestamp("us", "UTC")),
        pa.array(["2024-05-31", "2024-05-31T00:00:00+08:00"]),
        pa.array([date(2024, 5, 31), date(2024, 5, 31)]),
    ],
)
def test_a_moment_may_be_a_number_a_timestamp_a_text_or_a_day_of_shanghai(as_of, tmp_path) -> None:
    path = written(tmp_path / "p.parquet", subject=pa.array([7, 3], pa.int32()), as_of=as_of, more=["a", "b"])
    subjects, moments = read_pairs(path)
    assert subjects.tolist() == [7, 3]
    assert moments.tolist() == [DAY, DAY]


def test_a_csv_is_read_with_days_and_clock_times(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("as_of,subject\n2024-05-31,5\n2024-05-31 00:00:01,9\n")
    subjects, moments = read_pairs(path)
    assert subjects.tolist() == [5, 9]
    assert moments.tolist() == [DAY, DAY + 1_000_000]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("subject\n1\n", "lacks the column as_of"),
        ("subject,as_of\n", "no rows"),
        ("subject,as_of\nx,2024-05-31\n", "subject is no whole number"),
        ("subject,as_of\n1,soon\n", "as_of is no moment"),
        ("subject,as_of\n1,2024-05-31\n,2024-05-31\n", "empty cells"),
        ("", "cannot be read"),
        (None, "no such file"),
    ],
)
def test_a_file_that_names_nobody_or_no_moment_is_refused(text, problem, tmp_path) -> None:
    path = tmp_path / "p.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BrokenPairs, match=problem) as refused:
        read_pairs(path)
    assert refused.value.place == str(path)
