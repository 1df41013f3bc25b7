"""One model's test of fairness as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from features.calendar import iso
from training.alternatives import Choice, Held, search
from training.bundle import FIXED, Scorer
from training.evaluation import make_split
from training.fairness import Attribute, GroupResult, Judgement, Proxy, compare_groups, find_proxies
from training.run import Prepared


class FairnessReport(msgspec.Struct, frozen=True):
    """The twin of the page. ``period`` says which rows were looked at; ``approved_to`` is the last grade approved."""

    schema: int
    portfolio: str
    model: str
    digest: str
    period: str
    rows: int
    labelled: int
    approved_to: int
    attributes: tuple[str, ...]
    groups: tuple[GroupResult, ...]
    proxies: tuple[Proxy, ...]
    choice: Choice

    @property
    def findings(self) -> tuple[str, ...]:
        """What somebody must look at."""
        found = [f"{one.attribute} {one.group}: {text}" for one in self.groups for text in one.findings]
        found += [f"{one.feature} tells {one.share:.1%} of {one.attribute} and has no written reason"
                  for one in self.proxies if not one.rationale]  # fmt: skip
        if self.choice.chosen != self.choice.candidates[0].name:
            found.append(f"a less discriminatory alternative: {self.choice.chosen}")
        return tuple(found)


def build_fairness(
    scorer: Scorer,
    prepared: Prepared,
    attributes: Sequence[Attribute],
    approved_to: int,
    rates_ppm: Sequence[float],
) -> FairnessReport:
    """Look at the rows that the portfolio's split holds out, or at all where it holds out by folds.

    ``attributes`` are of all rows of ``prepared``; ``rates_ppm`` is the price of each grade from the first on.
    """
    rows, sample = prepared.rows, prepared.sample
    split = make_split(sample, prepared.portfolio.file.split)
    held = np.ones(len(rows.as_of), dtype=bool) if split.start is None else rows.as_of >= split.start
    learned = sample if split.start is None else sample.take(split.parts[0][0])
    some = tuple(Attribute(one.name, one.groups, one.place[held]) for one in attributes)
    matrix = rows.matrix.take(held)
    chosen = matrix.select(scorer.columns)
    scores = scorer.score(chosen.values, chosen.missing)
    target = np.where(rows.labelled(), rows.outcome, -1)[held].astype(np.int8)
    price = np.array(rates_ppm, dtype=np.float64)[np.minimum(scores.grade, len(rates_ppm)) - 1]
    approved = scores.grade <= approved_to
    judged = Judgement(
        scores.log_odds / FIXED, scores.pd, scores.grade, price, target, rows.group[held], approved
    )
    alternatives = search(
        scorer, learned, Held(matrix, target, some, rows.group[held], float(approved.mean()))
    )
    told = {column.name: column.rationale for column in matrix.columns}
    period = "all rows, those that the model learned from among them"
    if split.start is not None:
        period = f"all applicants from {iso(split.start)[:10]} on"
    return FairnessReport(
        1, prepared.portfolio.name, scorer.bundle.model, scorer.bundle_digest, period, int(held.sum()),
        int((target >= 0).sum()), approved_to, tuple(one.name for one in some), compare_groups(judged, some),
        find_proxies(matrix.select(scorer.columns), some, told), alternatives,
    )  # fmt: skip


def figures(report: FairnessReport) -> Mapping[str, float]:
    """The worst figures as flat numbers, as gates and trackers want them."""
    impacts = [
        min(one.impact.value, 1 / one.impact.value)
        for one in report.groups
        if one.impact and one.impact.value > 0
    ]
    spreads = [abs(one.smd.value) for one in report.groups if one.smd]
    gaps = [abs(one.opportunity.value) for one in report.groups if one.opportunity]
    return {
        "impact_ratio": min(impacts, default=1.0), "smd": max(spreads, default=0.0),
        "opportunity_gap": max(gaps, default=0.0),
    }  # fmt: skip
