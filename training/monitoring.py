"""A model in use, month by month: has what it is asked about moved, does it still rank, is its level still right.

Every statistic stands beside what chance alone would give. Where outcomes have not matured the AUC is estimated from the
PDs themselves, as if they were right (confidence-based performance estimation, as NannyML does): it shows a change of
who applies, not of what they do. A figure past its limit is a finding for a person; nothing is retrained by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index, month_text
from features.matrix import FeatureMatrix, Missing
from training.bundle import Scorer, probability
from training.estimated import estimated_auc
from training.labels import Outcome
from training.limits import Limits
from training.moving import Cells, Moved, moved
from training.validation import GradeTest, Interval, Verdict, auc, book_test

Floats = NDArray[np.float64]
MOST = 12
"""So many columns are told a month."""


class Kind(StrEnum):
    """What a finding is about."""

    SCORE_MOVED = "score_moved"
    FEATURE_MOVED = "feature_moved"
    REASONS_MOVED = "reasons_moved"
    RANKS_WORSE = "ranks_worse"
    LEVEL_TOO_LOW = "level_too_low"
    SOURCE_SILENT = "source_silent"


class MonthFigures(msgspec.Struct, frozen=True):
    """One month. ``auc`` and ``level`` are of the rows whose outcome is known, None where they are too few or all alike;
    ``estimated`` is the AUC that the PDs of all rows promise. ``features`` are those that moved most.
    """

    month: str
    rows: int
    known: int
    mean_pd: float
    score: Moved
    reasons: Moved
    features: tuple[Moved, ...]
    estimated: Interval
    auc: Interval | None
    level: GradeTest | None
    absent: Mapping[str, float]
    """Share of the rows of which each dataset tells nothing."""


class Finding(msgspec.Struct, frozen=True):
    """Something past its limit: the figure, the limit, and what to do."""

    kind: Kind
    month: str
    about: str
    figure: float
    limit: float
    todo: str


class Monitored(msgspec.Struct, frozen=True):
    """A model's months against the rows before ``since``."""

    bundle: str
    model: str
    since: str
    reference_rows: int
    reference_auc: Interval | None
    months: tuple[MonthFigures, ...]
    findings: tuple[Finding, ...]


def monitor(
    scorer: Scorer,
    matrix: FeatureMatrix,
    outcome: NDArray[np.int8],
    as_of: NDArray[np.int64],
    since: int,
    since_text: str,
    limits: Limits,
) -> Monitored:
    """The months from ``since`` (µs) on against all rows before it, rows [n] with ``Outcome`` and as-of instants."""
    scored = _Scored(scorer, matrix.select(scorer.columns), outcome)
    before = as_of < since
    reference = _Reference(scored, before)
    months = np.where(before, -1, month_index(as_of))
    found = tuple(
        reference.month(month_text(int(month)), np.flatnonzero(months == month))
        for month in np.unique(months[months >= 0])
    )
    auc_before = scored.auc(np.flatnonzero(before))
    findings = tuple(
        finding for month in found for finding in findings_of(month, auc_before, reference.absent, limits)
    )
    return Monitored(
        scorer.bundle_digest, scorer.bundle.model, since_text, int(before.sum()), auc_before, found, findings
    )


def findings_of(
    month: MonthFigures, before: Interval | None, absent: Mapping[str, float], limits: Limits
) -> Iterator[Finding]:
    """What of a month is past its limit."""
    if month.rows < limits.rows:
        return
    ask = "See who applies now, and whether a feed changed; propose a retraining if they are here to stay."
    if month.score.beyond(limits.psi):
        yield Finding(Kind.SCORE_MOVED, month.month, "score", month.score.psi, limits.psi, ask)
    for one in month.features:
        if one.beyond(limits.csi):
            yield Finding(Kind.FEATURE_MOVED, month.month, one.name, one.psi, limits.csi, ask)
    if month.reasons.beyond(limits.reasons_psi):
        todo = "Read some of the notices: applicants are told other reasons than before."
        yield Finding(Kind.REASONS_MOVED, month.month, "reasons", month.reasons.psi, limits.reasons_psi, todo)
    yield from _worse(month, before, limits)
    for name, share in month.absent.items():
        if share - absent.get(name, 0.0) > limits.absent_rise:
            todo = "Ask the department: its records stopped, come late, or are not consented to."
            yield Finding(
                Kind.SOURCE_SILENT, month.month, name, share, absent.get(name, 0.0) + limits.absent_rise, todo
            )


