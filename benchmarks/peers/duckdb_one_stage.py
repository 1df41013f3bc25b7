"""DuckDB: one join, seventy-five filtered aggregates."""

from __future__ import annotations

import sys

import duckdb

sys.path.insert(0, sys.path[0] + "/..")
from peers.common import FILTERS, WINDOWS, run


def condition(months: int, kind: int | None) -> str:
    edge = f"e.valid_from >= a.e{months}"
    return edge if kind is None else f"{edge} AND e.kind = {kind}"


def columns() -> str:
    parts = []
    for name, kind in FILTERS:
        for months in WINDOWS:
            kept = f"FILTER (WHERE {condition(months, kind)})"
            parts += [
                f"count(e.amount) {kept} AS {name}_count_{months}m",
                f"coalesce(sum(e.amount) {kept}, 0)::BIGINT AS {name}_sum_{months}m",
                f"sum(e.amount) {kept}::DOUBLE / nullif(count(e.amount) {kept}, 0) AS {name}_mean_{months}m",
                f"min(e.amount) {kept} AS {name}_min_{months}m",
                f"max(e.amount) {kept} AS {name}_max_{months}m",
            ]
    return ", ".join(parts)


def edges() -> str:
    clock = "epoch_us(local - INTERVAL {} MONTH) - 28800000000"
    return ", ".join(f"{clock.format(months)} AS e{months}" for months in WINDOWS)


def join(events: str, population: str, out: str) -> None:
    duckdb.sql("SET threads = 2")
    duckdb.sql(f"""
        COPY (SELECT a.row, {columns()}
              FROM (SELECT *, {edges()} FROM '{population}') a
              LEFT JOIN read_parquet('{events}') e
                ON e.subject = a.subject AND e.valid_from < a.as_of AND e.valid_from >= a.e24
                   AND e.known_from <= a.as_of AND a.as_of < e.stands_until
              GROUP BY a.row ORDER BY a.row) TO '{out}' (FORMAT parquet)""")


if __name__ == "__main__":
    run(join)
