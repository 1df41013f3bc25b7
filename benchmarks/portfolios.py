"""Public portfolios by cross-validation, beside what four peers give out of the box, on the same rows held out.

AUC is told pooled, with its interval, and as the mean within the folds. Peers: logistic regression on ten quantile
bins a column with a bin for absent values; LightGBM with its defaults; and, in an environment of their own (``make
learner-peers``), optbinning's scorecard and an explainable boosting machine, which is slow and therefore fitted once a
fold, never repeated. The set is read as the product reads it, so that all learners see the same columns. Ours: the
scorecard, the booster alone, and the risk model, which blends both.

    python -m benchmarks.portfolios [--quick] [--json] [--data FOLDER] [--without ebm,optbinning] [SET ...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.common import finish
from features.matrix import ColumnKind, Missing
from training.boosting import fit_booster
from training.calibration import sigmoid
from training.evaluation import Split, gap, make_split, measure
from training.models import ModelName, Origin, predictor
from training.portfolio import find_portfolio, load_portfolio
from training.run import prepare
from training.sample import Sample

Floats = NDArray[np.float64]
Predict = Callable[[Sample, Sample], Floats]
SETS = {
    "berka": 20, "sme_invoices_cn": 20, "gov_enterprise_cn": 1, "superlender_ng": 5, "dcr_mortgage": 1,
    "taiwan": 1, "lendingclub": 1, "heloc": 1, "german": 20, "south_german": 20, "australian": 20, "japanese": 20,
    "polish_bankruptcy": 1, "sba_case": 5, "gmsc": 1,
}  # fmt: skip
"""Repeats of the five folds: small sets need many."""
OURS = ("binned_lr", "lightgbm", "rating", "booster", "risk")
APART = ("optbinning", "ebm")
PEERS = Path(".venv-learners/bin/python")
SCRIPT = Path(__file__).parent / "peers" / "credit_learner.py"


def inputs(sample: Sample) -> Floats:
    """Values with NaN where absent."""
    return np.where(sample.matrix.missing == Missing.PRESENT, sample.matrix.values, np.nan)


def binned_regression(train: Sample, test: Sample) -> Floats:
    """Ten quantile bins a column (of its values and of its levels), one for absent values, L2."""
    x, y = inputs(train), inputs(test)
    edges = [cuts(column[~np.isnan(column)]) for column in x.T]

    def bins(values: Floats) -> NDArray[np.int64]:
        columns = zip(edges, values.T, strict=True)
        out = np.stack([np.searchsorted(e, c, side="right") for e, c in columns], axis=1)
        return np.where(np.isnan(values), 99, out)

    encoder = OneHotEncoder(handle_unknown="ignore")
    model = make_pipeline(encoder, LogisticRegression(C=0.1, max_iter=2000))
    return model.fit(bins(x), train.target).predict_proba(bins(y))[:, 1]


def cuts(values: Floats) -> Floats:
    """Edges of bins; counts that are mostly zero still get some."""
    if not len(values):
        return np.empty(0)
    tenths = np.linspace(0.1, 0.9, 9)
    return np.unique(np.append(np.quantile(values, tenths), np.quantile(np.unique(values), tenths)))


def lightgbm_default(train: Sample, test: Sample) -> Floats:
    """LightGBM as it comes."""
    model = lgb.LGBMClassifier(verbosity=-1, n_jobs=1, random_state=1)
    model.fit(inputs(train), train.target)
    return np.asarray(model.predict_proba(inputs(test)))[:, 1]


def booster_alone(train: Sample, test: Sample) -> Floats:
    """The booster without the scorecard."""
    return sigmoid(fit_booster(train).log_odds(test.matrix))


def compare(name: str, data: Path, repeats: int, apart: list[str]) -> dict[str, float]:
    """Figures of one set; ``apart`` are the peers of the other environment."""
    portfolio = load_portfolio(find_portfolio(name))
    sample = prepare(portfolio, data=data / name).sample
    split = make_split(sample, portfolio.file.split, repeats)
    origin = Origin(name, portfolio.file.model_kind, portfolio.plan.digest, 0)
    learners: dict[str, Predict] = {
        "binned_lr": binned_regression, "lightgbm": lightgbm_default,
        "rating": predictor(ModelName.RATING, origin, split.base_rate), "booster": booster_alone,
        "risk": predictor(ModelName.RISK, origin, split.base_rate),
    }  # fmt: skip
    print(
        f"\n{name}: {len(sample):,} rows, {sample.bads:,} bads, {len(sample.matrix.columns)} columns, {split.text}"
    )
    found = {key: _timed(key, partial(_held_out, sample, split, one)) for key, one in learners.items()}
    found |= {key: _timed(key, partial(_elsewhere, key, sample, split)) for key in apart}
    figures: dict[str, float] = {}
    for key, pd in found.items():
        m, within = measure(sample, pd), by_folds(sample, split, pd)
        paired = "" if key == "risk" else f"risk over it {gap(sample, found['risk'][: len(pd)], pd)}"
        print(
            f"  {key:10} AUC {m.auc.value:.4f} ({m.auc.low:.4f} - {m.auc.high:.4f})  "
            f"by folds {within:.4f}  KS {m.ks.value:.3f}  "
            f"Brier {m.brier.value:.5f}  log loss {m.log_loss:.4f}  ECE {m.ece:.4f}  {paired}", flush=True,
        )  # fmt: skip
        values = {
            "auc": m.auc.value,
            "auc_by_folds": within,
            "ks": m.ks.value,
            "brier": m.brier.value,
            "log_loss": m.log_loss,
            "ece": m.ece,
        }
        figures |= {f"{figure}.{name}.{key}": value for figure, value in values.items()}
    return figures


def _timed(key: str, work: Callable[[], Floats]) -> Floats:
    began = time.perf_counter()
    out = work()
    print(f"  {key:10} {time.perf_counter() - began:7.1f} s", flush=True)
    return out


def _held_out(sample: Sample, split: Split, predict: Predict) -> Floats:
    """Predictions [repeats, rows], NaN where a row was not held out."""
    out = np.full((split.repeats, len(sample)), np.nan)
    per = len(split.parts) // split.repeats
    for place, (train, test) in enumerate(split.parts):
        out[place // per, test] = predict(sample.take(train), sample.take(test))
    return out


def by_folds(sample: Sample, split: Split, pd: Floats) -> float:
    """The mean AUC within each fold: pooled rows are ranked by several models, which costs every learner some."""
    per = len(split.parts) // split.repeats
    parts = [(pd[place // per, test], test) for place, (_, test) in enumerate(split.parts[: per * len(pd)])]
    return float(np.mean([roc_auc_score(sample.target[test], one) for one, test in parts]))


def _elsewhere(name: str, sample: Sample, split: Split) -> Floats:
    """A peer of the other environment on the first repeat: predictions [1, rows]."""
    parts = split.parts[: len(split.parts) // split.repeats]
    category = np.array([column.kind is ColumnKind.CATEGORY for column in sample.matrix.columns])
    rows = {"x": inputs(sample), "category": category, "target": sample.target}
    for place, (train, test) in enumerate(parts):
        rows |= {f"train_{place}": train, f"test_{place}": test}
    with TemporaryDirectory(prefix="yidai-") as folder:
        given, told = Path(folder) / "rows.npz", Path(folder) / "pd.npy"
        np.savez(given, **rows)
        command = [str(PEERS), str(SCRIPT), name, str(given), str(told)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
        pd: Floats = np.load(told)
    out = np.full((1, len(sample)), np.nan)
    for one, (_, test) in zip(pd, parts, strict=True):
        out[0, test] = one[test]
    return out


def mean_ranks(figures: dict[str, float], sets: list[str], keys: list[str]) -> dict[str, float]:
    """Mean rank by AUC of each learner over the sets; ties share a rank."""
    table = [[-figures[f"auc.{name}.{key}"] for key in keys] for name in sets]
    ranks = np.mean([rankdata(row) for row in table], axis=0)
    return {f"mean_rank.{key}": float(rank) for key, rank in zip(keys, ranks, strict=True)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all without it")
    parser.add_argument("--quick", action="store_true", help="one repeat of the folds, without EBM")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--without", default="", help="peers to leave out, with commas")
    parser.add_argument(
        "--data", type=Path, default=None, help="the folder of the sets; YIDAI_DATASETS without it"
    )
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("YIDAI_DATASETS", "."))
    left_out = {*options.without.split(","), *(("ebm", "optbinning") if options.quick else ())}
    apart = [name for name in APART if name not in left_out] if PEERS.exists() else []
    if not PEERS.exists():
        print("optbinning and EBM are left out: make learner-peers")
    figures: dict[str, float] = {}
    sets = [name for name in SETS if not options.sets or name in options.sets]
    for name in sets:
        if not (data / name).is_dir():
            print(f"{name}: no folder {data / name}; set YIDAI_DATASETS or pass --data")
            continue
        figures |= compare(name, data, 1 if options.quick else SETS[name], apart)
    done = [name for name in sets if f"auc.{name}.risk" in figures]
    keys = [*OURS, *apart]
    if done:
        figures |= mean_ranks(figures, done, keys)
    ratios = {
        f"{name}.risk_over_{key}": figures[f"auc.{name}.risk"] / figures[f"auc.{name}.{key}"]
        for name in done for key in keys if key not in ("risk", "rating", "booster")
    }  # fmt: skip
    sizes = {"sets": " ".join(done), "quick": options.quick}
    finish("portfolios", sizes, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
