"""One subject from PostgreSQL to all columns, as a decision computes them: every time anew, as of any moment.

A subject's packed row is read by asyncpg from a real server under row-level security, unpacked and run through the
kernel. Of the sample city the subject with most records is taken. Two peers, their time over ours:

- ``duckdb``: like for like on the 75 windowed columns of the other benchmarks. DuckDB holds one subject's
  transactions in a table of its own process (no server between) and answers one SQL; ours comes from PostgreSQL.
- ``feast``: its online read of the same number of columns, precomputed, from its SQLite store. It computes nothing.

Answers are checked. Each is the best of several repetitions, and the load of the machine is printed.

    make peers
    python -m benchmarks.features_online [--quick] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import transactions
from benchmarks.common import finish
from benchmarks.features_vs_peers import PEERS, SCRIPTS, _run
from features.calendar import CHINA_OFFSET
from features.city.make import make_city
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import FeaturePlan, load_plan
from features.identity.vault import MemoryVault
from features.matrix import FeatureMatrix
from features.timeline.events import EventTable
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from features.timeline.packed import pack, unpack
from serving.consents.repository import PUT_TIMELINE, TIMELINE
from serving.serve import open_store
from serving.settings import Settings
from serving.store.engine import stop_embedded
from serving.store.session import open_pool, tenant_connection

Tables = dict[str, EventTable]
Once = Callable[[], Awaitable[None]]


def busiest(home: Path, households: int, plan: FeaturePlan) -> tuple[int, int, Tables]:
    """The subject of a fresh city with most records, a moment after them, and its tables."""
    make_city(home / "city", households=households, months=36, seed=3)
    lake = Lake(home / "lake")
    ingest_folder(home / "city", plan.contracts, MemoryVault(), lake)
    own = [name for name in plan.datasets if name not in plan.views]
    read = lake.tables(plan.contracts, own)
    found = np.bincount(np.concatenate([table.subject for table in read.values()]))
    subject = int(found.argmax())
    tables = lake.subject_tables(plan.contracts, subject, names=plan.datasets)
    return subject, max(int(table.known_from.max()) for table in tables.values() if len(table)), tables


def transaction_world(home: Path) -> tuple[FeaturePlan, int, Tables]:
    """The plan of 75 columns, and the 200 transactions of an account."""
    transactions.make_lake(home / "transactions", 1_000, 200, lag_days=20)
    plan, lake = transactions.plan(), Lake(home / "transactions")
    return plan, 7, lake.subject_tables(plan.contracts, 7, names=plan.datasets)


class Online:
    """Rows of a tenant, and the way from them to features."""

    def __init__(self, pool: asyncpg.Pool, tenant: str) -> None:
        self._pool = pool
        self._tenant = tenant

    async def put(self, subject: int, tables: Tables) -> None:
        """Hydrate a subject."""
        async with tenant_connection(self._pool, self._tenant) as connection:
            await connection.execute(PUT_TIMELINE, self._tenant, subject, 1, pack(tables), 0, 0)

    async def features(self, plan: FeaturePlan, subject: int, as_of: int) -> FeatureMatrix:
        """What is timed: a transaction of the tenant, the row, the kernel."""
        async with tenant_connection(self._pool, self._tenant) as connection:
            row = await connection.fetchrow(TIMELINE, subject)
        return plan.build(unpack(row["packed"]), np.array([subject]), np.array([as_of]))

    async def fetch(self, subject: int) -> bytes:
        """The floor: the row, and nothing made of it."""
        async with tenant_connection(self._pool, self._tenant) as connection:
            row = await connection.fetchrow(TIMELINE, subject)
        return bytes(row["packed"])


async def quantiles(once: Once, count: int, repetitions: int) -> tuple[float, float]:
    """p50 and p99 in ms, each of the repetition in which it was least."""
    found = []
    for _ in range(repetitions):
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            await once()
            seconds.append(time.perf_counter() - start)
        found.append(np.quantile(seconds, (0.5, 0.99)) * 1e3)
    best = np.min(found, axis=0)
    return float(best[0]), float(best[1])


def duckdb_table(tables: Tables) -> duckdb.DuckDBPyConnection:
    """One subject's transactions in a table of DuckDB."""
    table = tables[transactions.DATASET]
    events = pa.table({
        "subject": table.subject, "valid_from": table.valid_from, "known_from": table.known_from,
        "stands_until": table.known_to, **table.columns,
    })  # fmt: skip
    connection = duckdb.connect(config={"threads": 1})
    connection.register("given", events)
    connection.execute("CREATE TABLE events AS SELECT * FROM given")
    return connection


def sql(subject: int, as_of: int) -> str:
    """The seventy-five columns of a subject as of a moment."""
    sys.path.append(str(SCRIPTS.parent))  # as the peers find each other in their own environment
    from peers.duckdb_one_stage import columns, edges  # noqa: PLC0415

    local = f"make_timestamp({as_of + CHINA_OFFSET})"
    return f"""
        SELECT {columns()} FROM (SELECT *, {edges()} FROM (SELECT {as_of} AS as_of, {local} AS local)) a
        LEFT JOIN events e ON e.subject = {subject} AND e.valid_from < a.as_of AND e.valid_from >= a.e24
         AND e.known_from <= a.as_of AND a.as_of < e.stands_until"""


