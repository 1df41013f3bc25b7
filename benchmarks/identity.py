"""Records without a number beside the truth of a city: precision, recall, what is left to people, seconds.

Everything is resolved as `yidai identity resolve` does it, on seeds at which nobody looked for the thresholds.

    python -m benchmarks.identity [--quick] [--json] [--households N] [--seed S]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import finish
from features.city.make import make_city
from features.identity.measure import Resolution, measure


def resolution(households: int, seed: int) -> Resolution:
    """The measures on a fresh city."""
    with TemporaryDirectory(prefix="yidai-") as scratch:
        make_city(Path(scratch), households=households, months=36, seed=seed)
        return measure(Path(scratch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,500 households and one seed")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    households = 1_500 if asked.quick else asked.households
    seeds = range(asked.seed, asked.seed + (1 if asked.quick else 3))
    found = [resolution(households, seed) for seed in seeds]

    def total(name: str) -> float:
        return float(sum(getattr(each, name) for each in found))

    linked, wrong, missed = total("linked"), total("wrong"), total("missed")
    right = linked - wrong
    figures = {
        "precision": right / linked, "recall": right / (right + missed), "review_share": total("review") / total("records"),
        "linked": linked, "wrong": wrong, "missed": missed, "review": total("review"), "seconds": total("seconds"),
        "records_per_s": total("records") / max(total("seconds"), 1e-9),
    }  # fmt: skip
    sizes = {
        "households": households, "cities": len(found), "people": int(total("people")), "records": int(total("records")),
    }  # fmt: skip
    finish("identity", sizes, figures, {}, as_json=asked.json)


if __name__ == "__main__":
    main()
