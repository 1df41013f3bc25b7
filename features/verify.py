"""Built features computed again and compared byte by byte with what was stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.build import (
    DEFINITIONS,
    KINDS,
    Job,
    begin,
    build_rows,
    manifest_of,
    path_of,
    rows_of,
    shown_by,
    table_of,
    views_of,
)
from features.definitions.plan import FeaturePlan
from features.errors import Integrity
from features.matrix import Missing
from features.terminal import Step
from features.timeline.compaction import lost_since
from features.timeline.events import Int64
from features.timeline.lake import Lake
from features.timeline.scan import buckets_of
from features.timeline.segments import int64_of

PAIR = ("subject", "as_of")
"""The columns that say of whom and when a row is."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Outcome of a verification: rows compared, and the first few that differ as (subject, as_of, column).

    ``aged`` rows differ only in columns whose records retention has dropped since; ``different`` are the others.
    """

    rows: int
    aged: int
    different: int
    examples: tuple[tuple[int, int, str], ...]


def job_of(lake: Lake, out: Path) -> Job:
    """The job that a folder was built by: its own definitions, its pairs, the lake as it was then.

    Raises:
        NoBuild: nothing was built there.
        Integrity: what lies there is not, or not all, of what was built.
    """
    manifest = manifest_of(out)
    path = out / DEFINITIONS
    plan = FeaturePlan.load(path.read_bytes() if path.exists() else b"")
    masked = {name: Missing(kind) for name, kind in manifest.masked.items()}
    job = Job(plan, lake, *read_population(out), manifest.pin, masked)
    if job.manifest != manifest:
        problem = "a file of the build is missing, or its subjects, moments or definitions were changed."
        raise Integrity(problem, place=str(out), remedy="Run the build again; it goes on where it stopped.")
    return job


def verify(job: Job, out: Path, progress: Step | None = None) -> Verified:
    """Compute every stored vector again as of its moment, in the lake state of its build, and compare bytes.

    What a compaction dropped cannot be computed again: a change in a column of such records says nothing.

    Raises:
        OtherBuild: the folder was built from other definitions or another population.
        Integrity: a file of the build is missing or was changed in shape.
    """
    begin(job, out)
    views = views_of(job)
    rows, aged, different = 0, 0, 0
    examples: list[tuple[int, int, str]] = []
    buckets = buckets_of(job.subjects)
    lost = cache(partial(_lost, job))
    for done, bucket in enumerate(buckets):
        if progress:
            progress("buckets", done, len(buckets))
        again = table_of(job, rows_of(job, bucket), build_rows(job, bucket, views))
        found = list(dict.fromkeys(_differences(job, again, _stored(path_of(out, bucket), again))))
        bad = [
            (who, at, name)
            for who, at, name in found
            if not any(lost(who, at, s) for s in _sources(job, name))
        ]
        wrong = {each[:2] for each in bad}
        different += len(wrong)
        aged += len({each[:2] for each in found} - wrong)
        examples += bad[: 10 - len(examples)]
        rows += again.num_rows
    return Verified(rows, aged, different, tuple(examples))


def _sources(job: Job, column: str) -> tuple[str, ...]:
    return () if column in PAIR else job.plan.sources(column)


def _lost(job: Job, subject: int, as_of: int, source: str) -> bool:
    """Whether retention took records of a dataset, or of a view's datasets, that could be seen as of then."""
    view = job.plan.views.get(source)
    if source in job.masked:
        return False
    if view is None:
        return lost_since(job.lake, [source], subject, as_of)
    names = (view.dataset, view.source)
    return any(lost_since(job.lake, names, who, as_of) for who in {subject, *shown_by(job, source, subject)})


def read_population(out: Path) -> tuple[Int64, Int64]:
    """Subjects and moments of a built folder, in the order of its files."""
    paths = sorted(out.glob("[0-9]*.parquet"))
    empty = pa.table({name: np.empty(0, dtype=np.int64) for name in PAIR})
    whole = pa.concat_tables([empty, *(_read(path, list(PAIR)) for path in paths)])
    return int64_of(whole["subject"]), int64_of(whole["as_of"])


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError, ValueError):
        remedy = "Remove it and run the build again."
        raise Integrity("a built file cannot be read.", place=str(path), remedy=remedy) from None


def _stored(path: Path, like: pa.Table) -> pa.Table:
    table = _read(path)
    if table.schema.names != like.schema.names or table.num_rows != like.num_rows:
        problem = "a built file has other columns or rows than it had."
        raise Integrity(problem, place=str(path), remedy="Remove it and build again.")
    return table


def _differences(job: Job, again: pa.Table, stored: pa.Table) -> Iterator[tuple[int, int, str]]:
    for name in again.schema.names:
        changed = _bytes_of(again[name]) != _bytes_of(stored[name])
        for row, byte in np.argwhere(changed).tolist():
            column = job.plan.columns[byte].name if name == KINDS else name
            yield int(again["subject"][row].as_py()), int(again["as_of"][row].as_py()), column


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
