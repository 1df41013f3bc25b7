"""The fraud scorecard: confirmed fraud against every other outcome, by cross-validation, for frauds are few.

It stands beside the access policy. Confirmed fraud is no credit outcome and teaches no other model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from features.terminal import Step
from training.bundle import resealed
from training.evaluation import judge, make_split
from training.labels import Outcome
from training.models import ModelName
from training.portfolio import Folds
from training.run import Prepared, Trained, origin_of, publish
from training.sample import Sample, Unlearnable

FRAUD = "fraud"
FOLDS = Folds(folds=5, seed=7)
NO_SIGNAL = 0.5


@dataclass(frozen=True, slots=True)
class FraudFound:
    """``frauds`` confirmed among ``rows`` whose outcome is known; ``trained`` is None where they teach nothing."""

    rows: int
    frauds: int
    trained: Trained | None
    why_not: str = ""

    @property
    def summary(self) -> str:
        """One line for people."""
        told = f"{self.frauds:,} confirmed frauds among {self.rows:,} outcomes"
        if self.trained is None:
            return f"{told} teach no fraud scorecard: {self.why_not}"
        auc = self.trained.report.metrics.auc
        signal = "" if auc.low > NO_SIGNAL else ", no better than chance: do not put it in force"
        return f"{told}, fraud scorecard AUC {auc}{signal}: {self.trained.folder / 'bundle.json'}"


def train_fraud(
    prepared: Prepared, out: Path, *, progress: Step | None = None, tracking: bool = True
) -> FraudFound:
    """Train, judge, report and track the fraud scorecard where confirmed frauds can teach one."""
    case = fraud_case(prepared)
    sample = case.sample
    try:
        sample.check()
        judged = judge(ModelName.RATING, sample, make_split(sample, FOLDS), origin_of(case), progress)
    except Unlearnable as error:
        return FraudFound(len(sample), sample.bads, None, str(error))
    judged = replace(judged, bundle=resealed(msgspec.structs.replace(judged.bundle, model=FRAUD)))
    trained = publish(case, judged, out, progress=progress, tracking=tracking)
    return FraudFound(len(sample), sample.bads, trained)


def fraud_case(prepared: Prepared) -> Prepared:
    """The rows with fraud as the bad outcome, and goods and bads alike as the good one.

    Fraud is known before a window ends; frauds later than the last row whose window has ended are left out,
    or among the newest rows only frauds would be left.
    """
    rows = prepared.rows
    ended = rows.labelled() | (rows.outcome == Outcome.INDETERMINATE)
    last = int(rows.as_of[ended].max(initial=0))
    is_fraud = (rows.outcome == Outcome.FRAUD) & (rows.as_of <= last)
    known = is_fraud | ended
    outcome = np.where(rows.outcome == Outcome.FRAUD, Outcome.IMMATURE, rows.outcome)
    outcome = np.where(known, np.where(is_fraud, Outcome.BAD, Outcome.GOOD), outcome).astype(np.int8)
    case = replace(rows, outcome=outcome, random=None, refused=None)
    file = msgspec.structs.replace(prepared.portfolio.file, model_kind="anti_fraud", split=FOLDS)
    sample = Sample(
        rows.matrix.take(known),
        outcome[known],
        rows.group[known],
        rows.as_of[known],
        prepared.sample.optional,
    )
    return Prepared(replace(prepared.portfolio, file=file), case, sample, prepared.files)
