"""Training sets by subject bucket: any number of rows in the memory of one bucket, begun again where it stopped."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.canonical import canonical_bytes, digest
from features.definitions.plan import FeaturePlan
from features.errors import Conflict, Integrity
from features.matrix import FeatureMatrix, Missing
from features.terminal import Step
from features.timeline.events import EventTable, Int64, Pin
from features.timeline.lake import BUCKET_BITS, Lake
from features.timeline.scan import BucketTables, buckets_of, rows_in

PART = 1_500_000
"""Rows of a dataset that are in memory at once."""
MANIFEST = "build.json"
KINDS = "missing"
"""The column of a built file that holds one byte of ``Missing`` a feature column."""


class Manifest(msgspec.Struct, frozen=True):
    """What a folder of built features was made from; the same manifest gives the same bytes."""

    schema: int
    definitions: str
    population: str
    rows: int
    pin_lake: int
    pin_tail: int


class OtherBuild(Conflict):
    """The folder holds features of something else."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"the folder holds features built from another {what}.",
            place=str(folder),
            remedy="Name an empty folder, or remove this one.",
        )


@dataclass(frozen=True, slots=True)
class Job:
    """One row a (subject, as_of) pair, int64 [rows] each, read as far as ``pin``."""

    plan: FeaturePlan
    lake: Lake
    subjects: Int64
    as_of: Int64
    pin: Pin
    masked: Mapping[str, Missing]

    @property
    def manifest(self) -> Manifest:
        """What this job is made from."""
        order = np.lexsort((self.as_of, self.subjects))
        pairs = np.stack([self.subjects[order], self.as_of[order]])
        population = digest(pairs.astype("<i8").tobytes())
        return Manifest(1, self.plan.digest, population, len(self.subjects), self.pin.lake, self.pin.tail)


def rows_of(job: Job, bucket: int) -> NDArray[np.intp]:
    """Places of a bucket's rows in the job's arrays, by subject and moment."""
    rows = np.flatnonzero(job.subjects >> BUCKET_BITS == bucket)
    return np.asarray(rows[np.lexsort((job.as_of[rows], job.subjects[rows]))])


def build_rows(job: Job, bucket: int, views: Mapping[str, EventTable]) -> FeatureMatrix:
    """The features of a bucket's rows, in the order of ``rows_of``."""
    rows = rows_of(job, bucket)
    return _joined(job, [_build_part(job, bucket, rows[part], views) for part in _spans(job, bucket, rows)])


def _build_part(
    job: Job, bucket: int, rows: NDArray[np.intp], views: Mapping[str, EventTable]
) -> FeatureMatrix:
    subjects = job.subjects[rows]
    tables = BucketTables(
        job.lake, job.plan.contracts, job.plan.fields, bucket, np.unique(subjects), views, job.pin, job.plan.lasting
    )  # fmt: skip
    return job.plan.build(tables, subjects, job.as_of[rows], job.masked)


def _joined(job: Job, parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
    values = np.concatenate([part.values for part in parts])
    return FeatureMatrix(job.plan.columns, values, np.concatenate([part.missing for part in parts]))


def _spans(job: Job, bucket: int, rows: NDArray[np.intp]) -> list[slice]:
    """The sorted rows, cut so that no part has to read many more than ``PART`` rows at once."""
    held = [name for name in job.plan.datasets if name not in job.plan.views]
    parts = 1 + rows_in(job.lake, held, bucket) // PART
    edges = (bucket << BUCKET_BITS) + np.linspace(0, 1 << BUCKET_BITS, parts + 1).astype(np.int64)
    cuts = np.searchsorted(job.subjects[rows], edges)
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(cuts) if a < b]


def build(job: Job, out: Path, threads: int = 2, progress: Step | None = None) -> list[Path]:
    """Write ``<bucket>.parquet`` for every bucket with a row; returns all of them.

    Buckets that are there already are left alone, so a killed build goes on where it stopped.

    Raises:
        OtherBuild: the folder was begun for another population, lake state or other definitions.
    """
    begin(job, out)
    buckets = buckets_of(job.subjects)
    todo = [bucket for bucket in buckets if not path_of(out, bucket).exists()]
    views = views_of(job) if todo else {}

    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[tuple[int, NDArray[np.intp], list[Future[FeatureMatrix]]]] = deque()

        def finish() -> None:
            bucket, rows, parts = ahead.popleft()
            put(path_of(out, bucket), job, rows, _joined(job, [part.result() for part in parts]))

        for done, bucket in enumerate(todo, start=len(buckets) - len(todo)):
            if progress:
                progress("buckets", done, len(buckets))
            rows = rows_of(job, bucket)
            spans = _spans(job, bucket, rows)
            parts = [pool.submit(_build_part, job, bucket, rows[span], views) for span in spans]
            ahead.append((bucket, rows, parts))
            if len(ahead) > 1:
                finish()
        while ahead:
            finish()
    return [path_of(out, bucket) for bucket in buckets]


