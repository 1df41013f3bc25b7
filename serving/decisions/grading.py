"""Which PD gives the grade: the score's, or what withheld sources leave open, as the policy says."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from features.matrix import FeatureMatrix, Missing
from serving.decisions.live import Live
from serving.decisions.schemas import AnswerReason
from serving.policy.facts import Fact
from serving.policy.model import GradeFrom, Outcome
from serving.policy.policy import Policy
from training.bundle import Scorer, Scores, probability


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


class Point(msgspec.Struct, frozen=True):
    """What a model says of one case, without its contributions; None where the bundle states no interval."""

    log_odds: int
    base: int
    pd: float
    grade: int
    pd_low: float | None
    pd_high: float | None


class Graded(msgspec.Struct, frozen=True):
    """The PD that the policy grades by, and its grade; never better than those of the score."""

    pd: float
    grade: int


def model_score(scorer: Scorer, scores: Scores, at: int) -> ModelScore:
    """One model's score of the row ``at``."""
    point = points(scores)[at]
    ends = () if point.pd_low is None or point.pd_high is None else (point.pd_low, point.pd_high)
    given = dict(zip(scorer.columns, scores.contributions[at].tolist(), strict=True))
    return ModelScore(
        scorer.bundle_digest, scorer.kind, point.log_odds, point.base, point.pd, point.grade, given, *ends
    )


def points(scores: Scores) -> list[Point]:
    """The score of each row."""
    count = len(scores.pd)
    low, high = (
        [None] * count if ends is None else ends.tolist() for ends in (scores.pd_low, scores.pd_high)
    )
    told = zip(scores.log_odds.tolist(), scores.pd.tolist(), scores.grade.tolist(), low, high, strict=True)
    return [Point(log_odds, scores.base, pd, grade, *ends) for log_odds, pd, grade, *ends in told]


def graded(live: Live, model: str, matrix: FeatureMatrix, scores: Scores) -> list[Graded]:
    """What a model's score of each row is graded by."""
    rule = live.policy.document.withheld
    pd, grade = scores.pd.copy(), scores.grade.copy()
    if rule is not None and rule.grade_from is not GradeFrom.POINT:
        scorer = live.scorers[model]
        values, missing = live.inputs(model, matrix)
        withheld = np.flatnonzero((missing > Missing.NO_RECORD).any(axis=1))
        if len(withheld):
            values, missing = values[withheld], missing[withheld]
            if rule.grade_from is GradeFrom.WORST:
                bound = scorer.log_odds(values, missing, worst=True)
            else:
                half = scorer.half_width(missing, only_withheld=True)
                bound = scores.log_odds[withheld] + (0 if half is None else half)
            pd[withheld] = probability(bound, scorer.bundle.scale.floor)
            grade[withheld] = scorer.bundle.scale.grade(pd[withheld])
    return [Graded(*each) for each in zip(pd.tolist(), grade.tolist(), strict=True)]


def left_open(
    policy: Policy, score: Point, outcomes: tuple[Outcome, Outcome], facts: Mapping[str, Fact | Missing]
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
    wide = rule.max_pd_high is not None and score.pd_high is not None and score.pd_high > rule.max_pd_high
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
