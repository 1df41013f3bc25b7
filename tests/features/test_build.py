"""Training sets by bucket: whatever way they are read, cut off or begun again, the bytes are those of the plan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import build as building
from features.build import Job, OtherBuild, buckets_of, build, build_rows, path_of, rows_of, views_of
from features.calendar import DAY, NEVER, instant
from features.contracts.model import Contract
from features.matrix import Missing
from features.timeline import scan, segments
from features.timeline.compaction import compact
from features.timeline.events import RETRACTED, Pin
from features.timeline.lake import BUCKET_BITS, Lake
from tests.features.worlds import AS_OFS, BASE, WAGES, plan_of, raw_of, rows

KEPT = 12
"""Months of retention: some of a history is past it."""
CONTRACT = {**WAGES, "retention_months": KEPT}
FEATURES = [
    {
        "name": f"{aggregate}{'_valid' if window == 'now' else ''}", "aggregate": aggregate,
        "column": "" if aggregate == "count" else "amount", "windows": [window], "zh": "测", "en": "test",
        "rationale": "test", "reason": "R",
    }
    for aggregate, window in (("count", "6m"), ("sum", "all"), ("mean", "6m"), ("last", "all"), ("count", "now"))
]  # fmt: skip
PLAN = plan_of(FEATURES, [CONTRACT])
BOOK = {"wages": msgspec.convert(CONTRACT, Contract)}
PEOPLE = (0, 1, 2, 1 << BUCKET_BITS, (1 << BUCKET_BITS) + 1)


@st.composite
def accepted(draw: st.DrawFn) -> dict[str, int]:
    """A row of anybody; some take back what came before under the same key."""
    row = draw(rows())
    row["subject"] = draw(st.sampled_from(PEOPLE))
    row["slip"] = draw(st.integers(0, 2))
    if draw(st.booleans()):
        row["valid_to"] = draw(st.sampled_from([row["valid_to"], RETRACTED]))
    return row


BATCHES = st.lists(st.lists(accepted(), min_size=1, max_size=8), min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(st.sampled_from(PEOPLE), AS_OFS), min_size=1, max_size=6)


def filled(root: Path, batches: list[list[dict[str, int]]]) -> Lake:
    """A lake with a segment a batch and bucket."""
    lake = Lake(root)
    for number, batch in enumerate(batches, start=1):
        raw = raw_of([{**row, "version": number} for row in batch])
        lake.append("wages", raw, np.zeros(len(batch), dtype=bool))
    return lake


def expected(job: Job) -> dict[int, tuple[bytes, bytes]]:
    """What the plan makes of the whole lake, by bucket, with no path of this module."""
    tables = job.lake.tables(job.plan.contracts, job.plan.datasets, pin=job.pin)
    found = {}
    for bucket in {int(subject) >> BUCKET_BITS for subject in job.subjects}:
        rows_ = rows_of(job, bucket)
        matrix = job.plan.build(tables, job.subjects[rows_], job.as_of[rows_])
        found[bucket] = (matrix.values.tobytes(), matrix.missing.tobytes())
    return found


def built(job: Job) -> dict[int, tuple[bytes, bytes]]:
    """The same by bucket."""
    found = {}
    for bucket in {int(subject) >> BUCKET_BITS for subject in job.subjects}:
        matrix = build_rows(job, bucket, views_of(job))
        found[bucket] = (matrix.values.tobytes(), matrix.missing.tobytes())
    return found


def job_for(lake: Lake, pairs: list[tuple[int, int]], pin: Pin) -> Job:
    people, moments = (np.array(part, dtype=np.int64) for part in zip(*pairs, strict=True))
    return Job(PLAN, lake, people, moments, pin, {})


@settings(max_examples=30, deadline=None)
@given(BATCHES, PAIRS, st.integers(0, 4), st.booleans())
def test_merged_or_not_and_for_every_pin_the_bytes_are_those_of_the_plan(
    batches, pairs, seen, dropping
) -> None:
    with TemporaryDirectory() as root:
        lake = filled(Path(root), batches)
        jobs = [job_for(lake, pairs, Pin(version)) for version in (min(seen, len(batches)), len(batches))]
        before = [expected(job) for job in jobs]
        assert [built(job) for job in jobs] == before
        now = min(as_of for _, as_of in pairs) if dropping else instant("1990-01-01")
        assert list(compact(lake, BOOK, now))
        assert [built(job) for job in jobs] == before


@settings(max_examples=12, deadline=None)
@given(BATCHES, BATCHES, PAIRS)
def test_what_came_after_a_merging_is_read_with_it_and_by_older_pins_without_it(first, later, pairs) -> None:
    with TemporaryDirectory() as root:
        lake = filled(Path(root), first)
        list(compact(lake, BOOK, instant("1990-01-01")))
        old = job_for(lake, pairs, Pin(len(first)))
        before = expected(old)
        for number, batch in enumerate(later, start=len(first) + 1):
            raw = raw_of([{**row, "version": number} for row in batch])
            lake.append("wages", raw, np.zeros(len(batch), dtype=bool))
        new = job_for(lake, pairs, Pin(len(first) + len(later)))
        assert built(old) == before
        assert built(new) == expected(new)


@settings(max_examples=12, deadline=None)
@given(BATCHES, PAIRS, st.integers(1, 4))
def test_parts_that_fit_a_small_memory_give_the_same_bytes(batches, pairs, part) -> None:
    with TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        lake = filled(Path(root), batches)
        patch.setattr(segments, "ROW_GROUP", part)
        list(compact(lake, BOOK, instant("1990-01-01")))
        job = job_for(lake, pairs, Pin(len(batches)))
        whole = built(job)
        patch.setattr(building, "CELLS", part * len(PLAN.columns))
        patch.setattr(scan, "PIECE", part)
        assert built(job) == whole == expected(job)


def world(root: Path, people: int = 40, buckets: int = 3) -> Job:
    """A merged lake of three buckets and a pair or two of each person."""
    generator = np.random.default_rng(5)
    history = [
        {
            "subject": (number % buckets << BUCKET_BITS) + int(generator.integers(0, people)), "valid_from": day,
            "valid_to": NEVER, "known_from": day + int(generator.integers(0, 30)) * DAY,
            "slip": int(generator.integers(0, 50)), "amount": int(generator.integers(0, 900)), "payer": 11,
            "born_on": BASE, "kind": 0,
        }
        for number in range(1_200)
        for day in [BASE - int(generator.integers(0, 300)) * DAY]
    ]  # fmt: skip
    lake = filled(root, [history])
    list(compact(lake, BOOK, instant("1990-01-01")))
    subjects = np.array([row["subject"] for row in history[:150]], dtype=np.int64)
    return Job(PLAN, lake, subjects, BASE - np.arange(150) * DAY, Pin(1), {})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return world(tmp_path / "lake")


def test_the_fast_way_is_taken_where_a_bucket_is_one_merged_segment(job: Job) -> None:
    assert all(scan._ready(job.lake, BOOK["wages"], bucket, job.pin) for bucket in range(3))
    assert not scan._ready(job.lake, BOOK["wages"], 0, Pin(0))


def test_any_number_of_threads_writes_the_same_files(job: Job, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    one = build(job, tmp_path / "one", threads=1, progress=lambda *step: told.append(step))
    many = build(job, tmp_path / "many", threads=3)
    assert [path.name for path in one] == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in many]
    assert told == [("buckets", done, 3) for done in range(3)]


def test_a_built_file_holds_the_pairs_the_values_and_why_they_are_missing(job: Job, tmp_path: Path) -> None:
    table = pq.read_table(build(job, tmp_path / "out")[1])
    subjects, as_of = np.asarray(table["subject"]), np.asarray(table["as_of"])
    assert all((a, b) <= (c, d) for (a, b), (c, d) in pairwise(zip(subjects, as_of, strict=True)))
    matrix = PLAN.build(job.lake.tables(BOOK, ["wages"], pin=job.pin), subjects, as_of)
    for place, column in enumerate(PLAN.columns):
        assert np.asarray(table[column.name]).tobytes() == matrix.values[:, place].tobytes()
    assert b"".join(kinds.as_py() for kinds in table["missing"]) == matrix.missing.tobytes()


KILLED = """
import os, sys, time
from pathlib import Path
from features import build as building
from tests.features.test_build import world
kept = building.put
def put(*parts):
    kept(*parts)
    Path(sys.argv[3]).touch()
    time.sleep(60)
