"""DuckDB: events summed into a row's windows' buckets first, buckets added up afterwards."""

from __future__ import annotations

import sys

import duckdb

sys.path.insert(0, sys.path[0] + "/..")
from peers.common import FILTERS, WINDOWS, run
from peers.duckdb_one_stage import edges


def first() -> str:
    parts = []
    for name, kind in FILTERS:
        kept = "" if kind is None else f"FILTER (WHERE e.kind = {kind})"
        parts += [
            f"count(e.amount) {kept} AS {name}_n", f"sum(e.amount) {kept} AS {name}_s",
            f"min(e.amount) {kept} AS {name}_lo", f"max(e.amount) {kept} AS {name}_hi",
        ]  # fmt: skip
    return ", ".join(parts)


def second() -> str:
    parts = []
    for name, _ in FILTERS:
        for place, months in enumerate(WINDOWS):
            kept = f"FILTER (WHERE bucket <= {place})"
            parts += [
                f"coalesce(sum({name}_n) {kept}, 0)::BIGINT AS {name}_count_{months}m",
                f"coalesce(sum({name}_s) {kept}, 0)::BIGINT AS {name}_sum_{months}m",
                f"(sum({name}_s) {kept})::DOUBLE / nullif(sum({name}_n) {kept}, 0) AS {name}_mean_{months}m",
                f"min({name}_lo) {kept} AS {name}_min_{months}m",
                f"max({name}_hi) {kept} AS {name}_max_{months}m",
            ]
    return ", ".join(parts)


def join(events: str, population: str, out: str) -> None:
    steps = " ".join(f"WHEN e.valid_from >= a.e{months} THEN {place}" for place, months in enumerate(WINDOWS))
    duckdb.sql("SET threads = 2")
    duckdb.sql(f"""
        COPY (WITH a AS (SELECT *, {edges()} FROM '{population}'),
              b AS (SELECT a.row, CASE {steps} END AS bucket, {first()}
                    FROM a JOIN read_parquet('{events}') e
                      ON e.subject = a.subject AND e.valid_from < a.as_of AND e.valid_from >= a.e24
                         AND e.known_from <= a.as_of AND a.as_of < e.stands_until
                    GROUP BY ALL)
              SELECT a.row, {second()} FROM a LEFT JOIN b USING (row) GROUP BY a.row ORDER BY a.row)
        TO '{out}' (FORMAT parquet)""")


if __name__ == "__main__":
    run(join)
