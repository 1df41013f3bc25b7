"""The warning models of a loan book: first default of those who pay, and rolling to it of those who are late.

Both learn from one panel (``training.panel``) and tell PDs of three horizons (``training.curve``). They are
judged on later months; what was learned from ends a whole window before, so that no outcome was seen after
the split, and earlier months of a borrower who is still there may be learned from, as in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import iso
from features.consent import Purpose
from features.errors import Invalid
from features.terminal import Step
from features.timeline.door import Door
from features.timeline.ingest import FileReport
from training.bundle import Bundle, Scorer
from training.curve import Window, with_curve, with_tenths
from training.evaluation import Judged, Split, judge, make_split
from training.horizons import WarningPanel
from training.models import ModelName, train
from training.panel import NoPanel, Panel, book_rows, ends, panel_of_periods
from training.population import Rows, private_rows
from training.portfolio import OutOfTime, PerformanceLabel, Portfolio
from training.report import HorizonLine
from training.run import Prepared, Trained, optional_sources, origin_of, publish
from training.sample import MIN_EACH, Sample, Unlearnable
from training.sample import Rows as TakenRows
from training.telling import RELEARNED, horizon_pd
from training.validation import auc

WARNING = "warning"
ROLL = "roll"
MOST_LEARNED = 40_000
"""So many rows of a panel teach what more would."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The rows of one model: ``panel`` in the order of the rows of ``prepared``."""

    name: str
    prepared: Prepared
    panel: Panel


@dataclass(frozen=True, slots=True)
class Warned:
    """The models that were trained, and of those that were not why."""

    trained: tuple[Trained, ...]
    left_out: tuple[str, ...]


def train_warning(
    portfolio: Portfolio,
    out: Path,
    *,
    data: Path | None = None,
    door: Door | None = None,
    progress: Step | None = None,
    tracking: bool = True,
) -> Warned:
    """Train, judge, report and track the warning model and, where enough borrowers are late, the roll model.

    Raises:
        NoPanel: the portfolio does not say what its panel is.
        Unlearnable: rows that cannot teach the warning model.
    """
    warning, *others = stages(portfolio, data=data, door=door)
    trained, left_out = [train_stage(warning, out, progress, tracking=tracking)], []
    for stage in others:
        try:
            trained.append(train_stage(stage, out, progress, tracking=tracking))
        except Unlearnable as error:
            left_out.append(f"{stage.name}: {error}")
    return Warned(tuple(trained), tuple(left_out))


def stages(portfolio: Portfolio, *, data: Path | None = None, door: Door | None = None) -> tuple[Stage, ...]:
    """The panel of a portfolio: borrowers at 0 days past due, then those late but not in default.

    Raises:
        NoPanel: the portfolio does not say what its panel is.
    """
    rule, label = portfolio.file.warning, portfolio.file.label
    if rule is None:
        raise NoPanel(portfolio.name)
    files: list[FileReport] = []
    if not isinstance(label, PerformanceLabel):
        found, files = private_rows(portfolio, portfolio.data_folder(data))
        rows, panel = panel_of_periods(found, rule)
        return (make_stage(WARNING, portfolio, rows, panel, files),)
    if door is None:
        raise Invalid(
            "its loan book lies in the lake.", place=f"portfolio {portfolio.name}", remedy="Ingest first."
        )
    rows, panel = book_rows(portfolio, door)
    late = panel.days_past_due
    parts = ((WARNING, late == 0), (ROLL, (late > 0) & (late < label.over_days)))
    return tuple(make_stage(name, portfolio, _take(rows, of), panel.take(of), files) for name, of in parts)


def make_stage(name: str, portfolio: Portfolio, rows: Rows, panel: Panel, files: list[FileReport]) -> Stage:
    """A model's rows as its training takes them: with outcomes, and judged as a panel where there is time."""
    split = portfolio.file.split
    if isinstance(split, OutOfTime):
        split = msgspec.structs.replace(split, panel=True)
    file = msgspec.structs.replace(portfolio.file, split=split, model_kind="early_warning", calibration=None)
    portfolio = replace(portfolio, file=file)
    known = rows.labelled()
    sample = Sample(
        rows.matrix.take(known), rows.outcome[known], rows.group[known], rows.as_of[known],
        optional_sources(portfolio, Purpose.POST_LOAN_MANAGEMENT), isinstance(split, OutOfTime),
    )  # fmt: skip
    return Stage(name, Prepared(portfolio, rows, sample, tuple(files)), panel)


