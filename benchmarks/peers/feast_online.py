"""Feast: its online read of values that were computed and stored beforehand, from its SQLite store.

Arguments: the table of values (subject, as_of and a column a feature), the subject, the file of its answer, how often.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64


def store_of(values: pd.DataFrame, folder: Path) -> tuple[FeatureStore, list[str]]:
    """An online store that holds these values."""
    names = [name for name in values.columns if name not in {"subject", "as_of"}]
    path = folder / "values.parquet"
    values["told"] = pd.to_datetime(values.pop("as_of"), unit="us", utc=True)
    values.to_parquet(path)
    config = RepoConfig(
        project="peer", registry=str(folder / "registry.db"), provider="local", entity_key_serialization_version=3,
        offline_store={"type": "file"}, online_store={"type": "sqlite", "path": str(folder / "online.db")},
    )  # fmt: skip
    store = FeatureStore(config=config)
    person = Entity(name="person", join_keys=["subject"], value_type=ValueType.INT64)
    view = FeatureView(
        name="features", entities=[person], ttl=timedelta(days=36500), online=True,
        source=FileSource(path=str(path), timestamp_field="told"),
        schema=[Field(name=name, dtype=Float64) for name in names],
    )  # fmt: skip
    store.apply([person, view])
    store.write_to_online_store("features", values)
    return store, [f"features:{name}" for name in names]


def main(values: str, subject: str, out: str, count: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, names = store_of(pd.read_parquet(values), Path(folder))
        rows = [{"subject": int(subject)}]
        answer = store.get_online_features(names, rows).to_dict()
        pd.DataFrame(answer).to_parquet(out)
        seconds = []
        for _ in range(int(count)):
            start = time.perf_counter()
            store.get_online_features(names, rows).to_dict()
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"p50_ms": float(np.quantile(seconds, 0.5)) * 1e3}))


if __name__ == "__main__":
    main(*sys.argv[1:5])
