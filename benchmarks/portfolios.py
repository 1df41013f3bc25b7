"""Public portfolios by cross-validation, beside what a peer gives out of the box, on the same folds.

Peers: logistic regression on ten quantile bins a column with a bin for absent values, and LightGBM with its
defaults. The set is read as the product reads it, so that all learners see the same columns.

    python -m benchmarks.portfolios [--quick] [--json] [--data FOLDER] [SET ...]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from benchmarks.common import finish
from features.matrix import Missing
from training.evaluation import make_split, measure
from training.models import ModelName, Origin, predictor
from training.portfolio import find_portfolio, load_portfolio
from training.run import prepare
from training.sample import Sample
from training.validation import auc_difference

Floats = NDArray[np.float64]
Predict = Callable[[Sample, Sample], Floats]
SETS = {"gmsc": 1, "berka": 20}
"""Repeats of the five folds: small sets need many."""


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
    model = lgb.LGBMClassifier(verbosity=-1, n_jobs=2, random_state=1)
    model.fit(inputs(train), train.target)
    return np.asarray(model.predict_proba(inputs(test)))[:, 1]


def compare(name: str, data: Path, repeats: int) -> dict[str, float]:
    """Figures of one set."""
    portfolio = load_portfolio(find_portfolio(name))
    sample = prepare(portfolio, data=data / name).sample
    split = make_split(sample, portfolio.file.split, repeats)
    origin = Origin(name, portfolio.file.model_kind, portfolio.plan.digest, 0)
    learners: dict[str, Predict] = {
        "binned_lr": binned_regression, "lightgbm": lightgbm_default,
        "rating": predictor(ModelName.RATING, origin), "risk": predictor(ModelName.RISK, origin),
    }  # fmt: skip
    print(
        f"\n{name}: {len(sample):,} rows, {sample.bads:,} bads, {len(sample.matrix.columns)} columns, {split.text}"
    )
    found = {key: _held_out(sample, split.parts, split.repeats, one, key) for key, one in learners.items()}
    figures: dict[str, float] = {}
    for key, pd in found.items():
        m = measure(sample, pd)
        paired = "" if key == "risk" else _paired(sample, found["risk"], pd)
        print(
            f"  {key:10} AUC {m.auc.value:.4f} ({m.auc.low:.4f} - {m.auc.high:.4f})  KS {m.ks.value:.3f}  "
            f"Brier {m.brier.value:.5f}  log loss {m.log_loss:.4f}  ECE {m.ece:.4f}  {paired}"
        )
        figures |= {
            f"auc.{name}.{key}": m.auc.value,
            f"ks.{name}.{key}": m.ks.value,
            f"brier.{name}.{key}": m.brier.value,
        }
    return figures


def _held_out(
    sample: Sample,
    parts: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...],
    repeats: int,
    predict: Predict,
    key: str,
) -> Floats:
    began = time.perf_counter()
    out = np.full((repeats, len(sample)), np.nan)
    per = len(parts) // repeats
    for place, (train, test) in enumerate(parts):
        out[place // per, test] = predict(sample.take(train), sample.take(test))
    print(f"  {key:10} {time.perf_counter() - began:7.1f} s")
    return out


def _paired(sample: Sample, ours: Floats, theirs: Floats) -> str:
    """Risk's AUC over a peer's: mean over the repeats, with the interval of one repeat."""
    pairs = [auc_difference(sample.target, a, b) for a, b in zip(ours, theirs, strict=True)]
    value, low, high = (float(np.mean([getattr(p, k) for p in pairs])) for k in ("value", "low", "high"))
    return f"risk over it {value:+.4f} ({low:+.4f} - {high:+.4f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; all without it")
    parser.add_argument("--quick", action="store_true", help="one repeat of the folds")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--data", type=Path, default=None, help="the folder of the sets; YIDAI_DATASETS without it"
    )
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("YIDAI_DATASETS", "."))
    figures: dict[str, float] = {}
    sets = [name for name in SETS if not options.sets or name in options.sets]
    for name in sets:
        if not (data / name).is_dir():
            print(f"{name}: no folder {data / name}; set YIDAI_DATASETS or pass --data")
            continue
        figures |= compare(name, data, 1 if options.quick else SETS[name])
    ranks = [
        np.argsort(np.argsort([-figures[f"auc.{name}.{key}"] for key in ("binned_lr", "lightgbm", "rating", "risk")])) + 1
        for name in sets if f"auc.{name}.risk" in figures
    ]  # fmt: skip
    if ranks:
        keys = ("binned_lr", "lightgbm", "rating", "risk")
        figures |= {f"mean_rank.{key}": float(r) for key, r in zip(keys, np.mean(ranks, axis=0), strict=True)}
    ratios = {
        f"{name}.risk_over_lightgbm": figures[f"auc.{name}.risk"] / figures[f"auc.{name}.lightgbm"]
        for name in sets if f"auc.{name}.risk" in figures
    }  # fmt: skip
    finish(
        "portfolios", {"sets": " ".join(sets), "quick": options.quick}, figures, ratios, as_json=options.json
    )


if __name__ == "__main__":
    main()
