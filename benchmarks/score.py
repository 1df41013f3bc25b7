"""One row by the scorecard and by the booster, each with its reasons, beside LightGBM's own and optbinning's card.

One thread. A row of ours is the whole answer: score, contribution of every column, PD and grade. The booster is
LightGBM's model tabulated, so that both give the same contributions; *trained* is what ``fit_booster`` makes of these
rows by itself. LightGBM is asked through Python, and through its C interface for single rows, which is its fastest.
Information values are held against optbinning's over the same bins, on made rows and on the sets that are there
(columns whose edges optbinning keeps: it drops those that leave a bin with one outcome).

    make learner-peers
    python -m benchmarks.score [--quick] [--json] [--data FOLDER] [SET ...]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import finish
from benchmarks.features_vs_peers import _run
from benchmarks.portfolios import PEERS, inputs
from features.matrix import Column, ColumnKind, FeatureMatrix, Missing
from training.binning import Binned, BinSettings, bin_column
from training.boosting import Booster, fit_booster, tree_parts
from training.bundle import FIXED, Bundle, BundleColumn, Scorer
from training.models import master_scale
from training.portfolio import find_portfolio, load_portfolio
from training.run import prepare
from training.sample import Sample
from training.scorecard import card_parts, fit_scorecard

Floats = NDArray[np.float64]
SCRIPT = Path(__file__).parent / "peers" / "optbinning_card.py"
SETS = ("german", "heloc", "taiwan", "gmsc", "sme_invoices_cn", "gov_enterprise_cn")
SPECIAL = -9.0
RAW, CONTRIBUTIONS = 1, 3
TREES = 450


def made(rows: int, columns: int) -> Sample:
    """Rows with about a tenth bad; some cells are absent, some hold a special code."""
    g = np.random.default_rng(6)
    values = g.normal(size=(rows, columns))
    score = values[:, ::5].sum(axis=1) / np.sqrt(max(columns / 5, 1)) - 2.5
    target = (g.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int8)
    missing = np.where(g.random(values.shape) < 0.1, Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)
    values[(missing == Missing.PRESENT) & (g.random(values.shape) < 0.02)] = SPECIAL
    heads = tuple(Column(f"c{place}", "made", special_codes=(SPECIAL,)) for place in range(columns))
    values[missing > 0] = 0.0
    return Sample(FeatureMatrix(heads, values, missing), target, np.arange(rows), np.zeros(rows, np.int64))


def tree_scorer(booster: Booster, columns: tuple[Column, ...]) -> Scorer:
    """The booster alone as a bundle."""
    heads = tuple(BundleColumn(column.name, column.dataset, 0, "", "", "R") for column in columns)
    return Scorer(
        Bundle(1, "made", "risk", "booster", "risk_assessment", 0, heads, master_scale(), "", "", 0, trees=tree_parts(booster)),
        "",
    )  # fmt: skip


def card_scorer(sample: Sample) -> Scorer:
    """The scorecard alone as a bundle."""
    base, heads, bins = card_parts(fit_scorecard(sample))
    return Scorer(
        Bundle(1, "made", "rating", "scorecard", "risk_assessment", base, heads, master_scale(), "", "", 0, bins=bins), ""
    )  # fmt: skip


def plain_booster(sample: Sample, trees: int) -> lgb.Booster:
    """LightGBM's own model of eight leaves a tree."""
    parameters = {
        "objective": "binary", "num_leaves": 8, "learning_rate": 0.05, "verbosity": -1, "num_threads": 1,
        "boost_from_average": False,
    }  # fmt: skip
    return lgb.train(parameters, lgb.Dataset(inputs(sample), label=sample.target), trees)


def single_row(booster: lgb.Booster, columns: int, what: int) -> Callable[[Floats], Floats]:
    """LightGBM's fastest way to ask for one row: its C interface, set up once."""
    library, handle = lgb.basic._LIB, ctypes.c_void_p()
    out, size = np.zeros(columns + 1), ctypes.c_int64()
    failed = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, what, 0, -1, 1, columns, b"num_threads=1", ctypes.byref(handle)
    )
    if failed:
        raise SystemExit("LightGBM refused the single-row interface.")
    told = out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    def ask(row: Floats) -> Floats:
        library.LGBM_BoosterPredictForMatSingleRowFast(
            handle, row.ctypes.data_as(ctypes.c_void_p), ctypes.byref(size), told
        )
        return out[: size.value]

    return ask