building.put = put
building.build(world(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_a_build_that_was_killed_goes_on_where_it_stopped(job: Job, tmp_path: Path) -> None:
    out, reached = tmp_path / "out", tmp_path / "reached"
    words = [sys.executable, "-c", KILLED, str(tmp_path / "again"), str(out), str(reached)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[2], env=dict(os.environ)) as process:
        try:
            end = time.monotonic() + 60
            while not reached.exists() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
        finally:
            process.send_signal(signal.SIGKILL)
    first = path_of(out, 0)
    built = {path.name for path in out.glob("*.parquet")}
    assert first.name in built
    assert len(built) < len(buckets_of(job.subjects))
    (out / "00001.cut.tmp").write_bytes(b"half of a file")
    inode, data = first.stat().st_ino, first.read_bytes()
    again = build(job, out)
    assert first.stat().st_ino == inode
    assert first.read_bytes() == data
    fresh = build(job, tmp_path / "fresh")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in fresh]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        p.name for p in (tmp_path / "fresh").iterdir()
    )


def test_a_folder_of_another_build_is_refused(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(job, out)
    kept = path_of(out, 0).read_bytes()
    for other, what in (
        (replace(job, plan=plan_of(FEATURES[:2], [CONTRACT])), "definitions"),
        (replace(job, as_of=job.as_of + 1), "population"),
        (replace(job, pin=Pin(0)), "state of the lake"),
        (replace(job, pin=Pin(1, 3)), "state of the tail"),
        (replace(job, masked={"wages": Missing.SOURCE_DOWN}), "choice of sources"),
    ):
        with pytest.raises(OtherBuild, match=what):
            build(other, out)
    assert path_of(out, 0).read_bytes() == kept
    shuffled = np.random.default_rng(0).permutation(len(job.subjects))
    build(replace(job, subjects=job.subjects[shuffled], as_of=job.as_of[shuffled]), out)
