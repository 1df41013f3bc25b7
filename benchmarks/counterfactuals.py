"""How often the smallest change that is found gets a better answer, how small it is, and how long it takes.

Cases are applications of a held period that the model has not seen: those that would be declined or referred
must reach the last grade that is approved, the others the next better grade. Beside the search stands a slow
one: thousands of random combinations of actions, every pair of actions at every step, and all together; what
it reaches can be reached, and its least effort is the floor.

    python -m benchmarks.counterfactuals [--quick] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import finish
from benchmarks.lift import city
from training.actions import Actions, read_actions
from training.bounds import greatest_score
from training.bundle import Bundle, Scorer
from training.counterfactual import Counterfactual, _Search, counterfactual
from training.evaluation import make_split
from training.models import ModelName, Origin, train
from training.portfolio import PORTFOLIOS
from training.run import Prepared

LAST_APPROVED = 7
RANDOM = 4_000


def floor(search: _Search) -> float | None:
    """The least effort that the slow search finds, None where it reaches nothing."""
    g = np.random.default_rng(0)
    limits = search.limits
    shares = g.random((RANDOM, len(limits))) * (g.random((RANDOM, len(limits))) < g.random((RANDOM, 1)))
    states = [np.round(shares * limits).astype(np.int64), limits[None, :]]
    for one in np.flatnonzero(limits):
        for other in np.flatnonzero(limits[:one]):
            pair = np.zeros((min(limits[one], 24) * min(limits[other], 24), len(limits)), dtype=np.int64)
            a, b = (np.unique(np.linspace(1, limits[k], min(limits[k], 24)).round()) for k in (one, other))
            pair = pair[: len(a) * len(b)]
            pair[:, one], pair[:, other] = np.repeat(a, len(b)), np.tile(b, len(a))
            states.append(pair)
    every = np.vstack(states)
    good = search.scores(every) <= search.most
    return float((every[good] @ search.actions.efforts).min()) if good.any() else None


def measure(
    bundle: Bundle, prepared: Prepared, rows: np.ndarray, actions: Actions, checked: int
) -> tuple[dict[str, float], list[Counterfactual]]:
    """Figures of one model over these rows; the slow search looks at the first ``checked``."""
    scorer, plan, matrix = Scorer(bundle, ""), prepared.portfolio.plan, prepared.rows.matrix
    chosen = matrix.select(scorer.columns)
    grades = scorer.score(chosen.values[rows], chosen.missing[rows]).grade
    found, times, reachable, efforts, floors = [], [], 0, [], []
    for number, (row, grade) in enumerate(zip(rows.tolist(), grades.tolist(), strict=True)):
        target = min(grade - 1, LAST_APPROVED)
        most = greatest_score(bundle.scale, target)
        values, missing = matrix.values[row].copy(), matrix.missing[row].copy()
        began = time.perf_counter()
        one = counterfactual(scorer, actions, values, missing, most, plan.recompose)
        times.append(time.perf_counter() - began)
        found.append(one)
        if number < checked:
            least = floor(_Search(scorer, actions, values, missing, most, plan.recompose))
            reachable += least is not None or one.reached
            if one.reached and least is not None:
                efforts.append(one.effort)
                floors.append(least)
    reached = np.array([one.reached for one in found])
    declined = grades > LAST_APPROVED
    return {
        "improved_of_reachable": float(reached[:checked].sum() / max(reachable, 1)),
        "improved_of_all": float(reached.mean()),
        "improved_of_declined": float(reached[declined].mean()) if declined.any() else float("nan"),
        "actions_median": float(np.median([len(one.taken) for one in found if one.reached])),
        "effort_over_floor": float(np.sum(efforts) / np.sum(floors)),
        "p50_ms": float(np.quantile(times, 0.5) * 1e3),
        "p99_ms": float(np.quantile(times, 0.99) * 1e3),
    }, found  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="1,000 households and 60 cases instead of 5,000 and 400"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households, cases, checked = (1_000, 60, 30) if options.quick else (5_000, 400, 150)
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        prepared, _ = city(Path(scratch), households, shifted=False)
        split = make_split(prepared.sample, prepared.portfolio.file.split)
        learned, judged = split.parts[0]
        origin = Origin("city", "credit_approval", prepared.portfolio.plan.digest, 0)
        actions = read_actions(PORTFOLIOS / "city" / "actions.yaml", prepared.rows.matrix.columns)
        held = np.flatnonzero(prepared.rows.as_of >= prepared.sample.time[judged].min())
        for name in ModelName:
            bundle = train(name, prepared.sample.take(learned), origin, base_rate=split.base_rate)
            scorer = Scorer(bundle, "")
            chosen = prepared.rows.matrix.select(scorer.columns)
            grades = scorer.score(chosen.values[held], chosen.missing[held]).grade
            rows = np.random.default_rng(1).permutation(held[grades > 1])[:cases]
            counterfactual(scorer, actions, prepared.rows.matrix.values[rows[0]], prepared.rows.matrix.missing[rows[0]],
                           greatest_score(bundle.scale, 1), prepared.portfolio.plan.recompose)  # fmt: skip
            own, found = measure(bundle, prepared, rows, actions, checked)
            figures |= {f"{name.value}.{key}": value for key, value in own.items()}
            for one in found[:3]:
                told = "; ".join(f"{taken.text.en} x{taken.steps}" for taken in one.taken)
                print(
                    f"  {name.value}: {'reaches' if one.reached else 'only nears'} grade {one.grade}: {told}"
                )
    ratios = {
        f"{name.value}.effort_over_floor": figures.pop(f"{name.value}.effort_over_floor")
        for name in ModelName
    }
    sizes = {"households": households, "cases": cases, "checked": checked, "actions": len(actions.actions)}
    finish("counterfactuals", sizes, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