def check_duckdb(plan: FeaturePlan, mine: FeatureMatrix, theirs: tuple[object, ...]) -> None:
    for column, value, kind, other in zip(plan.columns, mine.values[0], mine.missing[0], theirs, strict=True):
        if (None if kind else value) != other and not (kind and not other):
            sys.exit(f"duckdb differs in {column.name}: {other} for {value}")


async def against_duckdb(online: Online, home: Path, count: int, repetitions: int) -> tuple[float, float]:
    """p50 of DuckDB and of ours on the 75 columns."""
    plan, subject, tables = transaction_world(home)
    as_of = transactions.BEGIN + transactions.SPAN * 3 // 4
    await online.put(subject, tables)
    connection, statement = duckdb_table(tables), sql(subject, as_of)
    names = [part[0] for part in connection.execute(statement).description]
    order = [names.index(column.name) for column in plan.columns]
    found = connection.execute(statement).fetchone()
    check_duckdb(plan, await online.features(plan, subject, as_of), tuple(found[place] for place in order))

    async def theirs() -> None:
        connection.execute(statement).fetchone()

    async def ours() -> None:
        await online.features(plan, subject, as_of)

    return (await quantiles(theirs, count // 10, repetitions))[0], (
        await quantiles(ours, count, repetitions)
    )[0]


def against_feast(home: Path, matrix: FeatureMatrix, subject: int, as_of: int, count: int) -> float:
    """p50 of Feast's read of the same columns for a subject among a hundred."""
    people = [subject, *(10_000_000 + number for number in range(99))]
    values = np.repeat(matrix.values, len(people), axis=0)
    columns = {column.name: values[:, place] for place, column in enumerate(matrix.columns)}
    table = pa.table({"subject": people, "as_of": [as_of] * len(people), **columns})
    pq.write_table(table, home / "values.parquet")
    out = home / "feast.parquet"
    words = [PEERS, SCRIPTS / "feast_online.py", home / "values.parquet", subject, out, count]
    seconds = min(_run(words)["p50_ms"] for _ in range(1 if count < 100 else 3))
    found = pq.read_table(out)
    for name, expected in columns.items():
        if found[name][0].as_py() != expected[0]:
            sys.exit(f"feast differs in {name}")
    return seconds


async def measure(home: Path, settings: Settings, *, quick: bool) -> tuple[dict[str, object], dict[str, float], dict[str, float]]:  # fmt: skip
    """Sizes, figures and ratios."""
    plan = load_plan([CONTRACTS], [DEFINITIONS])
    subject, as_of, tables = busiest(home, 300 if quick else 2_000, plan)
    count, repetitions = (300, 5) if quick else (2_000, 9)
    pool = await open_pool(open_store(settings), 2)
    online = Online(pool, settings.tenant)
    await online.put(subject, tables)
    matrix = await online.features(plan, subject, as_of)
    slow = plan.build(tables, np.array([subject]), np.array([as_of]))
    assert (matrix.values.tobytes(), matrix.missing.tobytes()) == (
        slow.values.tobytes(),
        slow.missing.tobytes(),
    )

    async def ours() -> None:
        await online.features(plan, subject, as_of)

    async def floor() -> None:
        await online.fetch(subject)

    p50, p99 = await quantiles(ours, count, repetitions)
    fetch, _ = await quantiles(floor, count, repetitions)
    theirs, like = await against_duckdb(online, home, count, repetitions)
    figures = {
        "p50_ms": p50,
        "p99_ms": p99,
        "row_p50_ms": fetch,
        "p50_ms.75_columns": like,
        "duckdb_p50_ms": theirs,
    }
    ratios = {"duckdb": theirs / like, "over_row": p50 / fetch}
    if PEERS.exists():
        figures["feast_p50_ms"] = against_feast(home, matrix, subject, as_of, 50 if quick else 200)
        ratios["feast"] = figures["feast_p50_ms"] / p50
    else:
        print("Feast is left out: make peers")
    await pool.close()
    records = sum(len(table) for table in tables.values())
    held = sum(len(table) > 0 for table in tables.values())
    sizes: dict[str, object] = {
        "columns": len(plan.columns), "records": records, "datasets": held, "bytes": len(pack(tables)),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip
    return sizes, figures, ratios


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="Within a minute: a city of 300 households.")
    parser.add_argument("--json", action="store_true", help="Print one line of JSON at the end.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yidai-online-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        settings = Settings(home=home)
        try:
            sizes, figures, ratios = asyncio.run(measure(home, settings, quick=arguments.quick))
        finally:
            stop_embedded(settings)
    finish("features_online", sizes, figures, ratios, as_json=arguments.json)


if __name__ == "__main__":
    main()
