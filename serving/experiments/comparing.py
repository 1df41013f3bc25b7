"""What an experiment shows so far: its arms beside each other, its guardrails, and what the other models would have said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log, sqrt

import msgspec

from serving.decisions.arms import CHALLENGER, CHAMPION
from serving.decisions.schemas import Arm
from serving.decisions.shadows import Shadow
from serving.policy.experiment import Guardrails
from serving.policy.model import Outcome
from serving.proportion import Z, wilson
from training.rejects import bad_rate
from training.validation import Interval

MOST_REASONS = 8


@dataclass(frozen=True, slots=True)
class Seen:
    """One decision: what was done, what each model says of it, and how it turned out (None: not known)."""

    model: str
    arm: Arm | None
    approved: bool
    reason: str
    pds: Mapping[str, float]
    shadows: Mapping[str, Shadow]
    bad: bool | None = None

    def would(self, model: str) -> bool:
        """Whether the policy approves by a model's score, were there no chance and no stop."""
        return self.shadows[model].outcome is Outcome.APPROVE


class Verdict(StrEnum):
    """What a guardrail says."""

    HOLDS = "holds"
    BREACHED = "breached"
    EARLY = "too early"


class ArmLine(msgspec.Struct, frozen=True):
    """One arm. ``approval`` is by the policy alone: neither chance nor a stop counts; ``reasons`` are first ones."""

    arm: str
    model: str
    decisions: int
    approval: Interval
    mean_pd: float
    outcomes: int
    bad_rate: Interval | None
    reasons: dict[str, int]


class ShadowLine(msgspec.Struct, frozen=True):
    """A model on all decisions that it scored and did not make: how it agrees with the one that did."""

    model: str
    decisions: int
    approval: Interval
    agreement: Interval
    mean_pd: float
    approves_more: int
    approves_less: int


class Rail(msgspec.Struct, frozen=True):
    """One guardrail: the figure with its interval (None: nothing to tell), its bound, and what that means."""

    name: str
    figure: Interval | None
    bound: float
    verdict: Verdict


class Shown(msgspec.Struct, frozen=True):
    """One experiment."""

    experiment: str
    arms: tuple[ArmLine, ...]
    rails: tuple[Rail, ...]


def arms_of(seen: Sequence[Seen]) -> tuple[ArmLine, ...]:
    """The arms of one experiment, the champion first."""
    named = {each.arm.arm for each in seen if each.arm}
    return tuple(
        _arm(name, [s for s in seen if s.arm and s.arm.arm == name])
        for name in (CHAMPION, CHALLENGER)
        if name in named
    )


def shadows_of(seen: Sequence[Seen]) -> tuple[ShadowLine, ...]:
    """Each model on the decisions that another one made."""
    models = sorted({name for each in seen for name in each.shadows})
    found = {name: [s for s in seen if name in s.shadows and s.model != name] for name in models}
    return tuple(_shadow(name, rows) for name, rows in found.items() if rows)


def rails_of(arms: Sequence[ArmLine], rails: Guardrails) -> tuple[Rail, ...]:
    """What the guardrails say of two arms; () while there is one only.

    A figure whose interval lies wholly beyond its bound breaches it, wholly within holds; in between it is too early,
    as it is before ``min_outcomes`` of each arm.
    """
    if len(arms) == 1:
        return ()
    champion, challenger = arms
    drop = approval_drop(champion, challenger)
    ratio = bad_ratio(champion, challenger)
    seen = min(champion.decisions, challenger.decisions), min(champion.outcomes, challenger.outcomes)
    return (
        _rail("approval rate lost", drop, rails.max_approval_drop, enough=seen[0] >= rails.min_outcomes),
        _rail("bad rate, times the champion's", ratio, rails.max_bad_rate_ratio, enough=seen[1] >= rails.min_outcomes),
    )  # fmt: skip


def approval_drop(champion: ArmLine, challenger: ArmLine) -> Interval:
    """By how much the challenger approves less, with Newcombe's interval of a difference (1998, method 10)."""
    (p, low_p, high_p), (q, low_q, high_q) = (
        _wilson(each.approval.value, each.decisions) for each in (champion, challenger)
    )
    below, above = sqrt((p - low_p) ** 2 + (high_q - q) ** 2), sqrt((high_p - p) ** 2 + (q - low_q) ** 2)
    return Interval(p - q, p - q - below, p - q + above)


def bad_ratio(champion: ArmLine, challenger: ArmLine) -> Interval | None:
    """The challenger's bad rate over the champion's, with the interval of its logarithm; half a bad is added to each."""
    if champion.bad_rate is None or challenger.bad_rate is None:
        return None
    bads = [each.bad_rate.value * each.outcomes + 0.5 for each in (champion, challenger) if each.bad_rate]
    rows = [each.outcomes + 0.5 for each in (champion, challenger)]
    ratio = (bads[1] / rows[1]) / (bads[0] / rows[0])
    spread = Z * sqrt(sum(1 / bad - 1 / row for bad, row in zip(bads, rows, strict=True)))
    return Interval(ratio, exp(log(ratio) - spread), exp(log(ratio) + spread))


def _rail(name: str, figure: Interval | None, bound: float, *, enough: bool) -> Rail:
    verdict = Verdict.EARLY
    if figure is not None and enough and figure.low > bound:
        verdict = Verdict.BREACHED
    elif figure is not None and enough and figure.high <= bound:
        verdict = Verdict.HOLDS
    return Rail(name, figure, bound, verdict)


def _arm(name: str, rows: Sequence[Seen]) -> ArmLine:
    model = rows[-1].model
    known = [row.bad for row in rows if row.bad is not None and row.approved]
    reasons = Counter(row.reason for row in rows if row.reason).most_common(MOST_REASONS)
    return ArmLine(
        name,
        model,
        len(rows),
        _share(rows, lambda row: row.would(row.model)),
        _mean([row.pds[row.model] for row in rows]),
        len(known),
        bad_rate(sum(known), len(known)) if known else None,
        dict(reasons),
    )


def _shadow(name: str, rows: Sequence[Seen]) -> ShadowLine:
    pairs = [(row.would(row.model), row.would(name)) for row in rows]
    return ShadowLine(
        name,
        len(rows),
        _share(rows, lambda row: row.would(name)),
        _share(rows, lambda row: row.shadows[row.model].outcome is row.shadows[name].outcome),
        _mean([row.pds[name] for row in rows]),
        pairs.count((False, True)),
        pairs.count((True, False)),
    )


def _share(rows: Sequence[Seen], holds: Callable[[Seen], bool]) -> Interval:
    return bad_rate(sum(map(holds, rows)), len(rows))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _wilson(rate: float, rows: int) -> tuple[float, float, float]:
    """A rate with its interval by Wilson."""
    return rate, *wilson(rate, rows)
