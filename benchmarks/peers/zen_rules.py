"""zen-engine on the same rules: a decision table that collects every rule that strikes, asked again and again.

    python zen_rules.py CASES.json

``CASES.json`` holds ``rules`` (id and expression), ``cases`` (facts by name) and ``struck`` (the ids by case). The table
must strike what it should; the last line printed has ``seconds`` an evaluation, the best of some rounds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import zen

ROUNDS = 5


def table(rules: list[dict[str, str]]) -> str:
    """A graph of one decision table with a row for each rule."""
    rows = [{"_id": rule["id"], "when": rule["expression"], "code": json.dumps(rule["id"])} for rule in rules]
    content = {
        "hitPolicy": "collect",
        "inputs": [{"id": "when", "name": "when", "field": ""}],
        "outputs": [{"id": "code", "name": "code", "field": "code"}],
        "rules": rows,
    }
    nodes = [
        {"id": "in", "name": "in", "type": "inputNode", "position": {"x": 0, "y": 0}},
        {
            "id": "t",
            "name": "t",
            "type": "decisionTableNode",
            "position": {"x": 1, "y": 0},
            "content": content,
        },
        {"id": "out", "name": "out", "type": "outputNode", "position": {"x": 2, "y": 0}},
    ]
    edges = [
        {"id": "a", "sourceId": "in", "targetId": "t", "type": "edge"},
        {"id": "b", "sourceId": "t", "targetId": "out", "type": "edge"},
    ]
    return json.dumps({"nodes": nodes, "edges": edges})


def main() -> None:
    given: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    decision = zen.ZenEngine().create_decision(table(given["rules"]))
    for case, struck in zip(given["cases"], given["struck"], strict=True):
        found = [row["code"] for row in decision.evaluate(case)["result"]]
        if found != struck:
            sys.exit(f"zen strikes {found}, not {struck}")
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for case in given["cases"]:
            decision.evaluate(case)
        best = min(best, (time.perf_counter() - start) / len(given["cases"]))
    print(json.dumps({"seconds": best}))


main()
