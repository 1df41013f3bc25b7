"""Point-in-time features beside DuckDB, Polars, pandas and Feast: the same files, the same answers, the same run.

Seventy-five columns (three filters, five aggregates, windows of 1 to 24 calendar months) of transactions that
are known days after they happened and sometimes corrected. DuckDB runs in two forms and the faster one counts.
pandas and Feast run on a smaller lake, because they hold the whole join; Feast joins the latest known value, and
is compared with us computing that. Reading the Parquet files and writing the answer is in every time.

    make peers
    python -m benchmarks.features_vs_peers [--quick] [--json] [--data FOLDER]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.common import finish
from benchmarks.peers.common import peak_rss_gb
from benchmarks.transactions import DATASET, make_lake, plan, population, put_population
from features.build import Job, build, path_of
from features.definitions.plan import FeaturePlan
from features.timeline.events import Int64, Pin
from features.timeline.lake import Lake

PEERS = Path(".venv-peers/bin/python")
SCRIPTS = Path(__file__).parent / "peers"


def ours(lake: Path, pairs: Path, out: Path, columns: str) -> dict[str, float]:
    """Our own build in a process of its own, as the peers run."""
    return _run([sys.executable, "-m", "benchmarks.features_vs_peers", "--build", columns, lake, pairs, out])


def peer(name: str, events: str, pairs: Path, out: Path) -> dict[str, float]:
    """A peer's join in its own environment."""
    return _run([PEERS, SCRIPTS / f"{name}.py", events, pairs, out])


def _run(command: Sequence[object]) -> dict[str, float]:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def build_once(columns: str, lake: Path, pairs: Path, out: Path) -> None:
    """What a process of ours does, timed without the interpreter's start, as the peers are."""
    table = pq.read_table(pairs)
    chosen = plan() if columns == "windows" else plan(("last",), ("all",))
    start = time.perf_counter()
    job = Job(
        chosen, Lake(lake), *(np.asarray(table[n], dtype=np.int64) for n in ("subject", "as_of")), Pin(1), {}
    )
    build(job, out)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_rss_gb": peak_rss_gb()}))


def answers(chosen: FeaturePlan, out: Path, subjects: Int64, as_of: Int64) -> dict[str, np.ndarray]:
    """Our columns in the order of the population, NaN where there is no record."""
    tables = [pq.read_table(path) for path in sorted(out.glob("[0-9]*.parquet"))]
    whole = pa.concat_tables(tables)
    order = np.empty(len(subjects), dtype=np.int64)
    order[np.lexsort((as_of, subjects))] = np.arange(len(subjects))
    kinds = np.frombuffer(b"".join(k.as_py() for k in whole["missing"]), np.uint8)
    kinds = kinds.reshape(len(subjects), len(chosen.columns))
    return {
        column.name: np.where(kinds[:, place] == 0, np.asarray(whole[column.name]), np.nan)[order]
        for place, column in enumerate(chosen.columns)
    }


