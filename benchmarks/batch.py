"""Whole decisions a second on one core: scores of two models with contributions, rules, tables, offer, reasons, receipt.

A whole decision is what ``POST /v1/decisions`` makes and stores: the answer's bytes, the receipt's bytes, and the receipt
compressed and sealed under its subject's key. Not included, because a batch reads them beforehand and ``serve`` and
``features_online`` measure them: reading consents and timelines, computing features, and the transaction that stores.
One process, one thread, seconds of its processor; the median of the chunks, and of decisions one by one.

    python -m benchmarks.batch [--quick] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.applications import Applications, applications
from benchmarks.common import finish
from serving.decisions.decider import decide_many
from serving.decisions.receipt import seal_receipt, write_receipts

CHUNK = 64
"""As many as a batch decides at a time, because a transaction takes as many."""
KEY, DATA_KEY = b"benchmark", bytes(32)
STAGES = ("decide", "receipt", "seal")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a smaller city and fewer rounds")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, rounds = (700, 3) if options.quick else (2_000, 8)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        found = applications(Path(scratch), households, households)
    some = receipts(found, 500)
    sealed = [seal_receipt(receipt, DATA_KEY, "benchmark") for receipt in some]
    many = measured(found, CHUNK, rounds, len(found.cases))
    alone = measured(found, 1, 1, 600)
    figures = {f"{stage}_us": many[stage] for stage in STAGES} | {"whole_us": sum(many.values())}
    figures |= {"decisions_per_s_core": 1e6 / sum(many.values()), "receipt_bytes": mean_size(some)}
    figures["sealed_bytes"] = mean_size(sealed)
    figures |= {f"single.{stage}_us": alone[stage] for stage in STAGES} | {
        "single.whole_us": sum(alone.values())
    }
    sizes = {
        "households": households, "applications": len(found.cases), "chunk": CHUNK,
        "features": found.matrix.values.shape[1],
        "scored_columns": sum(len(scorer.columns) for scorer in found.live.scorers.values()),
    }  # fmt: skip
    ratios = {"single_over_batch": sum(alone.values()) / sum(many.values())}
    finish("batch", sizes, figures, ratios, as_json=options.json)


def mean_size(texts: list[bytes]) -> float:
    """Bytes a text."""
    return sum(map(len, texts)) / len(texts)


def receipts(found: Applications, count: int) -> list[bytes]:
    """The receipts of the first applications."""
    part = found.matrix.take(np.arange(min(count, len(found.cases))))
    return write_receipts(decide_many(found.cases[:count], part, found.sources[:count], found.live, KEY))


def measured(found: Applications, chunk: int, rounds: int, most: int) -> dict[str, float]:
    """Median microseconds a decision of each stage."""
    parts = [
        (found.cases[at : at + chunk], found.matrix.take(np.arange(at, at + chunk)), found.sources[at : at + chunk])
        for at in range(0, min(most, len(found.cases)) - chunk + 1, chunk)
    ]  # fmt: skip
    seconds = np.array([list(_laps(found, part)) for _ in range(rounds) for part in parts])
    middle = np.median(seconds, axis=0) / chunk * 1e6
    return dict(zip(STAGES, middle.tolist(), strict=True))


def _laps(found: Applications, part: tuple) -> Iterator[float]:
    """Seconds of the processor for each stage of one chunk."""
    began = time.process_time()
    decisions = decide_many(*part, found.live, KEY)
    decided = time.process_time()
    written = write_receipts(decisions)
    told = time.process_time()
    for receipt, decision in zip(written, decisions, strict=True):
        seal_receipt(receipt, DATA_KEY, decision.case.decision_id)
    yield from (decided - began, told - decided, time.process_time() - told)


if __name__ == "__main__":
    main()
