"""What a score is worth when sources are withheld, learned with and without masking; and what a policy makes of it.

A city that no model was trained on, out of time, all applicants; the yardstick is the city's exact filter, the
chance of default given every record, so that calibration is measured without the noise of outcomes. Scenarios:
everything known, each optional source withheld alone, half of them (several draws), all of them, and the
consents of the README's example. `raised` is the share of rows whose grade got better by withholding, under
each rule of a policy; `approvable` the share in grades 1 to 7.

    python -m benchmarks.withheld [--quick] [--json] [--seeds N]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import lift
from benchmarks.common import finish
from features.matrix import FeatureMatrix, Missing
from training.bundle import Scorer, probability
from training.calibration import sigmoid
from training.evaluation import make_split
from training.masking import reach
from training.models import ModelName, Origin, train
from training.run import Prepared
from training.validation import auc

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
CONSENTED = ("bank", "bureau", "court", "social_insurance", "tax")
APPROVABLE = 7
DRAWS = 5


@dataclass(frozen=True)
class World:
    """Applications of the test period with their exact risk, and masks over ``sources`` by scenario."""

    matrix: FeatureMatrix
    risk: Floats
    bad: NDArray[np.int8]
    sources: tuple[str, ...]
    scenarios: Mapping[str, list[Flags]]


def world(prepared: Prepared, truth: dict[str, NDArray], start: int) -> World:
    """All applicants from ``start`` on."""
    period = prepared.rows.as_of >= start
    sources = prepared.sample.optional
    count, generator = len(sources), np.random.default_rng(77)
    contracts = prepared.portfolio.contracts
    given = [contracts[name.partition("@")[0]].consent_category in CONSENTED for name in sources]
    scenarios = {
        "full": [np.zeros(count, dtype=bool)],
        "each": list(np.eye(count, dtype=bool)),
        "half": [generator.permutation(count) < count // 2 for _ in range(DRAWS)],
        "all": [np.ones(count, dtype=bool)],
        "consents": [~np.array(given)],
    }
    risk, bad = truth["filter_risk"][period], truth["bad"][period].astype(np.int8)
    return World(prepared.rows.matrix.take(period), risk, bad, sources, scenarios)


def measure(scorer: Scorer, found: World) -> dict[str, dict[str, float]]:
    """Figures by scenario, each the mean over its masks."""
    chosen = found.matrix.select(scorer.columns)
    reached = reach(found.sources, scorer.datasets)
    whole = scorer.log_odds(chosen.values, chosen.missing)
    figures = {}
    for name, masks in found.scenarios.items():
        each = [_one(scorer, found, chosen, mask @ reached, whole) for mask in masks]
        figures[name] = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
        figures[name]["calibration_worst"] = max(
            (one["calibration"] for one in each), key=lambda c: abs(np.log(c))
        )
    return figures


def _one(
    scorer: Scorer, found: World, chosen: FeatureMatrix, silent: Flags, whole: NDArray[np.int64]
) -> dict[str, float]:
    missing = np.where(silent, Missing.NOT_AUTHORISED, chosen.missing).astype(np.uint8)
    values = np.where(missing == Missing.PRESENT, chosen.values, 0.0)
    score = scorer.log_odds(values, missing)
    pd = sigmoid(score / 1e9)
    half = scorer.half_width(missing)
    by_source = scorer.half_width(missing, only_withheld=True)
    assert half is not None
    assert by_source is not None
    bounds = {
        "point": score,
        "high": score + by_source,
        "worst": scorer.log_odds(values, missing, worst=True),
    }
    grades = {rule: _grade(scorer, bound) for rule, bound in bounds.items()}
    best = _grade(scorer, whole)
    return {
        "auc": auc(found.bad, pd).value,
        "log_loss": float(-np.mean(found.risk * np.log(pd) + (1 - found.risk) * np.log1p(-pd))),
        "calibration": float(pd.mean() / found.risk.mean()),
        "covered": float((np.abs(score - whole) <= half).mean()),
        "covered_by_sources": float((np.abs(score - whole) <= by_source).mean()),
        "half_width": float(half.mean() / 1e9),
        **{f"raised.{rule}": float((grade < best).mean()) for rule, grade in grades.items()},
        **{f"approvable.{rule}": float((grade <= APPROVABLE).mean()) for rule, grade in grades.items()},
    }


def _grade(scorer: Scorer, log_odds: NDArray[np.int64]) -> NDArray[np.int64]:
    return scorer.bundle.scale.grade(probability(log_odds, scorer.bundle.scale.floor))


def one_seed(seed: int, households: int) -> dict[str, dict[str, dict[str, float]]]:
    """Figures by model and way of learning, for one city."""
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        prepared, truth = lift.city(Path(scratch), households, shifted=False, seed=seed)
    sample = prepared.sample
    split = make_split(sample, prepared.portfolio.file.split)
    learned, judged = split.parts[0]
    found = world(prepared, truth, int(sample.time[judged].min()))
    origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
    ways: dict[str, Callable] = {"masked": lambda s: s, "unmasked": lambda s: replace(s, optional=())}
    figures = {}
    for name in ModelName:
        for way, of in ways.items():
            bundle = train(name, of(sample.take(learned)), origin, base_rate=split.base_rate)
            figures[f"{name.value}.{way}"] = measure(Scorer(bundle, ""), found)
            show(f"seed {seed}, {name.value}, {way}", figures[f"{name.value}.{way}"])
    return figures


def show(title: str, figures: Mapping[str, Mapping[str, float]]) -> None:
    """One table."""
    names = (
        "auc",
        "log_loss",
        "calibration",
        "calibration_worst",
        "covered",
        "covered_by_sources",
        "half_width",
    )
    print(f"\n{title}\n  {'':9}" + "".join(f"{name[-11:]:>12}" for name in names) + "   raised / approvable")
    for scenario, values in figures.items():
        rules = "  ".join(
            f"{rule} {values[f'raised.{rule}']:.3f}/{values[f'approvable.{rule}']:.2f}"
            for rule in ("point", "high", "worst")
        )
        print(f"  {scenario:9}" + "".join(f"{values[name]:12.4f}" for name in names) + f"   {rules}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one city of 1,200 households instead of three of 4,000"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--households", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=0)
    options = parser.parse_args()
    households = options.households or (1_200 if options.quick else 4_000)
    seeds = [9101 + k for k in range(options.seeds or (1 if options.quick else 3))]
    found = [one_seed(seed, households) for seed in seeds]
    figures = {
        f"{model}.{scenario}.{key}": float(np.mean([one[model][scenario][key] for one in found]))
        for model in found[0]
        for scenario in found[0][model]
        for key in found[0][model][scenario]
    }
    ratios = {
        f"calibration.{model.value}.{scenario}.{way}": figures[f"{model.value}.{way}.{scenario}.calibration"]
        / figures[f"{model.value}.{way}.full.calibration"]
        for model in ModelName
        for scenario in ("half", "all", "consents")
        for way in ("masked", "unmasked")
    }
    finish("withheld", {"households": households, "seeds": seeds}, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
