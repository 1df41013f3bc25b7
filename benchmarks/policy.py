"""The rule stage of the city's policy, one application at a time and vectorised, beside zen-engine.

Both ask every rule and tell all that strike. zen is given the favourable half of the work: only the facts that the rules
ask, all of them known (it has no kinds of missing: there a knock-out on a missing fact passes), no segments, scopes or
days, and no trace of what each rule asked and found. It must strike what ours strikes. One thread; the best of some
rounds each, ours before and after zen's.

The back-test is that of ``yidai backtest`` without reading the lake and without the rejects' band: 429,988 made
applications of 100 features are scored by a scorecard and by a booster of 450 trees, decided under two policies and
compared, page included; beside it the floor, LightGBM's own scores of the same booster.

    make peers
    python -m benchmarks.policy [--quick] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.common import finish
from benchmarks.features_vs_peers import _run
from benchmarks.score import card_scorer, made, plain_booster, tree_scorer
from features.canonical import canonical_bytes, code_of
from serving.policy.days import first_day
from serving.policy.evaluate import FactColumn, evaluate, evaluate_many, evaluate_whole_many
from serving.policy.facts import is_text
from serving.policy.load import CITY, load_policy, policy_from_yaml
from serving.policy.model import Condition, Effect, Operator
from serving.policy.policy import Policy
from serving.swaps.compare import Band, Past, backtest
from serving.swaps.page import render
from serving.swaps.reading import side_of
from training.boosting import Booster

PEER = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
SCRIPT = Path(__file__).parent / "peers" / "zen_rules.py"
DAY = first_day("2026-01-02")
ROUNDS = 5
COLUMNS, TREES = 100, 450
HOUR = 3_600_000_000
CODES = {"identity": ["passed", "failed", "inconclusive"], "aml": ["clear", "possible", "hit"]}
_SIGNS = {
    Operator.LT: "<", Operator.LE: "<=", Operator.GT: ">", Operator.GE: ">=", Operator.EQ: "==", Operator.NE: "!=",
    Operator.IN: "in", Operator.NOT_IN: "not in",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the applications")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    asked = parser.parse_args()
    policy = policy_from_yaml(CITY)
    many = 43_000 if asked.quick else 429_988
    few = 500 if asked.quick else 3_000
    columns = applications(policy, many)
    cases = [{name: values[row].item() for name, values in columns.items()} for row in range(few)]
    scalar = best(lambda: one_by_one(policy, cases)) / few
    facts = {name: FactColumn(values, np.zeros(many, dtype=np.uint8)) for name, values in columns.items()}
    vector = best(lambda: evaluate_many(policy, facts, many, DAY)) / many
    grades = np.random.default_rng(3).integers(1, 11, many)
    whole = best(lambda: evaluate_whole_many(policy, facts, grades, DAY)) / many
    seconds, floor = back_test(policy, facts, many)
    print(f"back-test of {many:,}: {seconds:.1f} s, of which LightGBM's own scores would take {floor:.1f} s")
    figures = {
        "scalar_us": scalar * 1e6,
        "vector_us": vector * 1e6,
        "whole_us": whole * 1e6,
        "backtest_s": seconds,
    }
    ratios: dict[str, float] = {"backtest_over_lightgbm": seconds / floor}
    if PEER.exists():
        zen = beside_zen(policy, cases)
        scalar = min(scalar, best(lambda: one_by_one(policy, cases)) / few)
        figures |= {"scalar_us": scalar * 1e6, "zen_us": zen * 1e6}
        ratios |= {"zen": zen / scalar, "zen_vector": zen / vector}
    else:
        print("zen-engine is left out: run make peers first")
    sizes = {"rules": len(policy.ready), "applications": many, "single": few}
    finish("policy", sizes, figures, ratios, as_json=asked.json)


def back_test(policy: Policy, facts: dict[str, FactColumn], count: int) -> tuple[float, float]:
    """Seconds of a whole back-test, and of LightGBM's prediction of the same rows alone."""
    sample = made(10_000, COLUMNS)
    plain = plain_booster(sample, TREES)
    blank = Booster((plain,), (), (), (0,) * COLUMNS, ("plain",), np.empty(0))
    scorers = card_scorer(sample), tree_scorer(blank, sample.matrix.columns)
    rows = np.random.default_rng(7).integers(0, len(sample), count)
    matrix = sample.matrix.take(rows)
    outcome = np.where(np.arange(count) % 5 == 0, -1, sample.target[rows]).astype(np.int8)
    past = Past(facts, np.arange(count) * HOUR, outcome)
    sides = (policy, stricter(policy))
    began = time.perf_counter()
    before, after = (side_of(one, scorer, matrix) for one, scorer in zip(sides, scorers, strict=True))
    render(backtest(past, before, after, Band(1.0, 1.4, "made")))
    seconds = time.perf_counter() - began
    x = np.where(matrix.missing == 0, matrix.values, np.nan)
    began = time.perf_counter()
    plain.predict(x, raw_score=True, num_threads=1)
    return seconds, time.perf_counter() - began


