"""What the bank's models say of a book: the warning model's PD with its reasons, the risk model's PD now and at the grant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, months_before
from features.contracts.model import Text
from features.definitions.columns import REQUEST
from features.errors import Invalid
from features.loans.remaining import last_due, longest, months_left
from features.matrix import FeatureMatrix
from features.timeline.events import EventTable
from serving.explain.reasons import Grouping
from serving.watch.book import Book
from serving.watch.document import REASONS, Name
from training.bundle import Scorer, load_bundle
from training.telling import horizon_months, horizon_pd, tenth_of

Floats = NDArray[np.float64]
WARNING_SLOT, RISK_SLOT = SLOTS = "bundle.warning", "bundle.risk"
TERM = "term_months"
MONTHS = 12
MOST_REASONS = 3
_WARNS = ("warning_pd_12m", "warning_decile", REASONS)
_RATES = ("pd_now", "grade_now", "pd_grant", "grade_grant")


class NoYear(Invalid):
    """A warning model without the PD that signals read."""

    def __init__(self, months: Sequence[int]) -> None:
        told = ", ".join(map(str, months))
        super().__init__(
            f"it tells PDs of {told} months, not of {MONTHS}.", place=WARNING_SLOT,
            remedy=f"Train it with {MONTHS} among the horizons of the portfolio's `warning`.",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Models:
    """The models in force, those that there are; ``texts`` are what their reasons say."""

    warning: Scorer | None = None
    risk: Scorer | None = None
    texts: Mapping[str, Text] = field(default_factory=dict)

    @staticmethod
    def of(bundles: Mapping[str, bytes], texts: Mapping[str, Text]) -> Models:
        """From the bundles in force by slot, of which those of the watch are taken.

        Raises:
            BrokenBundle: one cannot be read.
            NoYear: the warning model tells no PD of twelve months.
        """
        found = {slot: load_bundle(bundles[slot]) for slot in SLOTS if slot in bundles}
        if WARNING_SLOT in found and MONTHS not in horizon_months(found[WARNING_SLOT].bundle):
            raise NoYear(horizon_months(found[WARNING_SLOT].bundle))
        return Models(found.get(WARNING_SLOT), found.get(RISK_SLOT), texts)


@dataclass(frozen=True, slots=True)
class Ask:
    """A model at a moment: so many months before, or at the grant."""

    scorer: Scorer
    months: int
    grant: bool
    warns: bool


def asks(models: Models, names: Sequence[Name]) -> tuple[Ask, ...]:
    """Which model must be asked at which moment so that these values are known; none where there is no such model."""
    found: dict[tuple[bool, int, bool], Ask] = {}
    for name in names:
        warns, grant = name.base in _WARNS, name.base.endswith("_grant")
        scorer = models.warning if warns else models.risk
        if scorer is not None and not name.grant and name.base in (*_WARNS, *_RATES):
            found[warns, name.months, grant] = Ask(scorer, 0 if grant else name.months, grant, warns)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Said:
    """Columns by name, NaN where a model says nothing, and texts by name, one a row."""

    columns: dict[str, Floats] = field(default_factory=dict)
    texts: dict[str, Sequence[Text]] = field(default_factory=dict)


Build = Callable[[Ask, Mapping[str, Floats]], FeatureMatrix]
"""The features of a model's moment for every loan of the book, with what is asked for."""


def say(
    models: Models, asked: Sequence[Ask], build: Build, tables: Mapping[str, EventTable], book: Book, now: int
) -> Said:
    """What the models say of every loan. A warning reads how long the borrower's loans still run, as if that were
    asked for; a rating reads no request, now and at the grant alike.
    """
    said = Said()
    for ask in asked:
        moment = months_before(now, ask.months)
        left = _left(tables, book, moment) if ask.warns else np.full(len(book.loan), np.nan)
        matrix = build(ask, {TERM: left} if ask.warns else {})
        chosen = matrix.select(ask.scorer.columns)
        if ask.warns:
            _warn(said, models, ask, chosen, np.isnan(left) & (ask.months > 0))
        else:
            _rate(said, ask, chosen)
    return said


def _left(tables: Mapping[str, EventTable], book: Book, moment: int) -> Floats:
    order = np.argsort(book.loan, kind="stable")
    due = [tables[name] for name in ("loan_instalment", "loan_schedule") if name in tables]
    last = np.full(len(book.loan), NULL, dtype=np.int64)
    last[order] = last_due(due, book.loan[order], moment)
    return longest(book.subject, months_left(last, moment), book.subject)


def _warn(said: Said, models: Models, ask: Ask, chosen: FeatureMatrix, unknown: NDArray[np.bool_]) -> None:
    bundle = ask.scorer.bundle
    place = horizon_months(bundle).index(MONTHS)
    pd = horizon_pd(bundle, ask.scorer.log_odds(chosen.values, chosen.missing))[:, place]
    pd[unknown] = np.nan
    said.columns[str(Name("warning_pd_12m", ask.months))] = pd
    said.columns[str(Name("warning_decile", ask.months))] = tenth_of(bundle, pd)
    if not ask.months:
        said.texts[REASONS] = Reasons(ask.scorer, chosen, models.texts)


def _rate(said: Said, ask: Ask, chosen: FeatureMatrix) -> None:
    scores = ask.scorer.bundle.scale
    pd = ask.scorer.score(chosen.values, chosen.missing).pd
    for kind, column in (("pd", pd), ("grade", scores.grade(pd).astype(np.float64))):
        said.columns[f"{kind}_grant" if ask.grant else str(Name(f"{kind}_now", ask.months))] = column


class Reasons(Sequence[Text]):
    """What raised each row's score most, found for the rows that are asked for. How long a loan runs is no reason."""

    def __init__(self, scorer: Scorer, chosen: FeatureMatrix, texts: Mapping[str, Text]) -> None:
        """Keep the rows."""
        self._scorer, self._chosen, self._texts = scorer, chosen, texts
        self._told = np.array([source != REQUEST for source in scorer.datasets])
        self._grouping = Grouping.of(scorer.columns, dict(zip(scorer.columns, scorer.reasons, strict=True)))

    def __len__(self) -> int:
        """How many rows."""
        return len(self._chosen.values)

    def __getitem__(self, row: int) -> Text:  # type: ignore[override]
        """The reasons of one row in a sentence's part; a dash where nothing raised the score."""
        one = slice(row, row + 1)
        scores = self._scorer.score(self._chosen.values[one], self._chosen.missing[one])
        ranked = self._grouping.groups(np.where(self._told, scores.contributions, 0))[0].ranked
        found = [self._texts.get(code, Text(code, code)) for code in ranked[:MOST_REASONS]]
        return Text("、".join(t.zh for t in found) or "–", "; ".join(t.en for t in found) or "–")
