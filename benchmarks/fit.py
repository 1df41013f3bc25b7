"""Time and memory of fitting the scorecard and the booster, beside plain LightGBM and optbinning's scorecard.

Made rows: standard normal columns, one in ten of which tells. Each fit is a process of its own; the growth is the
time of twice the rows over that of the rows.

    make learner-peers
    python -m benchmarks.fit [--quick] [--json] [--rows 429988] [--columns 300]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.common import finish
from benchmarks.features_vs_peers import _run
from benchmarks.peers.common import peak_rss_gb
from benchmarks.portfolios import PEERS, SCRIPT
from features.matrix import Column, FeatureMatrix
from training.boosting import fit_booster
from training.sample import Sample
from training.scorecard import fit_scorecard

OURS = {"scorecard": fit_scorecard, "booster": fit_booster}


def made(rows: int, columns: int) -> Sample:
    """Rows with about a tenth bad."""
    generator = np.random.default_rng(4)
    values = generator.normal(size=(rows, columns))
    score = values[:, ::10].sum(axis=1) / np.sqrt(max(columns / 10, 1)) - 2.5
    target = (generator.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    names = tuple(Column(f"c{place}", "made") for place in range(columns))
    matrix = FeatureMatrix(names, values, np.zeros(values.shape, dtype=np.uint8))
    return Sample(matrix, target, np.arange(rows), np.zeros(rows, dtype=np.int64))


def fit_once(name: str, rows: int, columns: int) -> None:
    """One fit of ours in this process; prints its seconds and memory."""
    sample = made(rows, columns)
    start = time.perf_counter()
    OURS[name](sample)
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_rss_gb": peak_rss_gb()}))


def ours(name: str, rows: int, columns: int) -> dict[str, float]:
    """A fit of ours in a process of its own."""
    return _run([sys.executable, "-m", "benchmarks.fit", "--fit", name, "--rows", rows, "--columns", columns])


def theirs(name: str, rows: int, columns: int) -> dict[str, float]:
    """A peer's fit in its own environment."""
    sample = made(rows, columns)
    with TemporaryDirectory(prefix="yidai-") as folder:
        given = Path(folder) / "rows.npz"
        nothing = np.empty(0, dtype=np.int64)
        np.savez(
            given, x=sample.matrix.values, category=np.zeros(columns, dtype=bool), target=sample.target,
            train_0=np.arange(rows), test_0=nothing,
        )  # fmt: skip
        return _run([PEERS, SCRIPT, name, given, Path(folder) / "pd.npy"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 rows of 30 columns")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--rows", type=int, default=429_988)
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--fit", choices=sorted(OURS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit_once(options.fit, options.rows, options.columns)
        return
    rows, columns = (5000, 30) if options.quick else (options.rows, options.columns)
    figures: dict[str, float] = {}
    for name in OURS:
        half, whole = ours(name, rows // 2, columns), ours(name, rows, columns)
        figures |= {
            f"{name}_s": whole["seconds"], f"{name}_gb": whole["peak_rss_gb"],
            f"growth_2x.{name}": whole["seconds"] / half["seconds"],
        }  # fmt: skip
    figures["growth_2x"] = figures["growth_2x.booster"]
    ratios: dict[str, float] = {}
    if PEERS.exists():
        for name, beside in (("lightgbm", "booster"), ("optbinning", "scorecard")):
            peer = theirs(name, rows, columns)
            figures |= {f"{name}_s": peer["seconds"], f"{name}_gb": peer["peak_rss_gb"]}
            ratios[name] = peer["seconds"] / figures[f"{beside}_s"]
    else:
        print("the peers are left out: make learner-peers")
    finish("fit", {"rows": rows, "columns": columns}, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
