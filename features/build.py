"""Training sets by subject bucket: any number of rows in the memory of one bucket, begun again where it stopped."""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.canonical import UNREADABLE, canonical_bytes, digest
from features.definitions.plan import FeaturePlan
from features.errors import Conflict, Integrity, NotFound
from features.matrix import FeatureMatrix, Missing
from features.terminal import Step
from features.timeline.events import EventTable, Int64, Pin
from features.timeline.lake import BUCKET_BITS, Lake
from features.timeline.scan import BucketTables, buckets_of

CELLS = 40_000_000
"""Values that one thread fills at once: 360 MB with their kinds."""
MANIFEST = "build.json"
DEFINITIONS = "definitions.json"
KINDS = "missing"
"""The column of a built file that holds one byte of ``Missing`` a feature column."""
_WHAT = {"pin_lake": "state of the lake", "pin_tail": "state of the tail", "masked": "choice of sources"}


class Manifest(msgspec.Struct, frozen=True):
    """What a folder of built features was made from; the same manifest gives the same bytes."""

    schema: int
    definitions: str
    population: str
    rows: int
    pin_lake: int
    pin_tail: int
    masked: dict[str, int] = {}  # msgspec copies it
    """The datasets that were not read, with the kind of missing that their features got."""

    @property
    def pin(self) -> Pin:
        """How far the lake was read."""
        return Pin(self.pin_lake, self.pin_tail)


class OtherBuild(Conflict):
    """The folder holds features of something else."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"the folder holds features built from another {what}.",
            place=str(folder),
            remedy="Name an empty folder, or remove this one.",
        )


class NoBuild(NotFound):
    """A folder in which nothing was built."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            "no features were built here.", place=str(folder), remedy="Name the --out of a build."
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
        masked = {name: int(kind) for name, kind in sorted(self.masked.items())}
        return Manifest(
            1, self.plan.digest, population, len(self.subjects), self.pin.lake, self.pin.tail, masked
        )


def rows_of(job: Job, bucket: int) -> NDArray[np.intp]:
    """Places of a bucket's rows in the job's arrays, by subject and moment."""
    rows = np.flatnonzero(job.subjects >> BUCKET_BITS == bucket)
    return np.asarray(rows[np.lexsort((job.as_of[rows], job.subjects[rows]))])


def build_rows(job: Job, bucket: int, views: Mapping[str, EventTable]) -> FeatureMatrix:
    """The features of a bucket's rows, in the order of ``rows_of``."""
    rows = rows_of(job, bucket)
    return _joined(job, [_build_part(job, bucket, rows[part], views) for part in _spans(job, rows)])


def _build_part(
    job: Job, bucket: int, rows: NDArray[np.intp], views: Mapping[str, EventTable]
) -> FeatureMatrix:
    subjects = job.subjects[rows]
    tables = BucketTables(
        job.lake, job.plan.contracts, job.plan.fields, bucket, np.unique(subjects), views, job.pin, job.plan.lasting
    )  # fmt: skip
    return job.plan.build(tables, subjects, job.as_of[rows], job.masked)


def _part_table(job: Job, bucket: int, rows: NDArray[np.intp], views: Mapping[str, EventTable]) -> pa.Table:
    return table_of(job, rows, _build_part(job, bucket, rows, views))


def _joined(job: Job, parts: Sequence[FeatureMatrix]) -> FeatureMatrix:
    values = np.concatenate([part.values for part in parts])
    return FeatureMatrix(job.plan.columns, values, np.concatenate([part.missing for part in parts]))


