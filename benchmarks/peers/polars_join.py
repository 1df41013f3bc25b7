"""Polars: a lazy join and filtered aggregates on its streaming engine."""

from __future__ import annotations

import sys

import polars as pl

sys.path.insert(0, sys.path[0] + "/..")
from peers.common import FILTERS, WINDOWS, run


def expressions() -> list[pl.Expr]:
    found = []
    for name, kind in FILTERS:
        for months in WINDOWS:
            kept = pl.col("valid_from") >= pl.col(f"e{months}")
            if kind is not None:
                kept &= pl.col("kind") == kind
            amount = pl.col("amount").filter(kept)
            found += [
                amount.count().alias(f"{name}_count_{months}m"), amount.sum().alias(f"{name}_sum_{months}m"),
                amount.mean().alias(f"{name}_mean_{months}m"), amount.min().alias(f"{name}_min_{months}m"),
                amount.max().alias(f"{name}_max_{months}m"),
            ]  # fmt: skip
    return found


def join(events: str, population: str, out: str) -> None:
    edges = [
        (pl.col("local").dt.offset_by(f"-{months}mo").dt.epoch("us") - 28_800_000_000).alias(f"e{months}")
        for months in WINDOWS
    ]
    rows = pl.scan_parquet(population).with_columns(edges)
    names = ["subject", "valid_from", "known_from", "stands_until", "amount", "kind"]
    seen = (
        rows.join(pl.scan_parquet(events).select(names), on="subject")
        .filter(
            (pl.col("valid_from") < pl.col("as_of")) & (pl.col("valid_from") >= pl.col("e24"))
            & (pl.col("known_from") <= pl.col("as_of")) & (pl.col("as_of") < pl.col("stands_until"))
        )
        .group_by("row")
        .agg(expressions())
    )  # fmt: skip
    whole = rows.select("row").join(seen, on="row", how="left").sort("row")
    whole.collect(engine="streaming").write_parquet(out)


if __name__ == "__main__":
    run(join)
