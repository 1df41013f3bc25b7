"""A lake of transactions of any size, and 75 window features over it: what the feature benchmarks compute."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.calendar import CHINA_OFFSET, DAY, NEVER, instant
from features.contracts.model import Contract
from features.definitions.model import DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan
from features.timeline.lake import BUCKET_BITS
from features.timeline.scan import SEEN, STANDS_UNTIL
from features.timeline.segments import Merged, put_table, swap

Int64 = NDArray[np.int64]
BEGIN = instant("2020-01-01")
SPAN = 5 * 365 * DAY
WINDOWS = (1, 3, 6, 12, 24)
FILTERS: tuple[tuple[str, int | None], ...] = (("all", None), ("k0", 0), ("k1", 1))
AGGREGATES = ("count", "sum", "mean", "min", "max")
DATASET = "transactions"
_CONTRACT: dict[str, Any] = {
    "schema": 1, "dataset": DATASET, "department": "bank", "title": {"zh": "流水", "en": "Transactions"},
    "subject": "opaque", "subject_field": "account", "consent_category": "bank", "legal_basis": ["consent"],
    "times": {"valid_from": {"field": "booked_at"}, "known_from": {"field": "told_at"}}, "key": ["booked_at"],
    "fields": [{"name": "booked_at", "type": "instant"}, {"name": "told_at", "type": "instant"},
               {"name": "amount", "type": "integer"}, {"name": "kind", "type": "integer"}],
}  # fmt: skip


def plan(aggregates: tuple[str, ...] = AGGREGATES, windows: tuple[str, ...] = ()) -> FeaturePlan:
    """The features, named ``<filter>_<aggregate>_<window>``."""
    features = [
        {
            "name": f"{name}_{aggregate}", "aggregate": aggregate,
            "column": "" if aggregate == "count" else "amount", "where": {} if kind is None else {"kind": kind},
            "windows": list(windows) or [f"{months}m" for months in WINDOWS], "zh": "流水", "en": "transactions",
            "rationale": "A benchmark.", "reason": "R",
        }
        for name, kind in FILTERS
        for aggregate in aggregates
    ]  # fmt: skip
    file = {
        "schema": 1,
        "dataset": DATASET,
        "features": features,
        "reasons": {"R": {"zh": "测", "en": "test"}},
    }
    contract = msgspec.convert(_CONTRACT, Contract)
    return FeaturePlan(PlanDocument(1, (contract,), (msgspec.convert(file, DefinitionFile),)))


def make_lake(root: Path, subjects: int, each: int, *, lag_days: int, seed: int = 1) -> None:
    """Compacted segments of ``subjects`` x ``each`` events over five years, one in fifty corrected later.

    Without a lag everything is told at once and nothing corrected.
    """
    done = root / f"made-{subjects}-{each}-{lag_days}"
    if done.exists():
        return
    shutil.rmtree(root, ignore_errors=True)
    generator = np.random.default_rng(seed)
    for bucket in range(-(-subjects // (1 << BUCKET_BITS))):
        held = min(1 << BUCKET_BITS, subjects - (bucket << BUCKET_BITS))
        folder = root / DATASET / f"{bucket:05d}"
        put_table(folder / "c000000000001.parquet", _events(generator, bucket, held, held * each, lag_days))
        swap(folder, Merged("c000000000001.parquet", ()))
    done.touch()


def _events(generator: np.random.Generator, bucket: int, held: int, rows: int, lag_days: int) -> pa.Table:
    subject = np.sort(generator.integers(0, held, rows)) + (bucket << BUCKET_BITS)
    booked = BEGIN + generator.integers(0, SPAN, rows)
    booked = booked[np.lexsort((booked, subject))]
    told = booked + generator.integers(0, lag_days + 1, rows) * DAY
    corrected = generator.random(rows) < (0.02 if lag_days else 0.0)
    until = np.where(corrected, told + 30 * DAY, NEVER)
    columns = {
        "subject": subject, "valid_from": booked, "valid_to": booked, "known_from": told,
        "version": np.ones(rows, dtype=np.int64), "key": np.arange(rows), "row": np.arange(rows),
        STANDS_UNTIL: until, "booked_at": booked, "told_at": told,
        "amount": generator.integers(1, 1_000_000, rows), "kind": generator.integers(0, 4, rows),
    }  # fmt: skip
    return pa.table(columns).replace_schema_metadata({SEEN: b"1,0"})


def population(subjects: int, rows: int, seed: int = 2) -> tuple[Int64, Int64]:
    """(subject, as_of) pairs in the last two thirds of the span, sorted by subject."""
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.integers(0, subjects, rows))
    return chosen, BEGIN + generator.integers(SPAN // 3, SPAN, rows)


def put_population(path: Path, subjects: Int64, as_of: Int64) -> None:
    """The pairs for the peers: ``row``, ``subject``, ``as_of`` and the same as local clock time."""
    local = pa.array(as_of + CHINA_OFFSET).cast(pa.timestamp("us"))
    columns = {"row": np.arange(len(as_of)), "subject": subjects, "as_of": as_of, "local": local}
    pq.write_table(pa.table(columns), path)
