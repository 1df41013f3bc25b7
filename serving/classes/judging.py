"""A whole book's classes, stages and expected losses as of a moment: pure, from what was read.

Stage and expected loss are told first without the class, then the class, which may ask for both, then the stage that the class
asks for. So the class never follows from itself, and alert level, class and stage stay three fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL
from features.loans.whole import WholeBook
from serving.classes.checks import dpd_limit
from serving.classes.document import (
    BAD,
    YEAR_PD,
    ClassesDocument,
    ClassRule,
    Losses,
    Recovery,
    Segment,
    effective,
)
from serving.classes.losses import LONGEST, Exposures, expected, hazard_of_horizons
from serving.classes.standing import (
    Standing,
    Tables,
    bad_share,
    conduct,
    hazard_of_rolls,
    past_books,
    roll_rates,
    standing,
)
from serving.classes.tiers import (
    NOT_KNOWN,
    Before,
    Conduct,
    Said,
    class_after,
    lgd_of,
    observed,
    say,
    segment_of,
    stage_after,
    with_facts,
)
from serving.watch.raising import Values

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Ranks = NDArray[np.int8]
HORIZONS = {12: YEAR_PD}
"""PDs of these months, where a warning model is in force; else the book's roll rates tell."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an open book [loans] at a month's end."""

    book: WholeBook
    values: Values
    before: Before
    alert_rank: Ranks


@dataclass(frozen=True, slots=True)
class Judged:
    """Arrays [loans]: ``rank`` of the class that is proposed, ``raised_rank`` of the class that the rules lead to (less, where
    the loan may not go up yet), ``stage``, fen of expected loss, the place of the segment, months and due dates kept.
    """

    rank: Ranks
    raised_rank: Ranks
    stage: Ranks
    ecl: Int64
    year: Int64
    life: Int64
    segment: Int64
    conduct: Conduct
    classes: Said
    stages: Said
    segments: Sequence[Segment]
    recovery: Recovery
    values: Values

    def held_by(self, row: int) -> str:
        """The regulation under which a loan is kept in a worse class than the rules lead to; empty where it is not."""
        if self.rank[row] <= self.raised_rank[row]:
            return ""
        watched = bool(self.conduct.restructured[row]) and not bool(
            observed(self.conduct, self.recovery)[row]
        )
        return (
            self.recovery.restructured_rule
            if watched and self.rank[row] < BAD
            else self.recovery.upgrade_rule
        )

    @property
    def skipped(self) -> Mapping[str, int]:
        """Loans of which a rule could not be told, by rule."""
        return {**self.classes.skipped, **self.stages.skipped}


def judge(document: ClassesDocument, tables: Tables, told: Told, as_of: int) -> Judged:
    """Class, stage and expected loss of every loan of a book, by the parameters of the day before ``as_of``."""
    day, book = as_of - 1, told.book
    (recovery,), (losses,) = effective(document.recovery, day), effective(document.losses, day)
    rules, stages = effective(document.classes, day), effective(document.stages, day)
    facts = standing(tables, book.loan, as_of)
    again = ~np.isnan(facts.restructured_months)
    values = with_facts(told.values, _facts(rules, told, facts))
    first = say([rule for rule in stages if "class_rank" not in rule.signal.features], values, 1)
    worse = (told.before.rank > 0) | (told.before.stage > 1)
    kept = conduct(tables, book, worse | again, again, as_of)
    exposures, segment = _exposures(losses, tables, told, facts, values, as_of)
    by_stage = stage_after(first.rank, told.before, kept, recovery)
    share = _share(expected(replace(exposures, stage=by_stage), losses).ecl, book.balance)
    classes = say(rules, with_facts(values, {"stage_rank": by_stage.astype(float), "ecl_share": share}), 0)
    rank = class_after(classes.rank, told.before, kept, recovery)
    complete = with_facts(
        values, {"stage_rank": by_stage.astype(float), "ecl_share": share, "class_rank": rank.astype(float)}
    )
    said = say(stages, complete, 1)
    stage = stage_after(said.rank, told.before, kept, recovery)
    found = expected(replace(exposures, stage=stage), losses)
    return Judged(
        rank, classes.rank, stage, found.ecl, found.year, found.life, segment, kept, classes, said, losses.segments,
        recovery, complete,
    )  # fmt: skip


def _facts(rules: Sequence[ClassRule], told: Told, facts: Standing) -> dict[str, Floats]:
    limits = [limit for rule in rules if rule.rank == BAD and (limit := dpd_limit(rule)) is not None]
    return {
        "restructured": (~np.isnan(facts.restructured_months)).astype(float),
        "restructured_months": facts.restructured_months,
        "borrower_bad_share": bad_share(told.book, limits[0]),
        "alert_rank": told.alert_rank.astype(float),
    }


def _share(ecl: Int64, balance: Int64) -> Floats:
    return np.asarray(np.divide(ecl, balance, out=np.full(len(ecl), np.nan), where=balance > 0))


def _exposures(
    losses: Losses, tables: Tables, told: Told, facts: Standing, values: Values, as_of: int
) -> tuple[Exposures, Int64]:
    book = told.book
    segment = segment_of(losses.segments, values)
    hazard, curve = _curves(losses, tables, book, values, as_of)
    rate = np.where(facts.rate == NULL, losses.discount_ppm, facts.rate)
    lgd = lgd_of(losses.segments, segment, book.dpd)
    stage = np.ones(len(book.loan), dtype=np.int8)
    found = Exposures(
        book.balance, rate, lgd, stage, facts.first, facts.month, facts.principal, hazard, curve
    )
    return found, segment


def _curves(
    losses: Losses, tables: Tables, book: WholeBook, values: Values, as_of: int
) -> tuple[Floats, Int64]:
    """Chances by month, a curve a band from roll rates, then one a loan whose PDs are given."""
    rolls = hazard_of_rolls(roll_rates(past_books(tables, as_of, losses.roll_months)), LONGEST)
    curve = book.bucket.astype(np.int64)
    given = [months for months, name in HORIZONS.items() if name in values.values]
    if not given:
        return rolls, curve
    names = [HORIZONS[months] for months in given]
    known = np.logical_and.reduce([values.known[name] for name in names]) & (book.dpd == 0)
    pd = np.column_stack([values.values[name][known] for name in names])
    curve[known] = len(rolls) + np.arange(int(known.sum()))
    own = hazard_of_horizons(tuple(given), np.clip(pd, 0.0, 1.0), max(given) + 1)
    return np.concatenate([rolls, np.pad(own, ((0, 0), (0, LONGEST - own.shape[1])), mode="edge")]), curve


def nothing_before(loans: int) -> Before:
    """Of loans that nobody has classed before."""
    unknown = np.full(loans, NOT_KNOWN, dtype=np.int8)
    return Before(unknown, unknown)
