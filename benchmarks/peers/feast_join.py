"""Feast: its historical join, which gives the latest known value of a column; it has no windows to aggregate."""

from __future__ import annotations

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Int64

sys.path.insert(0, sys.path[0] + "/..")
from peers.common import run


def join(events: str, population: str, out: str) -> None:
    rows = pd.read_parquet(population)
    folder = Path(tempfile.mkdtemp())
    config = RepoConfig(
        project="peer", registry=str(folder / "registry.db"), provider="local", entity_key_serialization_version=3,
        offline_store={"type": "file"}, online_store={"type": "sqlite", "path": str(folder / "online.db")},
    )  # fmt: skip
    store = FeatureStore(config=config)
    account = Entity(name="account", join_keys=["subject"], value_type=ValueType.INT64)
    source = FileSource(path=events, timestamp_field="told")
    view = FeatureView(
        name="transactions", entities=[account], ttl=timedelta(days=3650), source=source,
        schema=[Field(name="amount", dtype=Int64), Field(name="kind", dtype=Int64)], online=False,
    )  # fmt: skip
    store.apply([account, view])
    entities = pd.DataFrame({
        "row": rows["row"], "subject": rows["subject"],
        "event_timestamp": pd.to_datetime(rows["as_of"] - 1, unit="us", utc=True),
    })  # fmt: skip
    found = store.get_historical_features(entities, ["transactions:amount", "transactions:kind"]).to_df()
    found.sort_values("row")[["row", "amount", "kind"]].to_parquet(out)


if __name__ == "__main__":
    run(join)
