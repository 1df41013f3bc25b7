"""What the refused would have done, where it is known: refused by an old policy's score, hidden, then revealed.

The masked set is a public one: an old scorecard of a fifth of the rows refuses two fifths of the others, whose
outcomes are hidden from every method; a random stream of three per cent of the refused is shown to its own
method only. All are judged on applicants that none has learned from, the refused among them. The city's
applicants are judged by its truth.

    python -m benchmarks.rejects [--quick] [--json]

The masked set is left out where `YIDAI_DATASETS` names no folder that holds it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import finish
from benchmarks.lift import city
from training.portfolio import find_portfolio, load_portfolio
from training.rejects import Applicants, answers, rows_needed
from training.run import Prepared, prepare
from training.sample import Sample
from training.scorecard import fit_scorecard
from training.validation import auc, log_loss

ACCEPTED = 0.6
STREAM = 0.03
MASKED = "gmsc"
SEED = 5


def masked(sample: Sample, stream: float = STREAM) -> tuple[Applicants, Sample, Sample]:
    """Applicants as a bank saw them, all of them as they were, and applicants to be judged."""
    order = np.random.default_rng(SEED).permutation(len(sample))
    fifth = len(sample) // 5
    past, learned, judged = (sample.take(np.sort(rows)) for rows in np.split(order, [fifth, 3 * fifth]))
    score = fit_scorecard(past).log_odds(learned.matrix)
    taken = score <= np.quantile(score, ACCEPTED)
    refused = learned.take(~taken)
    count = round(stream * len(refused))
    some = np.random.default_rng(SEED).permutation(len(refused))[:count]
    return Applicants(learned.take(taken), refused.matrix, refused.take(np.sort(some))), learned, judged


def of_city(prepared: Prepared, truth: NDArray[np.float64]) -> tuple[Applicants, Sample, Sample]:
    """The city's applicants before the last three tenths, as the bank saw them, and the later ones by the truth."""
    rows = prepared.rows
    moment = int(np.quantile(rows.as_of, 0.7))
    early, known = rows.as_of < moment, rows.labelled()
    at_random = known & (rows.random if rows.random is not None else np.zeros(len(known), dtype=bool))
    everybody = Sample(rows.matrix, truth.astype(np.int8), rows.group, rows.as_of)
    observed = replace(everybody, target=np.where(known, rows.outcome, 0).astype(np.int8))
    applicants = Applicants(
        observed.take(early & known & ~at_random),
        rows.matrix.take(early & ~known),
        observed.take(early & at_random),
    )
    return applicants, everybody.take(early), everybody.take(~early)


def measure(name: str, case: tuple[Applicants, Sample, Sample]) -> dict[str, float]:
    """AUC, log loss and predicted over actual of each method on the applicants judged, and of all outcomes known."""
    applicants, learned, judged = case
    found = dict(answers(applicants).items())
    everything = answers(Applicants(learned, learned.matrix.take(np.zeros(len(learned), dtype=bool))))
    told = {method.value: predict for method, predict in found.items()} | {
        "all_known": next(iter(everything.values()))
    }
    random = 0 if applicants.random is None else len(applicants.random)
    print(f"\n{name}: {len(applicants.accepted):,} accepted, {len(applicants.refused.values):,} refused, "
          f"{random:,} at random; judged on {len(judged):,} applicants, {judged.bads:,} bad")  # fmt: skip
    print(f"  {'method':22} {'AUC':^26} {'log loss':>9} {'pred/act':>9}")
    figures = {}
    for method, predict in told.items():
        pd = np.clip(predict(judged.matrix), 1e-6, 1 - 1e-6)
        ranked, loss, ratio = (
            auc(judged.target, pd),
            log_loss(judged.target, pd),
            float(pd.mean() / judged.target.mean()),
        )
        print(f"  {method:22} {ranked!s:26} {loss:9.5f} {ratio:9.3f}")
        figures |= {f"{name}.auc.{method}": ranked.value, f"{name}.log_loss.{method}": loss,
                    f"{name}.predicted_over_actual.{method}": ratio}  # fmt: skip
    rate = float(found[next(reversed(found))](applicants.refused).mean())
    needed = rows_needed(rate)
    print(f"  {needed:,} outcomes of a random stream tell a bad rate of the refused of 1.25 x {rate:.2%}")
    return figures | {f"{name}.stream_needed": float(needed)}


def regained(figures: dict[str, float], name: str) -> dict[str, float]:
    """Of the AUC that selection cost, the share that each method wins back."""
    none, best = figures[f"{name}.auc.none"], figures[f"{name}.auc.all_known"]
    start = f"{name}.auc."
    methods = [key.removeprefix(start) for key in figures if key.startswith(start)]
    return {
        f"{name}.regained.{method}": (figures[start + method] - none) / (best - none)
        for method in methods
        if method not in {"none", "all_known"} and best > none
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="30,000 rows and 800 households instead of all and 6,000"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    households = 800 if options.quick else 6_000
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    if (Path(os.environ.get("YIDAI_DATASETS", "")) / MASKED).is_dir():
        sample = prepare(load_portfolio(find_portfolio(MASKED))).sample
        if options.quick:
            sample = sample.take(np.arange(len(sample)) < 30_000)
        figures |= measure(MASKED, masked(sample))
        ratios |= regained(figures, MASKED)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        prepared, truth = city(Path(scratch), households, shifted=False)
    figures |= measure("city", of_city(prepared, truth["bad"]))
    ratios |= regained(figures, "city")
    sizes = {"accepted": ACCEPTED, "stream": STREAM, "households": households}
    finish("rejects", sizes, figures, ratios, as_json=options.json)


if __name__ == "__main__":
    main()