def check(name: str, mine: dict[str, np.ndarray], theirs: Path, names: dict[str, str]) -> None:
    """The peer's answers are ours: equal, means to the last bits but one.

    Counts and sums of nothing are 0 here and may be null there.
    """
    table = pq.read_table(theirs)
    for column, other in names.items():
        found = np.asarray(table[other].cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
        expected = mine[column]
        if "_count_" in column or "_sum_" in column:
            found = np.nan_to_num(found)
        if not np.allclose(found, expected, rtol=1e-12, equal_nan=True):
            place = int(np.flatnonzero(~np.isclose(found, expected, rtol=1e-12, equal_nan=True))[0])
            sys.exit(f"{name} differs in {column}, row {place}: {found[place]} for {expected[place]}")


def compare(
    folder: Path, subjects: int, each: int, rows: int, names: Sequence[str]
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Our time and memory, and those of each peer, on one lake; answers checked."""
    lake, pairs, out = folder / f"lake-{subjects}-{each}", folder / "pairs.parquet", folder / "out.parquet"
    make_lake(lake, subjects, each, lag_days=0 if "feast_join" in names else 20)
    people, moments = population(subjects, rows)
    put_population(pairs, people, moments)
    columns = "last" if "feast_join" in names else "windows"
    chosen = plan() if columns == "windows" else plan(("last",), ("all",))
    with tempfile.TemporaryDirectory(dir=folder) as built:
        mine = ours(lake, pairs, Path(built) / "a", columns)
        again = ours(lake, pairs, Path(built) / "b", columns)
        mine = min(mine, again, key=lambda one: one["seconds"])
        values = answers(chosen, Path(built) / "a", people, moments)
        assert path_of(Path(built) / "a", 0).exists()
    theirs = {}
    for name in names:
        events = str(lake / DATASET / "*" / "*.parquet")
        if name == "feast_join":
            events = str(for_feast(lake, folder / "feast"))
        theirs[name] = peer(name, events, pairs, out)
        wanted = {"all_last": "amount"} if name == "feast_join" else {c.name: c.name for c in chosen.columns}
        check(name, values, out, wanted)
        print(f"  {rows:>9,} rows, {subjects * each:>11,} events  {name:17} {theirs[name]['seconds']:8.2f} s "
              f"{theirs[name]['peak_rss_gb']:5.2f} GB; ours {mine['seconds']:7.2f} s {mine['peak_rss_gb']:5.2f} GB", flush=True)  # fmt: skip
    return mine, theirs


def for_feast(lake: Path, folder: Path) -> Path:
    """The same events with a timestamp of the type that Feast takes."""
    folder.mkdir(exist_ok=True)
    tables = [pq.read_table(p, partitioning=None) for p in sorted((lake / DATASET).glob("*/*.parquet"))]
    table = pa.concat_tables(tables)
    told = table["known_from"].cast(pa.timestamp("us", "UTC"))
    pq.write_table(
        table.select(["subject", "amount", "kind"]).append_column("told", told), folder / "events.parquet"
    )
    return folder / "events.parquet"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="Within a minute: 4 million events.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON at the end.")
    parser.add_argument("--data", type=Path, default=Path(".yidai/benchmarks"), help="Folder of the lakes.")
    parser.add_argument("--build", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.build:
        build_once(arguments.build[0], *(Path(part) for part in arguments.build[1:]))
        return
    if not PEERS.exists():
        sys.exit("the peers are not installed: make peers")
    arguments.data.mkdir(parents=True, exist_ok=True)
    subjects, large, small = (20_000, 80_000, 2_000) if arguments.quick else (250_000, 1_000_000, 20_000)
    few = 5_000 if arguments.quick else 20_000
    duckdbs = ("duckdb_one_stage", "duckdb_two_stage")
    mine, theirs = compare(arguments.data, subjects, 200, large, (*duckdbs, "polars_join"))
    little, at_small = compare(arguments.data, subjects, 200, small, duckdbs)
    less, pandas = compare(arguments.data, few, 200, few * 4, ("pandas_join",))
    last, feast = compare(arguments.data, few + 1, 200, few * 4, ("feast_join",))
    best = min(theirs[name]["seconds"] for name in duckdbs)
    ratios = {
        "duckdb": best / mine["seconds"], "polars": theirs["polars_join"]["seconds"] / mine["seconds"],
        "duckdb_small": min(at_small[name]["seconds"] for name in duckdbs) / little["seconds"],
        "pandas": pandas["pandas_join"]["seconds"] / less["seconds"],
        "feast": feast["feast_join"]["seconds"] / last["seconds"],
    }  # fmt: skip
    figures = {
        "columns": float(len(plan().columns)), "asof_rows": float(large), "seconds": mine["seconds"],
        "peak_rss_gb": mine["peak_rss_gb"],
    } | {f"peak_rss_gb.{name}": each["peak_rss_gb"] for name, each in theirs.items()}  # fmt: skip
    sizes = {"events": subjects * 200, "subjects": subjects, "small_rows": small, "pandas_rows": few * 4}
    finish("features_vs_peers", sizes, figures, ratios, as_json=arguments.json)


if __name__ == "__main__":
    main()
