"""The night of ``benchmarks.book`` on a Spark cluster: one task a bucket of subjects, the same function in it.

A bucket holds 65,536 households and knows nothing of another, so that the time is a bucket's time by the buckets a core does, and
memory is one bucket's on each core: that is the law, and what is printed shows how far it holds here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from features.spark import require_spark, session
from serving.watch.signals import SHIPPED as SIGNALS
from serving.watch.signals import load_signals

BUCKET, QUICK = 65_536, 4_096
MASTER = "local-cluster[2,1,4096]"
_SHAPE = "bucket long, loans long, hits long, bad long, seconds double"


def on_spark(buckets: int, model: Path | None, *, quick: bool) -> dict[str, float]:
    """Figures of so many buckets; those of the first are held against a run without Spark.

    Raises:
        NoSpark: pyspark or Java is missing.
        AssertionError: Spark told otherwise.
    """
    require_spark()
    each = QUICK if quick else BUCKET
    with session(MASTER) as spark:
        _run(spark, 2, 64, model)  # both executors load the code
        since = time.perf_counter()
        found = sorted(_run(spark, buckets, each, model))
        seconds = time.perf_counter() - since
    alone = one(0, each, model)
    assert tuple(found[0][:4]) == alone[:4], (found[0], alone)
    inside = sum(row[4] for row in found)
    return {
        "spark_households": buckets * each, "spark_seconds": seconds, "spark_bucket_s": inside / buckets,
        "spark_bucket_alone_s": alone[4], "spark_hits": sum(row[2] for row in found),
        "spark_busy_share": inside / (2 * seconds),
    }  # fmt: skip


def one(bucket: int, households: int, model: Path | None) -> tuple[int, int, int, int, float]:
    """A bucket's night: its loans, hits and non-performing loans, and the seconds that it took."""
    from benchmarks.book import night  # noqa: PLC0415 - an executor imports this module by its name

    plan = load_plan([CONTRACTS], [DEFINITIONS])
    signals = load_signals(SIGNALS, (column.name for column in plan.columns))
    found = night(plan, signals, households, model, seed=bucket)
    return bucket, found.loans, found.hits, found.bad, found.seconds


def _run(spark: Any, buckets: int, households: int, model: Path | None) -> list[tuple[Any, ...]]:
    rows = spark.sparkContext.parallelize([(bucket,) for bucket in range(buckets)], buckets)
    frame = spark.createDataFrame(rows, "bucket long").mapInArrow(_nights(households, model), _SHAPE)
    return [tuple(row) for row in frame.collect()]


def _nights(
    households: int, model: Path | None
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from benchmarks.book_spark import one as night_of  # noqa: PLC0415

        for batch in batches:
            for bucket in batch.column(0).to_pylist():
                values = night_of(bucket, households, model)
                kinds = (pa.int64(), pa.int64(), pa.int64(), pa.int64(), pa.float64())
                columns = [pa.array([value], kind) for value, kind in zip(values, kinds, strict=True)]
                yield pa.RecordBatch.from_arrays(columns, names=["bucket", "loans", "hits", "bad", "seconds"])

    return run
