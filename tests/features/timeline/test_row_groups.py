"""How a segment is cut: whole subjects, nothing lost, a dictionary only where it helps."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.timeline import segments
from features.timeline.scan import cuts_of
from features.timeline.segments import put_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("segments")


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 9))
def test_a_row_group_begins_with_a_subject_and_none_is_lost(
    folder: Path, subjects: list[int], size: int
) -> None:
    table = pa.table(
        {"subject": np.sort(np.array(subjects, dtype=np.int64)), "value": np.arange(len(subjects))}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "ROW_GROUP", size)
        put_table(folder / "a.parquet", table)
    with pq.ParquetFile(folder / "a.parquet") as file:
        groups = [file.read_row_group(g)["subject"].to_pylist() for g in range(file.num_row_groups)]
        assert file.read().equals(table)
    assert all(before[-1] < after[0] for before, after in itertools.pairwise(groups))
    assert all(len(group) < size + max(map(group.count, group), default=0) for group in groups)


def test_a_dictionary_is_kept_for_values_that_come_again(folder: Path) -> None:
    rows = np.arange(1000)
    put_table(
        folder / "b.parquet", pa.table({"subject": rows // 100, "moment": rows * 7919, "kind": rows % 4})
    )
    group = pq.read_metadata(folder / "b.parquet").row_group(0)
    with_dictionary = {
        group.column(at).path_in_schema: group.column(at).has_dictionary_page
        for at in range(group.num_columns)
    }
    assert with_dictionary == {"subject": True, "moment": False, "kind": True}


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 30))
def test_spans_are_cut_where_row_groups_begin(
    folder: Path, subjects: list[int], size: int, most: int
) -> None:
    table = pa.table({"subject": np.sort(np.array(subjects, dtype=np.int64))})
    path = folder / "spans.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "ROW_GROUP", size)
        put_table(path, table)
    first = {
        pq.ParquetFile(path).read_row_group(g)["subject"][0].as_py()
        for g in range(pq.read_metadata(path).num_row_groups)
    }
    cuts = cuts_of(path, most)
    assert set(cuts) <= first
    edges = [min(subjects), *cuts, max(subjects) + 1]
    for low, high in itertools.pairwise(edges):
        held = [subject for subject in subjects if low <= subject < high]
        assert held
        assert len(held) <= most or len({s for s in first if low <= s < high}) == 1


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 9), st.lists(st.integers(0, 12), max_size=3))
def test_a_read_of_some_subjects_is_their_rows_whatever_is_remembered(
    folder: Path, subjects: list[int], size: int, wanted: list[int]
) -> None:
    """A segment that is written anew under its name is read anew."""
    held = np.sort(np.array(subjects, dtype=np.int64))
    table = pa.table({"subject": held, "value": np.arange(len(held))})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "ROW_GROUP", size)
        put_table(folder / "again.parquet", table)
    asked, names = np.array(wanted, dtype=np.int64), ["value", "lacking", "value"]
    for _ in range(2):
        found = segments.read_arrays(folder / "again.parquet", names, "subject", asked)
        assert found["value"].tolist() == np.flatnonzero(np.isin(held, asked)).tolist()
        assert len(found["lacking"]) == len(found["value"])
