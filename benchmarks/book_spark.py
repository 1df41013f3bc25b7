"""The night of ``benchmarks.book`` on a Spark cluster: one task a bucket of subjects, the same function in it.

A bucket holds 65,536 households and knows nothing of another, so that the time is a bucket's time by the buckets a core does, and
memory is one bucket's on each core: that is the law, and what is printed shows how far it holds here.

    python -m benchmarks.book_spark [--quick] [--buckets N] [--model BUNDLE] [--json]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.book import night
from benchmarks.common import finish
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from features.spark import require_spark, session
from serving.watch.signals import SHIPPED as SIGNALS
from serving.watch.signals import load_signals

BUCKET, QUICK = 65_536, 4_096
MASTER = "local-cluster[2,1,4096]"
_SHAPE = "bucket long, loans long, hits long, bad long, seconds double"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help=f"buckets of {QUICK:,}")
    parser.add_argument("--buckets", type=int, default=16, help="how many buckets of subjects")
    parser.add_argument("--model", type=Path, help="a warning model's bundle")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    each = QUICK if options.quick else BUCKET
    require_spark()
    with session(MASTER) as spark:
        _run(spark, 2, 64, options.model)  # both executors load the code
        since = time.perf_counter()
        found = sorted(_run(spark, options.buckets, each, options.model))
        seconds = time.perf_counter() - since
    alone = one(0, each, options.model)
    assert tuple(found[0][:4]) == alone[:4], f"Spark told otherwise: {found[0]}, {alone}"
    inside = sum(row[4] for row in found)
    households = options.buckets * each
    figures = {
        "households": households, "seconds": seconds, "bucket_s": inside / options.buckets, "hits": sum(r[2] for r in found),
        "loans": sum(r[1] for r in found), "seconds_a_million": seconds / households * 1e6,
    }  # fmt: skip
    sizes = {
        "buckets": options.buckets,
        "households_a_bucket": each,
        "cores": 2,
        "model": bool(options.model),
    }
    ratios = {"bucket_alone": inside / options.buckets / alone[4], "busy": inside / (2 * seconds)}
    finish("book_spark", sizes, figures, ratios, as_json=options.json)


def one(bucket: int, households: int, model: Path | None) -> tuple[int, int, int, int, float]:
    """A bucket's night: its loans, hits and non-performing loans, and the seconds that it took."""
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


if __name__ == "__main__":
    main()
