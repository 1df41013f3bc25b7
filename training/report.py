"""What a validator asks of a model, as one document: the JSON twin of the page in ``training.page``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import iso, month_index, month_text
from features.contracts.model import Text
from features.matrix import Missing
from features.timeline.ingest import FileReport
from training.bundle import FIXED, Bundle, Scorer
from training.evaluation import Judged, gap, measure
from training.gates import load_gates, missed_gates, too_full
from training.grades import Level, level_of, with_bounds
from training.labels import Outcome
from training.leaks import LeakCheck
from training.level import StatedLevel
from training.overrides import OverrideStatistics
from training.points import PointTable, point_table
from training.population import Rows
from training.rejects import Rejects
from training.review import Review, build_review
from training.sample import Sample
from training.scale import concentration
from training.sensitivity import Withheld, sensitivity
from training.validation import GradeTest, Interval, Metrics, by_grade, psi, psi_by_chance

STRONGEST = 15
PSI_LARGE = 0.25
_CELLS = 10


class Reached(msgspec.Struct, frozen=True):
    """Who is in the portfolio and of whom the outcome is known."""

    rows: int
    outcomes: dict[str, int]
    first: str
    last: str
    groups: int


class RandomStream(msgspec.Struct, frozen=True):
    """Applicants approved at random, whose outcomes no policy selected."""

    rows: int
    share: float
    bad_rate: float
    mean_pd: float | None
    """Mean PD of those held out; none where none of them was."""


class FeatureLine(msgspec.Struct, frozen=True):
    """One feature: ``weight`` is its mean absolute contribution in logits over the rows judged."""

    name: str
    zh: str
    en: str
    dataset: str
    sign: int
    weight: float
    iv: float | None
    absent: float


class Stability(msgspec.Struct, frozen=True):
    """PSI of the score in one month against all rows before the split; ``by_chance`` is seldom exceeded by chance."""

    month: str
    rows: int
    psi: float
    by_chance: float

    @property
    def large(self) -> bool:
        """Whether the month differs by more than the usual limit and more than chance."""
        return self.psi > max(PSI_LARGE, self.by_chance)


class HorizonLine(msgspec.Struct, frozen=True):
    """One horizon of a warning model on the rows held out."""

    months: int
    rows: int
    bads: int
    mean_pd: float
    auc: Interval


class Origin(msgspec.Struct, frozen=True):
    """Digests and files: which data and definitions the model was made of."""

    bundle: str
    definitions: str
    training: str
    files: tuple[FileReport, ...]


class Report(msgspec.Struct, frozen=True):
    """Everything in the report but its pictures."""

    schema: int
    portfolio: str
    title: Text
    model: str
    model_kind: str
    created: str
    split: str
    out_of_time: bool
    learned_rows: int
    population: Reached
    random: RandomStream | None
    metrics: Metrics
    challenger: Metrics | None
    gap: Interval | None
    grades: tuple[GradeTest, ...]
    features: tuple[FeatureLine, ...]
    leaks: LeakCheck
    stability: tuple[Stability, ...]
    settings: dict[str, float | int | str]
    origin: Origin
    warnings: tuple[str, ...]
    withheld: Withheld | None = None
    """From schema 2 on."""
    curve: tuple[HorizonLine, ...] = ()
    rejects: Rejects | None = None
    """Where the portfolio says who was refused."""
    review: Review | None = None
    """Of reports of before there is none."""
    level: Level | None = None
    """Likewise."""
    points: PointTable | None = None
    """Of a scorecard."""
    overrides: OverrideStatistics | None = None
    """What people decided otherwise, where an export lies beside the portfolio's models."""


def build_report(
    bundle: Bundle,
    bundle_digest: str,
    title: Text,
    rows: Rows,
    sample: Sample,
    judged: Judged,
    leaks: LeakCheck,
    files: Sequence[FileReport],
    stated: StatedLevel | None = None,
) -> Report:
    """The report of a trained bundle; ``stated`` is the level that its portfolio states."""
    metrics = measure(sample, judged.pd)
    challenger = None if judged.challenger is None else measure(sample, judged.challenger)
    difference = None if judged.challenger is None else gap(sample, judged.pd, judged.challenger)
    level, grades = _graded(bundle, sample, judged, stated)
    stability = _stability(sample, bundle, judged)
    review = build_review(bundle, sample, judged)
    warnings = (
        *missed_gates(load_gates(), metrics, difference, grades),
        *too_full(grades),
        *level.warnings,
        *leaks.warnings,
        *_moved(stability),
        *review.warnings,
        *(f"{f.file}: {f.quarantined} of {f.rows} rows are in quarantine." for f in files if f.quarantined),
    )
    held = [
        (part, sample.take(test)) for part, (_, test) in zip(judged.parts, judged.split.first, strict=False)
    ]
    return Report(
        2, bundle.portfolio, title, bundle.model, bundle.model_kind, iso(bundle.created_at),
        judged.split.text, judged.split.out_of_time and not judged.relearned, int(bundle.notes["rows"]), _reached(rows),
        _random(rows, judged), metrics, challenger, difference, tuple(grades), _features(bundle, sample, judged),
        leaks, stability, bundle.notes,
        Origin(bundle_digest, bundle.definitions_digest, bundle.training_digest, tuple(files)), warnings,
        sensitivity(bundle, held, sample.optional), review=review, level=level, points=point_table(bundle),
    )  # fmt: skip


