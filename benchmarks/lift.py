"""What all departments together are worth: bureau only, all data, and the best that any model could do.

Models learn from the loans of one city and are judged on another, grown from a seed that was never trained on, on
all applicants of its last months, the refused among them, with the outcomes of the truth. The yardstick is the
exact filter: the chance of default given every record that was known. Intervals are by bootstrap over households.

    python -m benchmarks.lift [--quick] [--json] [--shifted] [--households N] [--train-households N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from training.models import ModelName, Origin, train
from training.portfolio import find_portfolio, load_portfolio
from training.run import Prepared, lake_door, prepare
from training.sample import Sample
from training.validation import Metrics, auc_difference, evaluate

Floats = NDArray[np.float64]
LEARNED, JUDGED = 1, 9001
"""Seeds of the two cities."""
MONTHS_JUDGED = 0.4
"""Share of the judged city's applications, the last ones."""
SHARES = (0.4, 0.6)
DRAWS = 200
MODELS = {
    "bureau_rating": (ModelName.RATING, True), "bureau_risk": (ModelName.RISK, True),
    "rating": (ModelName.RATING, False), "risk": (ModelName.RISK, False),
}  # fmt: skip
"""The kind of model, and whether it sees the bureau alone."""


@dataclass(frozen=True)
class View:
    """Applications [rows]: PD by scorer, what became of them, and their household."""

    pd: dict[str, Floats]
    target: NDArray[np.int8]
    group: NDArray[np.int64]


def city(folder: Path, households: int, *, shifted: bool, seed: int) -> tuple[Prepared, dict[str, NDArray]]:
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
    return replace(sample, matrix=sample.matrix.select(names))


def learned(prepared: Prepared) -> dict[str, Scorer]:
    """Every model, from all loans of a city whose outcome a bank would know."""
    origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
    found = {}
    for name, (model, bureau) in MODELS.items():
        began = time.perf_counter()
        sample = bureau_only(prepared.sample) if bureau else prepared.sample
        found[name] = Scorer(train(model, sample, origin), "")
        print(
            f"  {name:14} {sample.bads:,} bads of {len(sample):,} loans, {time.perf_counter() - began:6.1f} s"
        )
    return found


def judged(prepared: Prepared, truth: dict[str, NDArray], scorers: dict[str, Scorer]) -> View:
    """All applicants of the last months of a city that no model has seen."""
    rows = prepared.rows
    late = np.flatnonzero(rows.as_of >= np.quantile(rows.as_of, 1 - MONTHS_JUDGED))
    pd = {name: _score(scorer, prepared)[late] for name, scorer in scorers.items()}
    pd["filter"] = truth["filter_risk"][late]
    return View(pd, truth["bad"][late].astype(np.int8), rows.group[late])


def _score(scorer: Scorer, prepared: Prepared) -> Floats:
    chosen = prepared.rows.matrix.select(scorer.columns)
    return scorer.score(chosen.values, chosen.missing).pd


def gains(view: View, name: str, other: str, share: float) -> tuple[float, float]:
    """(more approvals at the other's bad rate, fewer bads at the same approvals), both as shares.

    The other approves ``share`` of the applicants.
    """
    count = round(share * len(view.target))
    ours, theirs = (view.target[np.argsort(view.pd[n], kind="stable")] for n in (name, other))
    rate = theirs[:count].mean()
    running = np.cumsum(ours) / np.arange(1, len(ours) + 1)
    most = int(np.flatnonzero(running <= rate).max(initial=-1)) + 1
    return most / count - 1, 1 - float(ours[:count].sum()) / max(float(theirs[:count].sum()), 1.0)


def drawn(view: View, seed: int = 3) -> Iterator[View]:
    """Bootstrap samples of whole households."""
    generator = np.random.default_rng(seed)
    groups, of_row = np.unique(view.group, return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    starts = np.searchsorted(of_row[order], np.arange(len(groups) + 1))
    for _ in range(DRAWS):
        chosen = generator.integers(0, len(groups), len(groups))
        rows = np.concatenate([order[starts[g] : starts[g + 1]] for g in chosen])
        yield View({name: pd[rows] for name, pd in view.pd.items()}, view.target[rows], view.group[rows])


def compare(view: View, samples: list[View]) -> dict[str, float]:
    """Gains of each model over the bureau's scorecard, with intervals, printed and as figures."""
    figures: dict[str, float] = {}
    print(
        f"\n  over the bureau's scorecard   {'approvals at its bad rate':^30} {'bads at its approvals':^30}"
    )
    for share in SHARES:
        for name in [*MODELS, "filter"][1:]:
            more, fewer = gains(view, name, "bureau_rating", share)
            ends = np.percentile(
                [gains(one, name, "bureau_rating", share) for one in samples], [2.5, 97.5], axis=0
            )
            print(f"  {share:4.0%} {name:16} {more:+10.1%} ({ends[0][0]:+.1%} to {ends[1][0]:+.1%})"
                  f"      {-fewer:+10.1%} ({-ends[1][1]:+.1%} to {-ends[0][1]:+.1%})")  # fmt: skip
            figures |= {f"approvals_gain.{name}.{share:.0%}": more, f"bads_cut.{name}.{share:.0%}": fewer}
    return figures


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2,000 households on either side")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--shifted", action="store_true", help="the judged city has another economy")
    parser.add_argument("--households", type=int, default=0, help="of the judged city; 16,000")
    parser.add_argument(
        "--train-households", type=int, default=0, help="of the city that is learned from; 25,000"
    )
    options = parser.parse_args()
    size = options.households or (2_000 if options.quick else 16_000)
    learn = options.train_households or (2_000 if options.quick else 25_000)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        scorers = learned(city(Path(scratch) / "learned", learn, shifted=False, seed=LEARNED)[0])
        view = judged(*city(Path(scratch) / "judged", size, shifted=options.shifted, seed=JUDGED), scorers)
    metrics = {name: evaluate(view.target, pd, view.group) for name, pd in view.pd.items()}
    show("all applicants of the last months", metrics)
    gap = auc_difference(view.target, view.pd["filter"], view.pd["risk"])
    print(f"\n  the filter over risk: {gap.value:.4f} ({gap.low:.4f} to {gap.high:.4f})")
    figures = compare(view, list(drawn(view)))
    figures |= {f"auc.{name}": m.auc.value for name, m in metrics.items()}
    figures |= {f"brier.{name}": m.brier.value for name, m in metrics.items()}
    figures |= {
        "approvals_gain": figures["approvals_gain.risk.60%"], "bads_cut": figures["bads_cut.risk.60%"],
        "auc_ours": figures["auc.risk"], "auc_bureau_only": figures["auc.bureau_rating"],
        "auc_truth": figures["auc.filter"], "bads": float(view.target.sum()),
    }  # fmt: skip
    ratios = {
        "gini_over_filter": (figures["auc_ours"] - 0.5) / (figures["auc_truth"] - 0.5),
        "gini_over_bureau": (figures["auc_ours"] - 0.5) / (figures["auc_bureau_only"] - 0.5),
    }
    sizes = {"households": size, "train_households": learn, "seed": JUDGED, "shifted": options.shifted}
    finish("lift", sizes, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