def stricter(policy: Policy) -> Policy:
    """The policy that approves a grade less."""
    document = json.loads(policy.data)
    for row in document["tables"]["cutoffs"]:
        row["grades"] = {"known-approve": [1, 6], "known-refer": [7, 8]}.get(row["id"], row["grades"])
    return load_policy(canonical_bytes(document))


def applications(policy: Policy, count: int) -> dict[str, Any]:
    """Facts of made applications, most of which no rule strikes; the missing kinds are left out, for zen's sake."""
    g = np.random.default_rng(1)
    document = policy.document
    words = CODES | {
        "product": list(document.products), "region": list(document.regions), "purpose": list(document.purposes),
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name in sorted(policy.facts):
        if name in words:
            first = g.random(count) < 0.9
            drawn = g.integers(0, len(words[name]), count)
            found[name] = np.array(words[name])[np.where(first, 0, drawn)]
        elif name == "farm_kind":
            found[name] = np.where(g.random(count) < 0.1, float(code_of("family_farm")), 0.0)
        elif name.startswith("consent."):
            found[name] = (g.random(count) < 0.95).astype(float)
        else:
            found[name] = usual(name, g, count)
    return found


def usual(name: str, g: np.random.Generator, count: int) -> Any:
    """Numbers of a fact as they mostly are."""
    ranges = {
        "age_years": (20, 70),
        "age_years_at_end": (21, 73),
        "term_months": (3, 36),
        "sources_with_record": (3, 20),
    }
    if name in ranges:
        return g.integers(*ranges[name], count).astype(float)
    return np.where(g.random(count) < 0.97, 0.0, g.integers(0, 10, count)).astype(float)


def one_by_one(policy: Policy, cases: list[dict[str, Any]]) -> None:
    """Every case, and nothing kept."""
    for case in cases:
        evaluate(policy, case, DAY)


def best(work: Callable[[], object]) -> float:
    """The shortest of some rounds, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def beside_zen(policy: Policy, cases: list[dict[str, Any]]) -> float:
    """Seconds of one evaluation by zen-engine, after it struck what ours strikes."""
    asked = {c.fact for rule in policy.rules for c in rule.when.conditions}
    rules = [
        {"id": rule.id, "expression": joined(rule.when.conditions, " and " if rule.when.all else " or ")}
        for rule in policy.rules
    ]
    struck = [
        [one.rule.id for one in evaluate(policy, case, DAY) if one.effect is not Effect.PASS]
        for case in cases
    ]
    plain = [{named(k): v for k, v in case.items() if k in asked} for case in cases]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cases.json"
        path.write_text(json.dumps({"rules": rules, "cases": plain, "struck": struck}))
        return _run((PEER, SCRIPT, path))["seconds"]


def joined(conditions: tuple[Condition, ...], word: str) -> str:
    """The conditions as an expression of zen's."""
    return word.join(f"({named(c.fact)} {_SIGNS[c.op]} {told(c)})" for c in conditions)


def named(fact: str) -> str:
    return fact.replace(".", "_")


def told(condition: Condition) -> str:
    values = condition.value if isinstance(condition.value, list | tuple) else [condition.value]
    coded = [v if is_text(condition.fact) or not isinstance(v, str) else float(code_of(v)) for v in values]
    return json.dumps(coded if isinstance(condition.value, list | tuple) else coded[0])


if __name__ == "__main__":
    main()
