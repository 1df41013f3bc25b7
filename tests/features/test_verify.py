"""Built features are proved: what differs by a bit is named, and what is not whole is told from what differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.build import KINDS, Job, NoBuild, build, path_of
from features.calendar import DAY, NEVER
from features.errors import Integrity
from features.matrix import Missing
from features.timeline.compaction import compact
from features.timeline.events import Pin
from features.timeline.lake import Lake
from features.verify import job_of, verify
from tests.features.test_build import BOOK, filled, job_for, world
from tests.features.worlds import BASE, raw_of


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return world(tmp_path / "lake")


def test_what_was_built_is_found_equal_in_the_lake_state_of_its_build(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(job, out)
    more = raw_of([{"subject": int(job.subjects[0]), "valid_from": BASE - 400 * DAY, "valid_to": NEVER, "known_from": BASE - 399 * DAY,
                    "slip": 77, "amount": 5, "payer": 11, "born_on": BASE, "kind": 0, "version": 2}])  # fmt: skip
    job.lake.append("wages", more, np.zeros(1, dtype=bool))
    found = verify(job_of(Lake(job.lake.root), out), out)
    assert (found.rows, found.aged, found.different, found.examples) == (150, 0, 0, ())
    assert verify(replace(job_of(job.lake, out)), out, lambda *_: None) == found


def test_one_flipped_bit_of_a_value_is_found(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = build(job, out)[2]
    table = pq.read_table(path)
    values = np.array(table["sum"].to_pylist())
    values.view(np.uint8)[8 * 4] ^= 1
    place = table.schema.names.index("sum")
    pq.write_table(table.set_column(place, "sum", pa.array(values)), path)
    found = verify(job_of(job.lake, out), out)
    where = (table["subject"][4].as_py(), table["as_of"][4].as_py(), "sum")
    assert (found.different, found.examples) == (1, (where,))


def test_any_flipped_byte_of_a_file_is_found_or_changes_nothing_that_is_read(
    job: Job, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    path = build(job, out)[0]
    whole, table = path.read_bytes(), pq.read_table(path)
    for at in np.linspace(4, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            same = pq.read_table(path).equals(table)
        except (pa.ArrowException, OSError, ValueError):
            same = False
        try:
            assert (verify(job_of(job.lake, out), out).different == 0) is same
        except Integrity:
            assert not same


def flip(path: Path, row: int, column: str) -> None:
    """One bit of a stored value, or of the first feature's kind of missing."""
    table = pq.read_table(path)
    kind = table.schema.field(column).type
    width = kind.bit_width // 8
    data = bytearray(table[column].combine_chunks().buffers()[1].to_pybytes())
    data[row * width] ^= 1
    changed = pa.Array.from_buffers(kind, len(table), [None, pa.py_buffer(bytes(data))])
    place = table.schema.names.index(column)
    pq.write_table(table.set_column(place, column, changed), path)


def test_rows_whose_records_aged_are_told_apart_from_rows_that_changed(tmp_path: Path) -> None:
    """Retention is 12 months from the end: person 1's row of 2 years ago goes, person 2's of last month stays."""
    month = 30 * DAY
    ended = [{"subject": who, "valid_from": BASE - past, "valid_to": BASE - past + DAY, "known_from": BASE - past + DAY,
              "slip": 1, "amount": 7, "payer": 11, "born_on": BASE, "kind": 0} for who, past in ((1, 24 * month), (2, month))]  # fmt: skip
    lake, out = filled(tmp_path / "lake", [ended]), tmp_path / "out"
    (path,) = build(job_for(lake, [(1, BASE - 20 * month), (1, BASE), (2, BASE)], Pin(1)), out)
    assert sum(done.aged for done in compact(lake, BOOK, BASE)) == 1
    found = verify(job_of(lake, out), out)
    assert (found.rows, found.aged, found.different, found.examples) == (3, 1, 0, ())
    for row, column in ((2, "sum"), (1, KINDS)):
        flip(path, row, column)
    found = verify(job_of(lake, out), out)
    named = job_of(lake, out).plan.columns[0].name
    assert (found.aged, found.different) == (1, 2)
    assert set(found.examples) == {(2, BASE, "sum"), (1, BASE, named)}
    masked = replace(job_of(lake, out), masked={"wages": Missing.NOT_AUTHORISED})
    (path,) = build(masked, tmp_path / "masked")
    flip(path, 0, "sum")
    found = verify(job_of(lake, tmp_path / "masked"), tmp_path / "masked")
    assert (found.aged, found.different) == (0, 1), "what was not read has not aged"


def test_a_folder_that_is_not_whole_is_told_from_one_that_differs(job: Job, tmp_path: Path) -> None:
    with pytest.raises(NoBuild):
        job_of(job.lake, tmp_path)
    out = tmp_path / "out"
    assert path_of(out, 1) in build(job, out)
    path_of(out, 1).unlink()
    with pytest.raises(Integrity, match="missing"):
        job_of(job.lake, out)
    build(job, out)
    (out / "definitions.json").write_bytes(b"{}")
    with pytest.raises(Integrity, match="definitions"):
        job_of(job.lake, out)
    (out / "build.json").write_bytes(b"[")
    with pytest.raises(Integrity, match="manifest"):
        job_of(job.lake, out)
