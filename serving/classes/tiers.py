"""Which class and stage the rules lead to, and how far a loan may go up again. Pure, whole columns at a time.

A rule whose values are not known hits nobody and is counted where it could: it is never read as its opposite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Text
from serving.classes.document import BAD, FACTS, ClassRule, Recovery, RiskClass, Segment, StageRule
from serving.watch.document import Level, Signal, Trigger
from serving.watch.evaluate import sentence
from serving.watch.raising import Values, raised

Flags = NDArray[np.bool_]
Ranks = NDArray[np.int8]
Int64 = NDArray[np.int64]
MENTION = RiskClass.SPECIAL_MENTION.rank
NOT_KNOWN = -1
"""The class, or stage, of a loan that had none before."""


@dataclass(frozen=True, slots=True)
class Said:
    """``rank`` [rows] that the rules lead to; ``met`` bool [rows] and the number ``skipped`` of rows by rule."""

    rank: Ranks
    rules: Sequence[ClassRule | StageRule]
    met: Sequence[Flags]
    skipped: Mapping[str, int]

    def decisive(self) -> list[list[ClassRule | StageRule]]:
        """Of each row the rules that hit, the gravest first."""
        found: list[list[ClassRule | StageRule]] = [[] for _ in range(len(self.rank))]
        for rule, met in sorted(zip(self.rules, self.met, strict=True), key=lambda each: -each[0].rank):
            for row in np.flatnonzero(met).tolist():
                found[row].append(rule)
        return found


@dataclass(frozen=True, slots=True)
class Before:
    """How loans stood a month before, ``NOT_KNOWN`` where they did not: the class that a person confirmed, else the one
    that was proposed; int8 [rows].
    """

    rank: Ranks
    stage: Ranks


@dataclass(frozen=True, slots=True)
class Conduct:
    """What a loan has shown since anything of it was overdue or it was restructured: whole months, and due dates that
    were kept in them; int64 [rows]. ``restructured`` bool [rows].
    """

    months: Int64
    periods: Int64
    restructured: Flags


def say(rules: Sequence[ClassRule | StageRule], values: Values, least: int) -> Said:
    """What rules say of values; ``least`` is the rank of who no rule hits."""
    told = [raised(rule.signal, values) for rule in rules]
    met = [one.level >= 0 for one in told]
    rank = np.full(values.rows, least, dtype=np.int8)
    for rule, where in zip(rules, met, strict=True):
        rank[where] = np.maximum(rank[where], rule.rank)
    skipped = {
        rule.code: int((one.skipped | one.not_authorised).sum())
        for rule, one in zip(rules, told, strict=True)
    }
    return Said(rank, tuple(rules), tuple(met), skipped)


def class_after(raised_to: Ranks, before: Before, conduct: Conduct, rule: Recovery) -> Ranks:
    """The class that may be proposed: worse at once, better only after what ``rule`` asks for.

    A non-performing loan stays where it is until it has shown enough, then it goes up, with ``one_tier`` by one class a
    month. A restructured loan stays at special mention until it was observed.
    """
    found = raised_to.copy()
    better = (before.rank != NOT_KNOWN) & (raised_to < before.rank)
    shown = (conduct.months >= rule.upgrade_months) & (conduct.periods >= rule.upgrade_periods)
    held = better & (before.rank >= BAD) & ~shown
    found[held] = before.rank[held]
    if rule.one_tier:
        step = better & ~held
        found[step] = np.maximum(raised_to, before.rank - 1)[step]
    watched = conduct.restructured & ~observed(conduct, rule)
    found[watched] = np.maximum(found[watched], MENTION)
    return found


def observed(conduct: Conduct, rule: Recovery) -> Flags:
    """Whether a restructured loan's observation is over."""
    found: Flags = (conduct.months >= rule.restructured_months) & (
        conduct.periods >= rule.restructured_periods
    )
    return found


def stage_after(raised_to: Ranks, before: Before, conduct: Conduct, rule: Recovery) -> Ranks:
    """The stage: worse at once, better by one after its months without arrears."""
    found = raised_to.copy()
    better = (before.stage != NOT_KNOWN) & (raised_to < before.stage)
    needed = np.where(before.stage == 3, rule.stage_3_months, rule.stage_2_months)
    cured = conduct.months >= needed
    found[better] = np.where(cured, np.maximum(raised_to, before.stage - 1), before.stage)[better]
    return found


def segment_of(segments: Sequence[Segment], values: Values) -> Int64:
    """The place of each loan's segment; who cannot be told belongs to the last."""
    found = np.full(values.rows, len(segments) - 1, dtype=np.int64)
    for place, segment in reversed(list(enumerate(segments[:-1]))):
        one = Signal("segment", "", "", "", (Trigger(Level.RED, segment.all),), Text("", ""))
        found[raised(one, values).level >= 0] = place
    return found


def lgd_of(segments: Sequence[Segment], place: Int64, dpd: Int64) -> Int64:
    """Share lost of each loan in ppm, by its segment and days past due."""
    found = np.zeros(len(place), dtype=np.int64)
    for number, segment in enumerate(segments):
        bands = np.array([band.from_dpd for band in segment.lgd])
        shares = np.array([band.share_ppm for band in segment.lgd], dtype=np.int64)
        own = place == number
        found[own] = shares[np.searchsorted(bands, dpd[own], side="right") - 1]
    return found


def with_facts(values: Values, facts: Mapping[str, NDArray[np.float64]]) -> Values:
    """The values with what the classes know themselves; NaN is not known."""
    assert set(facts) <= set(FACTS)
    known = {name: ~np.isnan(column) for name, column in facts.items()}
    told = {name: np.nan_to_num(column) for name, column in facts.items()}
    return replace(values, values={**values.values, **told}, known={**values.known, **known})


def evidence_of(rules: Sequence[ClassRule | StageRule], values: Values, row: int) -> list[dict[str, str]]:
    """What is stored of the rules that hit a row: code, regulation, and the sentences."""
    return [
        {
            "code": rule.code, "rule": rule.rule, "zh": sentence(rule.evidence.zh, values, row, "zh"),
            "en": sentence(rule.evidence.en, values, row),
        }
        for rule in rules
    ]  # fmt: skip