def begin(job: Job, out: Path) -> None:
    """Write the folder's manifest, or find that it is this job's."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / MANIFEST
    if not path.exists():
        draft = path.with_suffix(".tmp")
        draft.write_bytes(canonical_bytes(job.manifest))
        draft.rename(path)
        return
    before = msgspec.json.decode(path.read_bytes(), type=Manifest)
    for name in ("definitions", "population", "pin_lake", "pin_tail"):
        if getattr(before, name) != getattr(job.manifest, name):
            raise OtherBuild(out, name.replace("pin_", "state of the "))


def path_of(out: Path, bucket: int) -> Path:
    """The file of a bucket."""
    return out / f"{bucket:05d}.parquet"


def views_of(job: Job) -> dict[str, EventTable]:
    """The views of the plan for the job's subjects, in memory: they gather from all buckets."""
    names = [name for name in job.plan.datasets if name in job.plan.views and name not in job.masked]
    if not names:
        return {}
    return job.lake.tables(job.plan.contracts, names, np.unique(job.subjects), pin=job.pin)


def table_of(job: Job, rows: NDArray[np.intp], matrix: FeatureMatrix) -> pa.Table:
    """A built file's table: subject, as_of, the features, and why values are missing."""
    columns: dict[str, pa.Array] = {
        "subject": pa.array(job.subjects[rows]), "as_of": pa.array(job.as_of[rows]),
    }  # fmt: skip
    values = np.asfortranarray(matrix.values)
    for place, column in enumerate(matrix.columns):
        columns[column.name] = pa.array(values[:, place])
    width = matrix.missing.shape[1]
    kinds = pa.py_buffer(np.ascontiguousarray(matrix.missing))
    columns[KINDS] = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(rows), [None, kinds])
    return pa.table(columns)


def put(path: Path, job: Job, rows: NDArray[np.intp], matrix: FeatureMatrix) -> None:
    """Store a bucket's rows, whole or not at all."""
    draft = path.with_suffix(".tmp")
    pq.write_table(table_of(job, rows, matrix), draft, compression="lz4", use_dictionary=False)
    draft.rename(path)


@dataclass(frozen=True, slots=True)
class Verified:
    """Outcome of a verification: rows compared, and the first few that differ as (subject, as_of, column)."""

    rows: int
    different: int
    examples: tuple[tuple[int, int, str], ...]


def verify(job: Job, out: Path, progress: Step | None = None) -> Verified:
    """Compute every stored vector again as of its moment, in the lake state of its build, and compare bytes.

    Raises:
        OtherBuild: the folder was built from other definitions or another population.
        Integrity: a file of the build is missing or was changed in shape.
    """
    begin(job, out)
    views = views_of(job)
    rows, different = 0, 0
    examples: list[tuple[int, int, str]] = []
    buckets = buckets_of(job.subjects)
    for done, bucket in enumerate(buckets):
        if progress:
            progress("buckets", done, len(buckets))
        again = table_of(job, rows_of(job, bucket), build_rows(job, bucket, views))
        found = list(_differences(again, _stored(path_of(out, bucket), again)))
        different += len({(subject, moment) for subject, moment, _ in found})
        examples += found[: 10 - len(examples)]
        rows += again.num_rows
    return Verified(rows, different, tuple(examples))


def read_population(out: Path) -> tuple[Int64, Int64]:
    """Subjects and moments of a built folder, in the order of its files."""
    parts = [pq.read_table(path, columns=["subject", "as_of"]) for path in sorted(out.glob("[0-9]*.parquet"))]
    whole = pa.concat_tables(parts)
    return np.asarray(whole["subject"], dtype=np.int64), np.asarray(whole["as_of"], dtype=np.int64)


def _stored(path: Path, like: pa.Table) -> pa.Table:
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowInvalid, OSError):
        raise Integrity("a built file cannot be read.", place=str(path), remedy="Build it again.") from None
    if table.schema.names != like.schema.names or table.num_rows != like.num_rows:
        problem = "a built file has other columns or rows than it had."
        raise Integrity(problem, place=str(path), remedy="Remove it and build again.")
    return table


def _differences(again: pa.Table, stored: pa.Table) -> Iterator[tuple[int, int, str]]:
    for name in again.schema.names:
        one, other = _bytes_of(again[name]), _bytes_of(stored[name])
        for row in np.flatnonzero((one != other).any(axis=1)).tolist():
            yield int(again["subject"][row].as_py()), int(again["as_of"][row].as_py()), name


def _bytes_of(column: pa.ChunkedArray) -> NDArray[np.uint8]:
    """A column without nulls as bytes [rows, width]."""
    width = column.type.bit_width // 8
    parts = [
        np.frombuffer(chunk.buffers()[1], np.uint8)[
            chunk.offset * width : (chunk.offset + len(chunk)) * width
        ]
        for chunk in column.chunks
    ]
    return np.concatenate(parts).reshape(-1, width) if parts else np.empty((0, width), dtype=np.uint8)