def train_stage(stage: Stage, out: Path, progress: Step | None, *, tracking: bool) -> Trained:
    """One model of a panel.

    Raises:
        Unlearnable: too few rows, one outcome, or no window that ends before the split.
    """
    prepared, rule = stage.prepared, stage.prepared.portfolio.file.warning or WarningPanel()
    sample = prepared.sample
    sample.check()
    known = stage.panel.take(prepared.rows.labelled())
    split = embargoed(make_split(sample, prepared.portfolio.file.split), sample, rule)
    judged = judge(ModelName.RISK, for_inner_folds(sample, rule), split, origin_of(prepared), progress)
    learned = split.parts[0][0] if split.out_of_time else np.arange(len(sample))
    until = known.seen_to if split.start is None else split.start
    windows = _windows(known.take(learned), rule, until)
    bundle = with_curve(judged.bundle, stage.name, sample.take(learned), windows, rule.own)
    lines = _lines(bundle, judged, sample, _windows(known, rule, known.seen_to)) if split.out_of_time else ()
    again = rule.relearn and split.out_of_time
    bundle = relearned(stage, progress) if again else with_tenths(bundle, sample, rule.months)
    told = (
        replace(split, text=f"{split.text}; what ships learned once more from all rows") if again else split
    )
    judged = replace(judged, bundle=bundle, relearned=again, split=told)
    return publish(prepared, judged, out, progress=progress, tracking=tracking, curve=lines)


def relearned(stage: Stage, progress: Step | None = None) -> Bundle:
    """The recipe on every row whose window has ended, those held out for its judgement among them."""
    rule, sample = stage.prepared.portfolio.file.warning or WarningPanel(), stage.prepared.sample
    rows = thinned(sample, np.arange(len(sample)))
    known = stage.panel.take(stage.prepared.rows.labelled()).take(rows)
    taken = for_inner_folds(sample, rule).take(rows)
    rate = float(sample.target.mean())
    bundle = train(ModelName.RISK, taken, origin_of(stage.prepared), progress, base_rate=rate)
    bundle = msgspec.structs.replace(bundle, notes=bundle.notes | {RELEARNED: 1})
    bundle = with_curve(bundle, stage.name, taken, _windows(known, rule, known.seen_to), rule.own)
    return with_tenths(bundle, sample, rule.months)


def for_inner_folds(sample: Sample, rule: WarningPanel) -> Sample:
    """The sample as inner folds cut it.

    Where windows are longer than a period, neighbouring rows of a borrower share their outcome, and a block of
    time would tell the answers of the next: folds are then by group.
    """
    return replace(sample, panel=sample.panel and rule.own == rule.period_months)


def embargoed(split: Split, sample: Sample, rule: WarningPanel) -> Split:
    """The split without the train rows whose window had not ended when it came, those left thinned.

    Raises:
        Unlearnable: none had.
    """
    if split.start is None:
        return split
    train, test = split.parts[0]
    train = train[ends(sample.time[train], rule.own) <= split.start]
    if not len(train):
        raise Unlearnable(
            f"no window of {rule.own} months ends before {iso(split.start)}.",
            "Move `split.start`, or bring more months.",
        )
    rate = float(sample.target[train].mean())
    return replace(split, parts=((thinned(sample, train), test),), base_rate=rate)


def thinned(sample: Sample, rows: TakenRows) -> TakenRows:
    """The rows with all bads and so many of the goods, evenly in time, that ``MOST_LEARNED`` are left.

    Months of one borrower are much alike: goods teach little more by being many. The bundle is anchored to
    the bad rate of all rows.
    """
    bad = sample.target[rows] == 1
    room = max(MOST_LEARNED - int(bad.sum()), int(bad.sum()), MIN_EACH)
    goods = rows[~bad]
    if len(goods) > room:
        goods = goods[np.linspace(0, len(goods) - 1, room).astype(np.intp)]
    return np.sort(np.concatenate([rows[bad], goods]))


def _windows(panel: Panel, rule: WarningPanel, until: int) -> list[Window]:
    """What the rows did within each horizon, as it was known at ``until``."""
    return [
        Window(months, panel.within(months), (ends(panel.as_of, months) <= until) & ~panel.fraud)
        for months in rule.horizons
    ]


def _lines(bundle: Bundle, judged: Judged, sample: Sample, windows: list[Window]) -> tuple[HorizonLine, ...]:
    """Each horizon on the rows held out whose window of it has ended."""
    scorer = Scorer(bundle, "")
    chosen = sample.matrix.select(scorer.columns)
    pd = horizon_pd(bundle, scorer.score(chosen.values, chosen.missing).log_odds)
    held, found = ~np.isnan(judged.pd[0]), []
    for place, window in enumerate(windows):
        rows = held & window.known
        bad, own = window.bad[rows].astype(np.int8), pd[rows, place]
        if 0 < bad.sum() < len(bad):
            found.append(
                HorizonLine(window.months, len(bad), int(bad.sum()), float(own.mean()), auc(bad, own))
            )
    return tuple(found)


def _take(rows: Rows, of: NDArray[np.bool_]) -> Rows:
    return Rows(
        rows.matrix.take(of), rows.subject[of], rows.as_of[of], rows.group[of], rows.outcome[of],
        rows.identifier[of], None, rows.future,
    )  # fmt: skip