def held_out_rows(judged: Judged) -> NDArray[np.bool_]:
    """Rows of the sample that were predicted without being learned from (of the first repeat)."""
    return np.asarray(~np.isnan(judged.pd[0]))


def _reached(rows: Rows) -> Reached:
    counts = np.bincount(rows.outcome, minlength=len(Outcome))
    outcomes = {one.name.lower(): int(counts[one]) for one in Outcome if counts[one]}
    return Reached(
        len(rows.outcome), outcomes, iso(int(rows.as_of.min())), iso(int(rows.as_of.max())),
        len(np.unique(rows.group)),
    )  # fmt: skip


def _random(rows: Rows, judged: Judged) -> RandomStream | None:
    if rows.random is None:
        return None
    chosen = rows.random[rows.labelled()]
    if not chosen.any():
        return None
    target = rows.outcome[rows.labelled()]
    pd = judged.pd[0][chosen]
    known = pd[~np.isnan(pd)]
    mean_pd = float(known.mean()) if len(known) else None
    return RandomStream(int(chosen.sum()), float(chosen.mean()), float(target[chosen].mean()), mean_pd)


def _graded(
    bundle: Bundle, sample: Sample, judged: Judged, stated: StatedLevel | None
) -> tuple[Level, list[GradeTest]]:
    chosen = held_out_rows(judged)
    target, pd = sample.target[chosen], judged.pd[0][chosen]
    grade, count = bundle.scale.grade(pd), len(bundle.scale.upper)
    level = level_of(target, pd, concentration(grade, count), stated, bundle.notes)
    return level, list(with_bounds(by_grade(target, pd, grade, count), level))


def _features(bundle: Bundle, sample: Sample, judged: Judged) -> tuple[FeatureLine, ...]:
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.take(held_out_rows(judged)).select(scorer.columns)
    shares = np.abs(scorer.score(chosen.values, chosen.missing).contributions).mean(axis=0) / FIXED
    absent = (chosen.missing != Missing.PRESENT).mean(axis=0)
    is_card = bundle.kind == "scorecard"
    lines = [
        FeatureLine(
            column.name, column.zh, column.en, column.dataset, column.sign, round(float(shares[place]), 6),
            bundle.bins[place].iv if is_card else None, round(float(absent[place]), 6),
        )
        for place, column in enumerate(bundle.columns)
    ]  # fmt: skip
    return tuple(sorted(lines, key=lambda line: (-line.weight, line.name))[:STRONGEST])


def _stability(sample: Sample, bundle: Bundle, judged: Judged) -> tuple[Stability, ...]:
    """By month of the rows held out, against all rows before them; nothing where there is no time."""
    start = judged.split.start
    if start is None:
        return ()
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    score = scorer.score(chosen.values, chosen.missing).log_odds
    before = score[sample.time < start]
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _CELLS + 1)[1:-1]))
    expected = _shares(before, edges)
    months = np.where(sample.time < start, -1, month_index(sample.time))
    found = []
    for month in np.unique(months[months >= 0]):
        own = score[months == month]
        value = psi(expected, _shares(own, edges))
        chance = psi_by_chance(len(before), len(own), len(edges) + 1)
        found.append(Stability(month_text(int(month)), len(own), round(value, 6), round(chance, 6)))
    return tuple(found)


def _moved(stability: Sequence[Stability]) -> tuple[str, ...]:
    moved = [f"{one.month} ({one.psi:.2f})" for one in stability if one.large]
    text = f"The score's distribution moved (PSI over {PSI_LARGE} and over chance) in {', '.join(moved)}."
    return (text,) if moved else ()


def _shares(score: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts by cell, half a row added to each so that a small month is not all tail."""
    return np.asarray(
        np.bincount(np.searchsorted(edges, score, side="right"), minlength=len(edges) + 1) + 0.5
    )