def _worse(month: MonthFigures, before: Interval | None, limits: Limits) -> Iterator[Finding]:
    todo = "Propose a challenger: yidai train, then yidai models validate. Nothing is retrained by itself."
    if month.auc is not None and before is not None:
        floor = before.value - limits.auc_fall
        enough = month.level is not None and month.level.bads >= limits.bads
        if enough and month.auc.value < floor and month.auc.high < before.value:
            yield Finding(Kind.RANKS_WORSE, month.month, "AUC", month.auc.value, floor, todo)
    level = month.level
    if level is not None and level.verdict is Verdict.TOO_LOW:
        todo = "Propose to anchor the level anew; more default than the PDs say."
        yield Finding(Kind.LEVEL_TOO_LOW, month.month, "bad rate", level.observed, level.mean_pd, todo)


class _Scored:
    """All rows under the model: log-odds, PDs, the reason that spoke most against each."""

    def __init__(self, scorer: Scorer, matrix: FeatureMatrix, outcome: NDArray[np.int8]) -> None:
        scores = scorer.score(matrix.values, matrix.missing)
        self.matrix = matrix
        self.log_odds = scores.log_odds.astype(np.float64)
        self.pd = probability(scores.log_odds, scorer.bundle.scale.floor)
        self.bad = (outcome == Outcome.BAD).astype(np.int8)
        self.known = (outcome == Outcome.BAD) | (outcome == Outcome.GOOD)
        names, group = np.unique(scorer.reasons, return_inverse=True)
        by_reason = np.zeros((len(matrix.values), len(names)))
        for place, column in enumerate(group):
            by_reason[:, column] += scores.contributions[:, place]
        self.reason, self.reasons = by_reason.argmax(axis=1), len(names)
        absent = matrix.missing != Missing.PRESENT
        self.absent = {
            name: absent[:, [d == name for d in scorer.datasets]].all(axis=1)
            for name in dict.fromkeys(scorer.datasets)
        }

    def auc(self, rows: NDArray[np.intp]) -> Interval | None:
        """Of the rows whose outcome is known; None where they are all alike."""
        own = rows[self.known[rows]]
        return auc(self.bad[own], self.log_odds[own]) if 0 < self.bad[own].sum() < len(own) else None


class _Reference:
    """The rows before, and how a month differs from them."""

    def __init__(self, scored: _Scored, before: NDArray[np.bool_]) -> None:
        self._scored = scored
        self._rows = np.flatnonzero(before)
        self._score = Cells(scored.log_odds[self._rows])
        values, missing = scored.matrix.values, scored.matrix.missing
        self._cells = [Cells(values[self._rows, k], missing[self._rows, k]) for k in range(values.shape[1])]
        self._reasons = np.bincount(scored.reason[self._rows], minlength=scored.reasons)
        self.absent = {name: float(flags[self._rows].mean()) for name, flags in scored.absent.items()}

    def month(self, name: str, rows: NDArray[np.intp]) -> MonthFigures:
        """One month's rows."""
        scored, own = self._scored, rows[self._scored.known[rows]]
        columns = enumerate(zip(scored.matrix.names, self._cells, strict=True))
        features = [
            cells.moved(column, scored.matrix.values[rows, k], scored.matrix.missing[rows, k])
            for k, (column, cells) in columns
        ]
        reasons = np.bincount(scored.reason[rows], minlength=scored.reasons)
        return MonthFigures(
            name, len(rows), len(own), float(scored.pd[rows].mean()), self._score.moved("score", scored.log_odds[rows]),
            moved("reasons", self._reasons, reasons),
            tuple(sorted(features, key=lambda one: (-one.psi, one.name))[:MOST]), estimated_auc(scored.pd[rows]),
            scored.auc(rows), book_test(scored.bad[own], scored.pd[own]) if len(own) else None,
            {dataset: float(flags[rows].mean()) for dataset, flags in scored.absent.items()},
        )  # fmt: skip
