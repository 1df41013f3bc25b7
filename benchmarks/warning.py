"""How early and how rightly the watch warns, at 2 % new alerts a month, beside days past due, signals alone and the exact filter.

The warning model is learned on one sample city, the weights of the peers on a second; judged are another one, whose seed
nothing was learned from, and one of the shifted economy. All warners get as many alerts: each limit is the one at which new oranges and
reds reach the budget, and no outcome is looked at for it. A hit is an alert raised at 0 days past due, 30 to 365 days before the
first missed due date; the denominator is all defaults, those of the first instalment among them, which nobody can
see in time. Beside it `dcr_mortgage`, out of time, against binned logistic regression and LightGBM on the same rows.

    python -m benchmarks.warning [--quick] [--json] [--households N] [--train-households N] [--without dcr,shifted]
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.common import finish
from benchmarks.portfolios import binned_regression, lightgbm_default
from benchmarks.warning_city import City, Floats, Past, looked_at
from benchmarks.warning_counts import BUDGET, Bench, Counted, paired, ratio_interval
from features.contracts.documents import read_yaml
from serving.watch.document import Group, SignalsDocument
from serving.watch.models import Models
from serving.watch.signals import SHIPPED
from training.bundle import dump_bundle
from training.evaluation import make_split
from training.models import ModelName, Origin, predictor
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.run import lake_door
from training.warning import embargoed, relearned, stages

LEARNED, WEIGHED, JUDGED = 1, 2, 9001
"""Seeds of the cities."""
QUICK, QUICK_LOANS = 300, 8
"""Households of each city, and one of so many mortgages, where it must be quick."""
ORANGE = 2
WARNERS = ("combined", "model", "signals", "dpd", "filter")


@dataclass(frozen=True)
class Weights:
    """What the second city says a signal is worth: log odds by signal of a default to come, at its least level."""

    early: Floats
    repayment: Floats


def main() -> None:
    """Measure and print."""
    options = _options()
    size = options.households or (QUICK if options.quick else 5_000)
    learn = options.train_households or (QUICK if options.quick else 10_000)
    skipped = options.without.split(",")
    portfolio, document = load_portfolio(find_portfolio("city")), read_yaml(SHIPPED, SignalsDocument)
    figures: dict[str, float] = {}
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        learned = City(Path(scratch) / "learned", learn, LEARNED).make()
        models = taught(portfolio, learned)
        second = City(Path(scratch) / "weighed", size, WEIGHED).make()
        bench = Bench(looked_at(second, portfolio, document, models))
        weights = worth(document, bench)
        figures["limit.weighed"] = _limits("second city", document, bench)
        del bench
        for name in ("city", "shifted"):
            if name not in skipped:
                city = City(Path(scratch) / name, size, JUDGED, shifted=name == "shifted").make()
                told = judged(name, document, Bench(looked_at(city, portfolio, document, models)), weights)
                figures |= told[0]
                ratios |= told[1]
        if "dcr" not in skipped:
            figures |= mortgages(QUICK_LOANS if options.quick else 1)
    sizes = {"households": size, "train_households": learn, "seed": JUDGED, "budget": BUDGET}
    finish("warning", sizes, figures, ratios, as_json=options.json)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="300 households in each city, an eighth of the mortgages"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--households", type=int, default=0, help="of each judged city, and of the one of the weights; 5,000"
    )
    parser.add_argument(
        "--train-households", type=int, default=0, help="of the city that is learned from; 10,000"
    )
    parser.add_argument("--without", default="", help="leave out of: dcr, shifted, city")
    return parser.parse_args()


def taught(portfolio: Portfolio, city: City) -> Models:
    """The very bundle that `yidai train warning` ships, without the judgement before it."""
    stage, *_ = stages(portfolio, door=lake_door(portfolio, city.folder / "lake", 0))
    print(f"  learned from {len(stage.prepared.sample):,} rows of the panel", flush=True)
    return Models.of({"bundle.warning": dump_bundle(relearned(stage))}, portfolio.plan.reasons)


def worth(document: SignalsDocument, bench: Bench) -> Weights:
    """Weights of the signals without a model, by logistic regression: their best form."""
    found = {}
    for group in (Group.EARLY, Group.REPAYMENT):
        x = features(document, bench.seen, group)[bench.used]
        fitted = LogisticRegression(C=1.0, max_iter=500).fit(x, bench.early[bench.used])
        found[group] = np.maximum(fitted.coef_[0], 0.0)
    return Weights(found[Group.EARLY], found[Group.REPAYMENT])


def features(document: SignalsDocument, seen: Past, group: Group) -> Floats:
    """Each signal of a group [rows, signals], apart from those that read models: 1 where it stands."""
    group_of = {signal.code: signal.group for signal in document.signals}
    rows = [
        seen.rank[place] > 0
        for place, code in enumerate(seen.codes)
        if group_of[code] is group and code not in {"score_drop", "early_warning"}
    ]
    return np.array(rows, dtype=float).T


def scores(document: SignalsDocument, seen: Past, weights: Weights) -> dict[str, Floats]:
    """What each warner ranks loans by."""
    return {
        "combined": ruled(document, seen), "model": seen.warning_pd,
        "signals": features(document, seen, Group.EARLY) @ weights.early,
        "dpd": features(document, seen, Group.REPAYMENT) @ weights.repayment, "filter": seen.filter,
    }  # fmt: skip


def ruled(document: SignalsDocument, seen: Past) -> Floats:
    """What the rule ranks loans by: its PD, facts before all."""
    rule = document.combination
    facts = [seen.codes.index(code) for code in (rule.facts if rule else ())]
    fact = (seen.rank[facts] >= ORANGE).any(axis=0)
    return np.where(fact, 1.0 + seen.early_pd, seen.early_pd)


def judged(
    name: str, document: SignalsDocument, bench: Bench, weights: Weights
) -> tuple[dict[str, float], dict[str, float]]:
    """All warners on one city at equal alerts: figures and ratios, those of the shifted economy under its name."""
    ranked = scores(document, bench.seen, weights)
    found = {key: bench.counted(bench.limited(score)) for key, score in ranked.items()}
    after = "" if name == "city" else f".{name}"
    print(
        f"\n{name}: {bench.used.sum():,} loans and months at 0 days past due, {len(bench.defaults)} defaults"
    )
    for key in WARNERS:
        _line(key, found[key], roc_auc_score(bench.right[bench.used], ranked[key][bench.used]))
    ours, signals, best = found["combined"], found["signals"], found["filter"]
    low, high = paired(ours, signals, bench.defaults)
    least, most = ratio_interval(ours, best, bench.defaults)
    print(
        f"  ours over signals alone: {ours.coverage - signals.coverage:+.1%} of defaults ({low:+.1%} to {high:+.1%})"
    )
    print(
        f"  ours over the filter: {len(ours.captured) / len(best.captured):.3f} ({least:.3f} to {most:.3f})"
    )
    shipped, limit = shipped_levels(document, bench), _limits(name, document, bench)
    _table(document, bench)
    figures = {
        "coverage": ours.coverage, "median_lead_days": ours.lead_days, "alerted_share": ours.share,
        "precision": ours.precision, "red_precision": shipped["red"].precision,
        "coverage.filter": best.coverage, "coverage.signals": signals.coverage, "coverage.dpd": found["dpd"].coverage,
        "coverage.model": found["model"].coverage, "over_signals.low": low, "over_signals.high": high,
        "filter.low": least, "filter.high": most, "shipped.alerted_share": shipped["orange"].share,
        "shipped.coverage": shipped["orange"].coverage, "limit": limit, "defaults": float(len(bench.defaults)),
    }  # fmt: skip
    ratios = {
        key: len(ours.captured) / max(len(found[other].captured), 1)
        for key, other in (("filter", "filter"), ("signals_only", "signals"), ("dpd_rules", "dpd"))
    }
    return {f"{k}{after}": v for k, v in figures.items()}, {f"{k}{after}": v for k, v in ratios.items()}


def _line(name: str, one: Counted, auc: float) -> None:
    print(
        f"  {name:20} new {one.share:6.2%}  coverage {one.coverage:6.1%} of {one.of}  precision {one.precision:6.1%}  "
        f"lead {one.lead_days:4.0f} days  AUC {auc:.4f}", flush=True,
    )  # fmt: skip


def shipped_levels(document: SignalsDocument, bench: Bench) -> dict[str, Counted]:
    """What the shipped limits raise, without any ranking: new oranges and reds of early signals, and reds."""
    early = {signal.code for signal in document.signals if signal.group is Group.EARLY}
    rows = [place for place, code in enumerate(bench.seen.codes) if code in early]
    gravest = bench.seen.rank[rows].max(axis=0)
    return {"orange": bench.counted(gravest >= ORANGE), "red": bench.counted(gravest > ORANGE)}


def _limits(name: str, document: SignalsDocument, bench: Bench) -> float:
    """The PD of the rule from which new oranges keep the budget, beside what the shipped limits raise; no outcome is used."""
    score = ruled(document, bench.seen)
    alert = bench.limited(score)
    limit = float(score[alert].min()) if alert.any() else float("nan")
    shipped = shipped_levels(document, bench)
    print(
        f"  {name}: new oranges keep {BUDGET:.0%} a month from a PD of {limit:.4f} on; the shipped limits raise "
        f"{shipped['orange'].share:.2%}, reds among them {shipped['red'].share:.2%}, {shipped['red'].precision:.1%} of which "
        f"default within the year", flush=True,
    )  # fmt: skip
    return limit


def _table(document: SignalsDocument, bench: Bench) -> None:
    """Each signal by itself wherever it stands, at any level; conduct and village apart by their group."""
    print(f"  by signal; without any, {bench.right[bench.used].mean():.1%} default within the year")
    group_of = {signal.code: signal.group for signal in document.signals}
    for place, code in enumerate(bench.seen.codes):
        alert = bench.seen.rank[place] > 0
        if bench.fresh(alert).any():
            one, standing = bench.counted(alert), alert & bench.used
            print(
                f"    {code:24} {group_of[code].value:10} new {one.share:6.2%}  stands {standing.sum() / bench.used.sum():6.2%}"
                f"  coverage {one.coverage:6.1%}  precision {one.precision:6.1%}  lead {one.lead_days:4.0f}"
            )


def mortgages(every: int) -> dict[str, float]:
    """AUC on the quarters after 30 of the panel of mortgages (one loan of ``every``), next to two peers that learned
    from the same rows.
    """
    folder = Path(os.environ.get("YIDAI_DATASETS", "")) / "dcr_mortgage"
    if not folder.is_dir():
        print("\ndcr_mortgage is not there: set YIDAI_DATASETS.")
        return {}
    portfolio = load_portfolio(find_portfolio("dcr_mortgage"))
    (stage,) = stages(portfolio)
    sample, file = stage.prepared.sample, stage.prepared.portfolio.file
    assert file.warning is not None
    sample = sample.take(sample.group % every == 0)
    split = embargoed(make_split(sample, file.split), sample, file.warning)
    train, test = split.parts[0]
    origin = Origin("dcr_mortgage", file.model_kind, portfolio.plan.digest, 0)
    learners = {
        "": predictor(ModelName.RISK, origin, split.base_rate), ".binned_lr": binned_regression,
        ".lightgbm": lightgbm_default,
    }  # fmt: skip
    figures = {}
    for name, learner in learners.items():
        pd = learner(sample.take(train), sample.take(test))
        figures[f"auc.dcr_mortgage{name}"] = float(roc_auc_score(sample.target[test], pd))
        print(
            f"  dcr_mortgage{name:12} AUC {figures[f'auc.dcr_mortgage{name}']:.4f} on {len(test):,} rows",
            flush=True,
        )
    return figures


if __name__ == "__main__":
    main()
