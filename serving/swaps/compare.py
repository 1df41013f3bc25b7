"""Two policies, or two models, over the same past applications: the swap set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import iso
from features.matrix import Missing
from serving.policy import facts as names
from serving.policy.evaluate import OUTCOMES, FactColumn, ManyWhole, evaluate_whole_many
from serving.policy.model import Effect
from serving.policy.policy import Policy
from serving.policy.table import NONE
from serving.policy.terms import segment_names
from serving.swaps.model import Backtest, Expected, Move, ReasonLine, SegmentLine, Version, together

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
APPROVE = 0
SCORE = "SCORE"
"""The cause where no rule struck and the grade's row decides."""
NO_BAND = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Past:
    """Past applications [n]: facts and features, when, and what became of them (1 bad, 0 good, -1 unknown)."""

    facts: Mapping[str, FactColumn]
    as_of: Ints
    outcome: NDArray[np.int8]

    @property
    def asked(self) -> Ints:
        """What was asked for, in fen; 0 where that is unknown."""
        column = self.facts.get(names.AMOUNT)
        if column is None:
            return np.zeros(len(self.as_of), dtype=np.int64)
        return np.where(column.missing == Missing.PRESENT, column.values, 0).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Side:
    """A policy with the scores that it grades by: PD float64 [n], grade int64 [n]."""

    policy: Policy
    model: str
    pd: Floats
    grade: Ints


@dataclass(frozen=True, slots=True)
class Band:
    """Factors on the PD of those without an outcome, and what gave them."""

    low: float = 1.0
    high: float = 1.0
    source: str = "none: the PD is taken as it is"


def backtest(past: Past, before: Side, after: Side, band: Band) -> Backtest:
    """What the one side would have decided and the other does, each as of the day on which all of it is in force.

    Bads are those of the side ``after``: its PD where no outcome is known.
    """
    decided = [_decided(past, side) for side in (before, after)]
    first, second = (one.outcome.astype(np.int64) for one in decided)
    counter = _Counter(past, after.pd, band)
    moves = tuple(
        Move(OUTCOMES[a].value, OUTCOMES[b].value, int(past.asked[rows].sum()), counter.of(rows))
        for a in range(len(OUTCOMES))
        for b in range(len(OUTCOMES))
        if (rows := (first == a) & (second == b)).any()
    )
    return Backtest(
        rows=len(past.as_of),
        first=iso(int(past.as_of.min())),
        last=iso(int(past.as_of.max())),
        before=_version(before, first, moves, "before"),
        after=_version(after, second, moves, "after"),
        moves=moves,
        segments=_segments(after.policy, decided[1], first, second, counter),
        reasons=_reasons((before.policy, after.policy), decided),
        band=(band.low, band.high),
        band_from=band.source,
    )


@dataclass(frozen=True, slots=True)
class _Counter:
    past: Past
    pd: Floats
    band: Band

    def of(self, rows: Flags) -> Expected:
        """The bads among these rows [n]."""
        known = rows & (self.past.outcome >= 0)
        seen = int((self.past.outcome[known] == 1).sum())
        open_ = self.pd[rows & ~known]
        ends = [
            float(np.minimum(open_ * factor, 1.0).sum()) for factor in (1.0, self.band.low, self.band.high)
        ]
        return Expected(
            int(rows.sum()), int(known.sum()), seen, round(seen + ends[0], 6), round(seen + ends[1], 6),
            round(seen + ends[2], 6),
        )  # fmt: skip


def _decided(past: Past, side: Side) -> ManyWhole:
    """Outcomes where a case lies outside of the tables (a term of no row) count as referred."""
    found = evaluate_whole_many(side.policy, past.facts, side.grade, side.policy.settled_day)
    outcome = np.where(found.outcome == NONE, np.maximum(found.rules.effect, Effect.REFER), found.outcome)
    return ManyWhole(found.rules, outcome.astype(np.int8), found.rows)


def _version(side: Side, outcome: Ints, moves: tuple[Move, ...], which: str) -> Version:
    approved = [move.expected for move in moves if getattr(move, which) == OUTCOMES[APPROVE].value]
    counts = np.bincount(outcome, minlength=len(OUTCOMES))
    return Version(
        side.policy.digest,
        side.model,
        together(approved),
        int(counts[Effect.REFER]),
        int(counts[Effect.DECLINE]),
    )


def _segments(
    policy: Policy, decided: ManyWhole, first: Ints, second: Ints, counter: _Counter
) -> tuple[SegmentLine, ...]:
    lines = []
    for place, name in enumerate(segment_names(policy.document)):
        rows = decided.rules.segment == place
        if rows.any():
            was, is_ = (counter.of(rows & (outcome == APPROVE)) for outcome in (first, second))
            lines.append(SegmentLine(name, int(rows.sum()), was.rows, is_.rows, was.rate, is_.rate))
    return tuple(lines)


def _reasons(policies: tuple[Policy, Policy], decided: list[ManyWhole]) -> tuple[ReasonLine, ...]:
    counts = [_causes(policy, one) for policy, one in zip(policies, decided, strict=True)]
    lines = [ReasonLine(code, *(one.get(code, 0) for one in counts)) for code in {**counts[0], **counts[1]}]
    return tuple(sorted(lines, key=lambda line: (-max(line.before, line.after), line.code)))


def _causes(policy: Policy, decided: ManyWhole) -> dict[str, int]:
    """First causes of all that is not approved: the first rule with the worst effect, or the score."""
    refused = decided.outcome != APPROVE
    by_rule = refused & (decided.rules.effect == decided.outcome) & (decided.rules.struck != NONE)
    places = np.bincount(decided.rules.struck[by_rule], minlength=len(policy.rules))
    found: dict[str, int] = {}
    for rule, count in zip(policy.rules, places.tolist(), strict=True):
        if count:
            found[rule.code] = found.get(rule.code, 0) + count
    scored = int((refused & ~by_rule).sum())
    return found | ({SCORE: scored} if scored else {})
