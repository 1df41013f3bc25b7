"""What all departments together are worth: bureau only, all data, and the best that any model could do.

A city that no model was trained on, out of time. The yardstick is the city's exact filter: the chance of
default given every record that was known. Two views: the loans whose outcome a bank would know, and all
applicants of the period with the outcomes of the truth, the refused among them.

    python -m benchmarks.lift [--quick] [--json] [--shifted]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.common import finish
from features.canonical import code_of
from features.city.make import make_city
from features.contracts.load import BUILTIN, load_contracts
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from training.bundle import Scorer
from training.evaluation import make_split
from training.models import ModelName, Origin, train
from training.portfolio import find_portfolio, load_portfolio
from training.run import Prepared, lake_door, prepare
from training.sample import Sample
from training.validation import Metrics, evaluate

Floats = NDArray[np.float64]
SEED = 9001
APPROVED = 0.6
NAMES = ("bureau", "rating", "risk", "filter")


@dataclass(frozen=True)
class View:
    """Applications of the test period: PD by scorer [rows], and what became of them."""

    pd: dict[str, Floats]
    target: NDArray[np.int8]
    group: NDArray[np.int64]


def city(
    folder: Path, households: int, *, shifted: bool, seed: int = SEED
) -> tuple[Prepared, dict[str, NDArray]]:
    """A new city, ingested and read, and its truth in the order of the rows."""
    made, lake = folder / "city", Lake(folder / "lake")
    print(make_city(made, households=households, months=48, seed=seed, shifted=shifted))
    ingest_folder(made, load_contracts([BUILTIN]), MemoryVault(), lake)
    portfolio = load_portfolio(find_portfolio("city"))
    prepared = prepare(portfolio, door=lake_door(portfolio, lake.root, 0))
    truth = pq.read_table(made / "truth" / "applications.parquet")
    codes = np.array([code_of(text) for text in truth["application_id"].to_pylist()])
    order = np.argsort(codes)
    at = order[np.searchsorted(codes[order], prepared.rows.identifier)]
    names = ("filter_risk", "true_risk", "bad")
    return prepared, {name: np.array(truth[name].to_pylist(), dtype=float)[at] for name in names}


def bureau_only(sample: Sample) -> Sample:
    """The sample with the columns of the credit bureau alone."""
    names = tuple(c.name for c in sample.matrix.columns if c.dataset.startswith("bureau_"))
    return Sample(sample.matrix.select(names), sample.target, sample.group, sample.time)


def views(prepared: Prepared, truth: dict[str, NDArray]) -> dict[str, View]:
    """The observed loans and all applicants, from the split's moment on."""
    sample, rows = prepared.sample, prepared.rows
    split = make_split(sample, prepared.portfolio.file.split)
    learned, judged = split.parts[0]
    origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
    some = sample.take(learned)
    bundles = {
        "bureau": train(ModelName.RATING, bureau_only(some), origin, base_rate=split.base_rate),
        "rating": train(ModelName.RATING, some, origin, base_rate=split.base_rate),
        "risk": train(ModelName.RISK, some, origin, base_rate=split.base_rate),
    }
    pd = {name: _score(Scorer(bundle, ""), prepared) for name, bundle in bundles.items()}
    pd["filter"] = truth["filter_risk"]
    period = rows.as_of >= sample.time[judged].min()
    known = np.flatnonzero(rows.labelled())[judged]
    return {
        "observed": _view(pd, rows.outcome[known].astype(np.int8), rows.group[known], known),
        "all": _view(pd, truth["bad"][period].astype(np.int8), rows.group[period], np.flatnonzero(period)),
    }


def _score(scorer: Scorer, prepared: Prepared) -> Floats:
    chosen = prepared.rows.matrix.select(scorer.columns)
    return scorer.score(chosen.values, chosen.missing).pd


def _view(pd: dict[str, Floats], target: NDArray[np.int8], group: NDArray[np.int64], rows: NDArray) -> View:
    return View({name: values[rows] for name, values in pd.items()}, target, group)


def gains(view: View, name: str, other: str) -> tuple[float, float]:
    """(more approvals at the other's bad rate, fewer bads at the same approvals), both as shares."""
    count = round(APPROVED * len(view.target))
    ours, theirs = (view.target[np.argsort(view.pd[n], kind="stable")] for n in (name, other))
    rate = theirs[:count].mean()
    running = np.cumsum(ours) / np.arange(1, len(ours) + 1)
    most = int(np.flatnonzero(running <= rate).max(initial=-1)) + 1
    return most / count - 1, 1 - float(ours[:count].sum()) / max(float(theirs[:count].sum()), 1.0)


def show(title: str, metrics: dict[str, Metrics]) -> None:
    """A table of one view."""
    first = next(iter(metrics.values()))
    print(f"\n{title}: {first.rows:,} rows, {first.bads:,} bads")
    print(f"  {'':8} {'AUC':^24} {'KS':>7} {'Brier':>8} {'ECE':>8} {'pred/act':>9}")
    for name, m in metrics.items():
        auc = f"{m.auc.value:.4f} ({m.auc.low:.4f} - {m.auc.high:.4f})"
        print(
            f"  {name:8} {auc:24} {m.ks.value:7.4f} {m.brier.value:8.5f} {m.ece:8.5f} {m.predicted_over_actual:9.3f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2,000 households instead of 10,000")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--shifted", action="store_true", help="another economy")
    parser.add_argument("--households", type=int, default=0)
    options = parser.parse_args()
    households = options.households or (2_000 if options.quick else 10_000)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        found = views(*city(Path(scratch), households, shifted=options.shifted))
    figures: dict[str, float] = {}
    for title, view in found.items():
        metrics = {name: evaluate(view.target, view.pd[name], view.group) for name in NAMES}
        show(title, metrics)
        for name, m in metrics.items():
            figures |= {f"{title}.auc.{name}": m.auc.value, f"{title}.brier.{name}": m.brier.value}
    everyone = found["all"]
    more, fewer = gains(everyone, "risk", "bureau")
    figures |= {
        "approvals_gain": more, "bads_cut": fewer, "auc_ours": figures["all.auc.risk"],
        "auc_bureau_only": figures["all.auc.bureau"], "auc_truth": figures["all.auc.filter"],
    }  # fmt: skip
    above = (figures["auc_ours"] - 0.5) / (figures["auc_truth"] - 0.5)
    ratios = {
        "gini_over_filter": above,
        "gini_over_bureau": (figures["auc_ours"] - 0.5) / (figures["auc_bureau_only"] - 0.5),
    }
    sizes = {"households": households, "seed": SEED, "shifted": options.shifted}
    finish("lift", sizes, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