def _spans(job: Job, rows: NDArray[np.intp], least: int = 1) -> list[slice]:
    """The sorted rows in at least so many parts, none within a subject nor much larger than ``CELLS`` values."""
    parts = max(least, -(-len(rows) * len(job.plan.columns) // CELLS))
    subjects = job.subjects[rows]
    middle = subjects[np.linspace(0, len(rows), parts + 1).astype(np.intp)[1:-1]]
    cuts = np.unique([0, *np.searchsorted(subjects, middle).tolist(), len(rows)])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(cuts)]


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
        ahead: deque[tuple[int, list[Future[pa.Table]]]] = deque()
        writing: deque[Future[None]] = deque()

        def finish() -> None:
            bucket, parts = ahead.popleft()
            tables = [part.result() for part in parts]
            if len(writing) > 1:
                writing.popleft().result()
            writing.append(pool.submit(put, path_of(out, bucket), tables))

        for done, bucket in enumerate(todo, start=len(buckets) - len(todo)):
            if progress:
                progress("buckets", done, len(buckets))
            rows = rows_of(job, bucket)
            least = -(-2 * threads // len(buckets))
            parts = [
                pool.submit(_part_table, job, bucket, rows[span], views) for span in _spans(job, rows, least)
            ]
            ahead.append((bucket, parts))
            if len(ahead) > 1:
                finish()
        while ahead:
            finish()
        for each in writing:
            each.result()
    clear_drafts(out)
    return [path_of(out, bucket) for bucket in buckets]


def build_bucket(job: Job, out: Path, bucket: int) -> Path:
    """Write one bucket's file from a job that holds (at least) its pairs: what a task of a cluster does."""
    path = path_of(out, bucket)
    if not path.exists():
        put(path, [table_of(job, rows_of(job, bucket), build_rows(job, bucket, views_of(job)))])
    return path


def begin(job: Job, out: Path) -> None:
    """Write the folder's manifest, or find that it is this job's."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / MANIFEST).exists():
        _put_bytes(out / DEFINITIONS, job.plan.document)
        _put_bytes(out / MANIFEST, canonical_bytes(job.manifest))
        return
    before, now = manifest_of(out), job.manifest
    for name in ("definitions", "population", "pin_lake", "pin_tail", "masked"):
        if getattr(before, name) != getattr(now, name):
            raise OtherBuild(out, _WHAT.get(name, name))


def manifest_of(out: Path) -> Manifest:
    """What a folder was built from.

    Raises:
        NoBuild: nothing was built there.
        Integrity: its manifest cannot be read.
    """
    path = out / MANIFEST
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise NoBuild(out) from None
    except UNREADABLE:
        raise Integrity("the manifest cannot be read.", place=str(path), remedy="Build again.") from None


def _put_bytes(path: Path, data: bytes) -> None:
    draft = _draft_of(path)
    draft.write_bytes(data)
    draft.rename(path)


def clear_drafts(out: Path) -> None:
    """Take away what writers that were killed have left."""
    for draft in out.glob("*.tmp"):
        draft.unlink(missing_ok=True)


def _draft_of(path: Path) -> Path:
    """A name of this writer's own: on a cluster a task may run twice at once."""
    return path.with_suffix(f".{secrets.token_hex(6)}.tmp")


def path_of(out: Path, bucket: int) -> Path:
    """The file of a bucket."""
    return out / f"{bucket:05d}.parquet"


def views_of(job: Job) -> dict[str, EventTable]:
    """The views of the plan for the job's subjects, in memory: they gather from all buckets."""
    names = [name for name in job.plan.datasets if name in job.plan.views and name not in job.masked]
    if not names:
        return {}
    return job.lake.tables(job.plan.contracts, names, np.unique(job.subjects), pin=job.pin)


def shown_by(job: Job, view: str, subject: int) -> frozenset[int]:
    """Whose records a view of the plan shows to one of the job's subjects."""
    return job.lake.seen(job.plan.contracts, subject, [view], pin=job.pin)[view].members


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


def put(path: Path, tables: Sequence[pa.Table]) -> None:
    """Store a bucket's tables as one file, whole or not at all; how it was cut leaves no trace in the bytes."""
    draft = _draft_of(path)
    whole = pa.concat_tables(tables).combine_chunks()
    numbers = [field.name for field in whole.schema if pa.types.is_floating(field.type)]
    pq.write_table(whole, draft, compression="lz4", use_dictionary=False, use_byte_stream_split=numbers)
    draft.rename(path)
