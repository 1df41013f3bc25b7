"""Which PD gives the grade: the score's, or what withheld sources leave open, as the policy says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from features.matrix import FeatureMatrix, Missing
from serving.decisions.live import Live
from serving.decisions.schemas import AnswerReason
from serving.policy.facts import Fact
from serving.policy.model import GradeFrom, Outcome
from serving.policy.policy import Policy
from training.bundle import Scores, probability


class ModelScore(msgspec.Struct, frozen=True):
    """One model's view: 1e-9 logits of default, base + contributions == log_odds exactly.

    A bundle of schema 1 states no interval.
    """

    bundle: str
    kind: str
    log_odds: int
    base: int
    pd: float
    grade: int
    contributions: dict[str, int]
    pd_low: float | msgspec.UnsetType = msgspec.UNSET
    pd_high: float | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Graded:
    """The PD that the policy grades by, and its grade; never better than those of the score."""

    pd: float
    grade: int


def model_score(live: Live, name: str, row: FeatureMatrix) -> ModelScore:
    """The score of one model."""
    scorer = live.scorers[name]
    scores = scorer.score(*live.inputs(name, row))
    given = scores.contributions[0].tolist()
    return ModelScore(
        scorer.bundle_digest, scorer.kind, int(scores.log_odds[0]), int(scores.base), float(scores.pd[0]),
        int(scores.grade[0]), dict(zip(scorer.columns, given, strict=True)), *_interval(scores),
    )  # fmt: skip


def graded(live: Live, row: FeatureMatrix, score: ModelScore) -> Graded:
    """What the deciding model's score is graded by."""
    rule = live.policy.document.withheld
    scorer = live.scorers[live.model]
    values, missing = live.inputs(live.model, row)
    if rule is None or rule.grade_from is GradeFrom.POINT or not (missing > Missing.NO_RECORD).any():
        return Graded(score.pd, score.grade)
    if rule.grade_from is GradeFrom.WORST:
        bound = scorer.log_odds(values, missing, worst=True)
    else:
        half = scorer.half_width(missing, only_withheld=True)
        bound = score.log_odds + (np.zeros(1, dtype=np.int64) if half is None else half)
    pd = probability(bound, scorer.bundle.scale.floor)
    return Graded(float(pd[0]), int(scorer.bundle.scale.grade(pd)[0]))


def left_open(
    policy: Policy, score: ModelScore, outcomes: tuple[Outcome, Outcome], facts: Mapping[str, Fact | Missing]
) -> tuple[AnswerReason, ...]:
    """Why a person has to look at what the score alone would approve: () where nothing that is withheld counts.

    A wider interval than the policy allows, an income that was not asked for, or a grade that is only bad
    because of what is withheld: that refers, it does not refuse (REG-PI-04). ``outcomes`` are those of the score's
    own grade and of the one that the policy grades by.
    """
    rule = policy.document.withheld
    if rule is None:
        return ()
    income = facts.get(policy.limits.income)
    unasked = isinstance(income, Missing) and income > Missing.NO_RECORD
    wide = (
        rule.max_pd_high is not None
        and score.pd_high is not msgspec.UNSET
        and score.pd_high > rule.max_pd_high
    )
    point, bound = outcomes
    worse = bound is not Outcome.APPROVE and point is not bound
    if not (wide or worse or (unasked and rule.grade_from is not GradeFrom.POINT)):
        return ()
    return (withheld_reason(policy),)


def withheld_reason(policy: Policy) -> AnswerReason:
    """The policy's words for it."""
    rule = policy.document.withheld
    assert rule is not None
    return AnswerReason(rule.reason.code, "unknown", rule.reason.zh, rule.reason.en)


def _interval(scores: Scores) -> tuple[float, float] | tuple[()]:
    if scores.pd_low is None or scores.pd_high is None:
        return ()
    return float(scores.pd_low[0]), float(scores.pd_high[0])
