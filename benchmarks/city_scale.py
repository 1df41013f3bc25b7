"""All features of every application over the records of a whole city, up to the origin's 2,511,664,152 records.

The floor reads the same columns of the same files and touches each value once, with as many threads. Both run in
processes of their own. ``growth_2x`` is the time for all buckets over the time for half of them. The lake is kept and
a killed making of it goes on; so does a killed build (`yidai features build`), but not here, where its time counts.

    python -m benchmarks.city_scale [--records N] [--quick] [--json] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.city_lake import BEGIN, DAYS, city_plan, make_city_lake
from benchmarks.common import finish
from benchmarks.peers.common import peak_rss_gb
from features.build import Job, build
from features.calendar import DAY
from features.timeline.events import Int64, Pin
from features.timeline.lake import BUCKET_BITS, Lake
from features.timeline.scan import STANDS_UNTIL
from features.timeline.segments import int64_of

ORIGIN_RECORDS = 2_511_664_152
ORIGIN_APPLICATIONS = 429_988
_PIECE = 8
"""Row groups that the floor reads at once."""


def applications(buckets: int, people: int, count: int) -> tuple[Int64, Int64]:
    """Applications of the last three years, by anybody, several by some."""
    generator = np.random.default_rng(7)
    who = generator.integers(0, buckets * people, count)
    subjects = (who // people << BUCKET_BITS) + who % people
    return subjects, BEGIN + generator.integers(DAYS * 2 // 5 * DAY, DAYS * DAY, count)


def run_build(root: Path, out: Path, buckets: int, pairs: Path) -> None:
    """Our build over the first ``buckets`` buckets."""
    table = pq.read_table(pairs)
    subjects, as_of = (np.asarray(table[name], dtype=np.int64) for name in ("subject", "as_of"))
    kept = subjects >> BUCKET_BITS < buckets
    job = Job(city_plan(), Lake(root), subjects[kept], as_of[kept], Pin(1), {})
    start = time.perf_counter()
    build(
        job, out, progress=lambda _, done, of: print(f"  bucket {done} of {of}", file=sys.stderr, flush=True)
    )
    _tell(start)


def run_floor(root: Path, buckets: int) -> None:
    """Read what the build reads, and add up every value."""
    plan = city_plan()
    start = time.perf_counter()
    work = [(name, bucket) for bucket in range(buckets) for name in plan.datasets]

    def touch(one: tuple[str, int]) -> int:
        name, bucket = one
        ends = ["valid_to"] if name in plan.lasting else []
        names = dict.fromkeys(
            ["subject", "valid_from", "known_from", STANDS_UNTIL, *ends, *plan.fields[name]]
        )
        total = 0
        for path in Lake(root).segments(name, [bucket]):
            with pq.ParquetFile(path) as file:
                for first in range(0, file.num_row_groups, _PIECE):
                    groups = range(first, min(first + _PIECE, file.num_row_groups))
                    table = file.read_row_groups(list(groups), columns=list(names), use_threads=False)
                    total += sum(int(int64_of(table[each]).sum()) for each in names)
        return total

    with ThreadPoolExecutor(2) as pool:
        sum(pool.map(touch, work))
    _tell(start)


def _tell(start: float) -> None:
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_rss_gb": peak_rss_gb()}))


def measured(*arguments: object) -> dict[str, float]:
    """A run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.city_scale", "--run", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000_000, help=f"Up to {ORIGIN_RECORDS:,}.")
    parser.add_argument("--quick", action="store_true", help="Within a minute: 12 million records.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON at the end.")
    parser.add_argument("--data", type=Path, default=Path(".yidai/benchmarks"), help="Folder of the lake.")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        kind, root, *rest = arguments.run
        if kind == "floor":
            run_floor(Path(root), int(rest[0]))
        else:
            run_build(Path(root), Path(rest[0]), int(rest[1]), Path(rest[2]))
        return
    records = 12_000_000 if arguments.quick else arguments.records
    compare(arguments.data, records, as_json=arguments.json)


def compare(data: Path, records: int, *, as_json: bool) -> None:
    """Make the lake, run floor and build over half and over all of it, and print."""
    root = data / "city"
    plan = city_plan()
    start = time.perf_counter()
    buckets, people = make_city_lake(
        root, plan, records, lambda done, of: print(f"  lake {done}/{of}", flush=True)
    )
    made = time.perf_counter() - start
    count = max(200, round(ORIGIN_APPLICATIONS * records / ORIGIN_RECORDS))
    pairs = data / "applications.parquet"
    subjects, as_of = applications(buckets, people, count)
    pq.write_table(pa.table({"subject": subjects, "as_of": as_of}), pairs)
    size = sum(path.stat().st_size for path in root.glob("*/*/*.parquet")) / 1e9
    floor = measured("floor", root, buckets)
    half = measured("build", root, _fresh(data / "half"), buckets // 2, pairs)
    whole = measured("build", root, _fresh(data / "whole"), buckets, pairs)
    again = measured("floor", root, buckets)
    best = min(floor["seconds"], again["seconds"])
    figures = {
        "records": float(records), "asof_rows": float(count), "columns": float(len(plan.columns)),
        "seconds": whole["seconds"], "floor_seconds": best, "records_per_s": records / whole["seconds"],
        "asof_rows_per_s": count / whole["seconds"], "peak_rss_gb": whole["peak_rss_gb"],
        "growth_2x": whole["seconds"] / half["seconds"] * (2 * (buckets // 2) / buckets), "lake_gb": size,
        "make_seconds": made,
    }  # fmt: skip
    sizes = {
        "records": records,
        "buckets": buckets,
        "people": buckets * people,
        "datasets": len(plan.datasets),
    }
    finish("city_scale", sizes, figures, {"over_floor": whole["seconds"] / best}, as_json=as_json)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    main()
