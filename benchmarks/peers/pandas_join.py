"""pandas: a merge, then masked aggregates by group."""

from __future__ import annotations

import glob
import sys

import pandas as pd

sys.path.insert(0, sys.path[0] + "/..")
from peers.common import AGGREGATES, FILTERS, WINDOWS, run


def join(events: str, population: str, out: str) -> None:
    rows = pd.read_parquet(population)
    names = ["subject", "valid_from", "known_from", "stands_until", "amount", "kind"]
    every = pd.concat([pd.read_parquet(path, columns=names) for path in sorted(glob.glob(events))])
    for months in WINDOWS:
        edge = (rows["local"] - pd.DateOffset(months=months)).astype("datetime64[us]").astype("int64")
        rows[f"e{months}"] = edge - 28_800_000_000
    seen = rows.merge(every, on="subject")
    seen = seen[(seen["valid_from"] < seen["as_of"]) & (seen["valid_from"] >= seen["e24"])
                & (seen["known_from"] <= seen["as_of"]) & (seen["as_of"] < seen["stands_until"])]  # fmt: skip
    columns = {}
    for name, kind in FILTERS:
        for months in WINDOWS:
            kept = seen["valid_from"] >= seen[f"e{months}"]
            if kind is not None:
                kept &= seen["kind"] == kind
            part = seen.loc[kept].groupby("row")["amount"].agg(list(AGGREGATES))
            part = part.reindex(rows["row"])
            for aggregate in AGGREGATES:
                columns[f"{name}_{aggregate}_{months}m"] = part[aggregate]
    pd.DataFrame({"row": rows["row"].to_numpy(), **{k: v.to_numpy() for k, v in columns.items()}}).to_parquet(
        out
    )


if __name__ == "__main__":
    run(join)