def row_us(ask: Callable[[int], Any], rows: int) -> float:
    """Median microseconds of a call, after some to warm up."""
    times = np.empty(rows)
    for row in range(-20, rows):
        began = time.perf_counter()
        ask(max(row, 0))
        times[row] = time.perf_counter() - began
    return float(np.median(times) * 1e6)


def rows_per_s(ask: Callable[[], Any], rows: int) -> float:
    """The better of three batches."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return rows / min(times)


def ours(name: str, scorer: Scorer, matrix: FeatureMatrix, rows: int) -> dict[str, float]:
    """A row alone and a batch; one row is cut out beforehand, as the request's path has it."""
    chosen = matrix.select(scorer.columns)
    cut = [(chosen.values[[row]], chosen.missing[[row]]) for row in range(rows)]
    return {
        f"{name}_us": row_us(lambda row: scorer.score(*cut[row]), rows),
        f"{name}_rows_per_s": rows_per_s(lambda: scorer.score(chosen.values, chosen.missing), len(chosen.values)),
    }  # fmt: skip


def withheld(scorer: Scorer, matrix: FeatureMatrix, rows: int) -> dict[str, float]:
    """A row of which a tenth of the columns are withheld: always the same ones, and each time others."""
    width = matrix.missing.shape[1]
    some = max(width // 10, 1)
    first = np.tile(np.arange(width) < some, (rows, 1))
    others = np.random.default_rng(7).permuted(first, axis=1)
    found = {}
    for name, struck in (("booster_withheld_us", first), ("booster_withheld_once_us", others)):
        missing = np.where(struck, Missing.SOURCE_DOWN, matrix.missing[:rows]).astype(np.uint8)
        values = np.where(missing == Missing.PRESENT, matrix.values[:rows], 0.0)
        cut = [(values[[row]], missing[[row]]) for row in range(rows)]
        found[name] = row_us(lambda row, cut=cut: scorer.score(*cut[row]), rows)
    return found


def lightgbms(booster: lgb.Booster, x: Floats, rows: int) -> dict[str, float]:
    """The same through LightGBM: score alone, and contributions (whose sum is the score)."""
    columns, one = x.shape[1], {"num_threads": 1}
    score, reasons = (single_row(booster, columns, what) for what in (RAW, CONTRIBUTIONS))
    few = x[:500]
    return {
        "lightgbm_us": row_us(lambda row: booster.predict(x[[row]], raw_score=True, **one), rows),
        "lightgbm_fast_us": row_us(lambda row: score(x[row]), rows),
        "lightgbm_reasons_us": row_us(lambda row: booster.predict(x[[row]], pred_contrib=True, **one), rows),
        "lightgbm_fast_reasons_us": row_us(lambda row: reasons(x[row]), rows),
        "lightgbm_reasons_rows_per_s": rows_per_s(lambda: booster.predict(few, pred_contrib=True, **one), len(few)),
    }  # fmt: skip


def disagreement(booster: lgb.Booster, scorer: Scorer, sample: Sample) -> float:
    """The largest difference of a contribution, in logits."""
    theirs = booster.predict(inputs(sample)[:300], pred_contrib=True)[:, :-1]
    found = scorer.score(sample.matrix.values[:300], sample.matrix.missing[:300]).contributions
    return float(np.abs(found / FIXED - theirs).max())


def filled(rows: list[tuple[float, ...]]) -> Floats:
    """One row a column, filled up with NaN."""
    out = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def beside_optbinning(samples: dict[str, Sample]) -> dict[str, float]:
    """Information values over the same bins, numeric columns, and the time of a row of its card."""
    given: dict[str, Any] = {}
    cards: list[list[Binned]] = []
    for number, sample in enumerate(samples.values()):
        matrix = sample.matrix
        places = [place for place, column in enumerate(matrix.columns) if column.kind is ColumnKind.NUMERIC]
        binned = [
            bin_column(matrix.columns[k], matrix.values[:, k], matrix.missing[:, k], sample.target, BinSettings())
            for k in places
        ]  # fmt: skip
        cards.append(binned)
        given |= {
            f"x_{number}": inputs(sample)[:, places], f"target_{number}": sample.target,
            f"edges_{number}": filled([one.edges for one in binned]), f"codes_{number}": filled([one.codes for one in binned]),
        }  # fmt: skip
    with TemporaryDirectory(prefix="yidai-") as folder:
        np.savez(Path(folder) / "rows.npz", **given)
        told: Any = _run([PEERS, SCRIPT, Path(folder) / "rows.npz"])
    figures = {"optbinning_us": float(told["row_us"])}
    for name, own, theirs in zip(samples, cards, told["iv"], strict=True):
        figures |= _differences(name, own, theirs)
    return figures


def _differences(name: str, own: list[Binned], theirs: list[float | None]) -> dict[str, float]:
    """The largest relative difference of a set; apart where a bin has one outcome only.

    Such a bin counts as nothing for optbinning and with half a row of the other outcome for us.
    """
    pairs = [(one, iv) for one, iv in zip(own, theirs, strict=True) if iv]
    pure = [any(sum(bin_) and not all(bin_) for bin_ in one.counts) for one, _ in pairs]
    gaps = np.array([abs(one.iv - iv) / iv for one, iv in pairs])
    found = {f"iv_columns.{name}": float(len(pairs) - sum(pure)), f"iv_columns_pure.{name}": float(sum(pure))}
    for key, kept in (("iv_difference", ~np.array(pure, bool)), ("iv_difference_pure", np.array(pure, bool))):
        if kept.any():
            found[f"{key}.{name}"] = float(gaps[kept].max())
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"for the information values; {', '.join(SETS)} without it")
    parser.add_argument(
        "--quick", action="store_true", help="2,000 rows of 30 columns, 100 trees, the first set"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--data", type=Path, default=None, help="the folder of the sets; YIDAI_DATASETS without it"
    )
    options = parser.parse_args()
    rows, columns, trees = (2000, 30, 100) if options.quick else (10_000, 100, TREES)
    sample, asked = made(rows, columns), 200 if options.quick else 1000
    plain = plain_booster(sample, trees)
    blank = Booster((plain,), (), (), (0,) * columns, ("plain",), np.empty(0))
    scorer = tree_scorer(blank, sample.matrix.columns)
    trained = tree_scorer(fit_booster(sample), sample.matrix.columns)
    figures = ours("card", card_scorer(sample), sample.matrix, asked)
    figures |= ours("booster", scorer, sample.matrix, asked) | ours("trained", trained, sample.matrix, asked)
    figures |= withheld(scorer, sample.matrix, asked)
    figures |= lightgbms(plain, inputs(sample), asked)
    figures["difference_logits"] = disagreement(plain, scorer, sample)
    ratios = {
        "lightgbm_reasons": figures["lightgbm_fast_reasons_us"] / figures["booster_us"],
        "lightgbm_score": figures["lightgbm_fast_us"] / figures["booster_us"],
        "lightgbm_batch": figures["booster_rows_per_s"] / figures["lightgbm_reasons_rows_per_s"],
    }
    if PEERS.exists():
        figures |= beside_optbinning({"made": sample} | shared(options))
        ratios["optbinning"] = figures["optbinning_us"] / figures["card_us"]
    else:
        print("optbinning is left out: make learner-peers")
    sizes = {"rows": rows, "columns": columns, "trees": trees, "trained_trees": len(trained.bundle.trees)}
    finish("score", sizes, figures, ratios, as_json=options.json)


def shared(options: argparse.Namespace) -> dict[str, Sample]:
    """The sets that are there."""
    data = options.data or Path(os.environ.get("YIDAI_DATASETS", "."))
    names = options.sets or (SETS[:1] if options.quick else SETS)
    found = [name for name in names if (data / name).is_dir()]
    return {name: prepare(load_portfolio(find_portfolio(name)), data=data / name).sample for name in found}


if __name__ == "__main__":
    main()
