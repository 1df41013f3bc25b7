"""The same build on a cluster: one task a subject bucket, the same function in it, the same bytes in the same files.

Spark hands out bucket numbers and each bucket's pairs, and nothing else: records go from the lake to the kernel
inside a task, and from there into the bucket's file. So lake and output must lie where every executor sees them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from features.build import Job, begin, build_bucket, clear_drafts, path_of, rows_of
from features.definitions.plan import FeaturePlan
from features.errors import Unavailable
from features.matrix import Missing
from features.terminal import Step
from features.timeline.events import Pin
from features.timeline.lake import Lake
from features.timeline.scan import buckets_of

LOCAL_CLUSTER = "local-cluster[2,1,1024]"
"""Two worker processes of one core and 1,024 MB each, besides the driver."""
VECTOR = "jdk.incubator.vector"
"""The module of Java that Spark 4 adds to its boot layer, and that cut-down runtimes lack."""
_ROOT = Path(__file__).parents[1]
_LOOK = 0.5
"""Seconds between two looks at how many buckets are there."""
_DONE = "bucket long, file string"


class NoSpark(Unavailable):
    """The engine ``spark`` cannot run here."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="engine spark", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A job without its population, as it travels to the executors."""

    document: bytes
    lake: Path
    pin: Pin
    masked: Mapping[str, Missing]
    out: Path

    def job(self, subjects: bytes, as_of: bytes) -> Job:
        """The job for these pairs, little-endian int64 each."""
        who, at = (np.frombuffer(part, dtype="<i8") for part in (subjects, as_of))
        return Job(_plan(self.document), Lake(self.lake), who, at, self.pin, self.masked)


def spark_build(job: Job, out: Path, master: str = LOCAL_CLUSTER, progress: Step | None = None) -> list[Path]:
    """As ``features.build.build``, on a Spark cluster; buckets that are there already are left alone.

    Raises:
        NoSpark: pyspark or a fitting Java is missing.
        OtherBuild: the folder was begun for another population, lake state or other definitions.
    """
    require_spark()
    begin(job, out)
    buckets = buckets_of(job.subjects)
    todo = [bucket for bucket in buckets if not path_of(out, bucket).exists()]
    if todo:
        recipe = Recipe(job.plan.document, job.lake.root.resolve(), job.pin, dict(job.masked), out.resolve())
        with session(master) as spark:
            _run(spark, recipe, [_pairs(job, bucket) for bucket in todo], _look(out, buckets, progress))
    clear_drafts(out)
    return [path_of(out, bucket) for bucket in buckets]


def build_batches(recipe: Recipe) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What ``mapInArrow`` runs: batches of (bucket, pairs) in, batches of (bucket, file) out."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                path = build_bucket(recipe.job(row["subjects"], row["as_of"]), recipe.out, row["bucket"])
                columns = [pa.array([row["bucket"]], pa.int64()), pa.array([path.name])]
                yield pa.RecordBatch.from_arrays(columns, names=["bucket", "file"])

    return run


def require_spark() -> None:
    """Refuse where Spark could not even begin.

    Raises:
        NoSpark: names what to install.
    """
    if find_spec("pyspark") is None:
        raise NoSpark("pyspark is not installed.", "Run `make spark`.")
    java = _java()
    if java is None:
        raise NoSpark(
            "there is no Java.", "Install the package openjdk-17-jre-headless, or run `make spark`."
        )
    asked = subprocess.run(  # noqa: S603
        [java, f"--add-modules={VECTOR}", "-version"], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        lacks = VECTOR in asked.stdout + asked.stderr
        problem = f"{java} lacks the module {VECTOR} that Spark needs." if lacks else f"{java} does not run."
        raise NoSpark(
            problem,
            "Use a whole runtime, such as openjdk-17-jre-headless, and unset JAVA_HOME if it names another.",
        )


@lru_cache(maxsize=1)
def _plan(document: bytes) -> FeaturePlan:
    return FeaturePlan.load(document)


def _java() -> str | None:
    """As Spark's own scripts choose it."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")


def _pairs(job: Job, bucket: int) -> tuple[int, bytes, bytes]:
    rows = rows_of(job, bucket)
    return bucket, job.subjects[rows].astype("<i8").tobytes(), job.as_of[rows].astype("<i8").tobytes()


def _look(out: Path, buckets: list[int], progress: Step | None) -> Callable[[], None]:
    def look() -> None:
        if progress:
            progress("buckets", sum(path_of(out, bucket).exists() for bucket in buckets), len(buckets))

    return look


def _run(spark: Any, recipe: Recipe, rows: list[tuple[int, bytes, bytes]], look: Callable[[], None]) -> None:
    shape = "bucket long, subjects binary, as_of binary"
    spread = spark.sparkContext.parallelize(rows, len(rows))
    done = spark.createDataFrame(spread, shape).mapInArrow(build_batches(recipe), _DONE)
    with ThreadPoolExecutor(1) as pool:
        running: Future[Any] = pool.submit(done.collect)
        while wait_for([running], timeout=_LOOK).not_done:
            look()
        running.result()


@contextmanager
def session(master: str) -> Iterator[Any]:
    """A session whose executors run this interpreter and this code."""
    from pyspark.sql import SparkSession  # noqa: PLC0415  # optional: only this engine needs it

    scratch = Path(_scratch().name)
    with _spark_home(scratch):
        builder = SparkSession.builder.master(master).appName("yidai features build")
        for name, value in _settings(scratch).items():
            builder = builder.config(name, value)
        with warnings.catch_warnings():
            # Spark doubts pandas 3 where it merely finds it; no row of ours passes through pandas
            warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
            spark = builder.getOrCreate()
        try:
            yield spark
        finally:
            spark.stop()


@cache
def _scratch() -> TemporaryDirectory[str]:
    """Gone with the process: its Java lives as long, and would miss what it began with."""
    return TemporaryDirectory(prefix="yidai-spark-")


def _settings(scratch: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    caches = os.environ.get("NUMBA_CACHE_DIR")
    return {
        "spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1",
        "spark.local.dir": str(scratch / "local"), "spark.pyspark.python": sys.executable,
        "spark.pyspark.driver.python": sys.executable, "spark.executorEnv.PYTHONPATH": path,
        "spark.executorEnv.OMP_NUM_THREADS": "1", "spark.ui.showConsoleProgress": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "1",
        "spark.log.level": "ERROR",
    } | ({"spark.executorEnv.NUMBA_CACHE_DIR": caches} if caches else {})  # fmt: skip


@contextmanager
def _spark_home(scratch: Path) -> Iterator[None]:
    """``SPARK_HOME`` as links to pyspark's: the workers of a local cluster write their logs beneath it."""
    found = find_spec("pyspark")
    package = Path(found.origin).parent if found and found.origin else scratch
    home = scratch / "home"
    if not home.exists():
        home.mkdir()
        for part in ("bin", "sbin", "jars", "python"):
            (home / part).symlink_to(package / part)
    before = os.environ.get("SPARK_HOME")
    os.environ.update({"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable})
    try:
        yield
    finally:
        if before is None:
            del os.environ["SPARK_HOME"]
        else:
            os.environ["SPARK_HOME"] = before
