"""The decision: a pure function of a case, its features, the approved versions and a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import numpy as np

from features.calendar import iso
from features.canonical import canonical_struct
from features.definitions.plan import FeaturePlan
from features.matrix import FeatureMatrix, Missing
from serving.decisions.case import Case, is_authorised
from serving.decisions.forms import Facts, Forms, forms_of
from serving.decisions.grading import Graded, ModelScore, Point, graded, model_score, points
from serving.decisions.holding import HELD, hold
from serving.decisions.live import Live
from serving.decisions.schemas import AnswerReason, AnswerScore, DecisionAnswer
from serving.decisions.shadows import Shadow, shadows_of
from serving.decisions.verdict import Ruled, Verdict, by_rules, verdict_of
from serving.explain.reasons import MOST, Explanation, Grouped, explain
from serving.policy import facts as names
from serving.policy.days import day_of
from serving.policy.evaluate import RuleResult, evaluate, segment_of, worst
from serving.policy.facts import Fact
from serving.policy.model import Outcome
from serving.policy.policy import Policy
from training.bundle import Scores

_MISSING = np.array([None, *list(Missing)[1:]], dtype=object)
"""Kinds of missing by their code."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was computed for some cases at once, a row each. ``requests`` are the facts that are no features."""

    live: Live
    matrix: FeatureMatrix
    requests: Sequence[Facts]
    scores: Mapping[str, Scores]


class Decision(msgspec.Struct, frozen=True):
    """A decision with everything that led to it: the row ``at`` of ``batch``.

    A policy without a model explains no score.
    """

    case: Case
    answer: DecisionAnswer
    answer_bytes: bytes
    rules: tuple[RuleResult, ...]
    explanation: Explanation | None
    batch: Batch
    at: int
    shadows: Mapping[str, Shadow]

    @property
    def scores(self) -> dict[str, ModelScore]:
        """Every model's score by its name."""
        return {
            name: model_score(self.batch.live.scorers[name], found, self.at)
            for name, found in self.batch.scores.items()
        }


class Scored(msgspec.Struct, frozen=True):
    """The score of the ``model`` that decides, what the policy grades by, and the sums by reason that explain it.

    ``every`` model has a score and a grade, which only the phantom decisions ask for.
    """

    model: str
    point: Point
    by: Graded
    groups: Grouped
    every: Mapping[str, tuple[Point, Graded]]


def decide(case: Case, row: FeatureMatrix, sources: int, live: Live, key: bytes) -> Decision:
    """Decide a case.

    ``row`` is the one row of features, ``sources`` the number of datasets with a record, ``key`` the
    secret behind the random stream. Reads nothing else: no clock, no store, no chance.
    """
    return decide_many([case], row, [sources], live, key)[0]


def decide_many(
    cases: Sequence[Case], matrix: FeatureMatrix, sources: Sequence[int], live: Live, key: bytes
) -> list[Decision]:
    """Decide cases of which ``matrix`` has a row each; no case knows of another."""
    forms = forms_of(live)
    requests = [request_facts(case, each, live) for case, each in zip(cases, sources, strict=True)]
    scores = {name: scorer.score(*live.inputs(name, matrix)) for name, scorer in live.scorers.items()}
    batch = Batch(live, matrix, requests, scores)
    scored = _deciding(cases, batch, forms) if live.policy.grades else [None] * len(cases)
    asked = _asked(matrix, forms)
    return [
        _decided(case, {**features, **request}, one, batch, at, key)
        for at, (case, features, request, one) in enumerate(zip(cases, asked, requests, scored, strict=True))
    ]


def _decided(case: Case, facts: Facts, scored: Scored | None, batch: Batch, at: int, key: bytes) -> Decision:
    live = batch.live
    ruled = _ruled(case, facts, live.policy)
    shadows: Mapping[str, Shadow] = {}
    if scored is None:
        answer, told = _answer(case, live, ruled, hold(case, live.policy, "", by_rules(ruled))), None
    else:
        found = verdict_of(case, live.policy, ruled, scored.point, scored.by, key)
        verdict = hold(case, live.policy, scored.model, found)
        shadows = shadows_of(case, live.policy, ruled, scored.every, (scored.model, found))
        by_rule = any(reason.kind in {"rule", "unknown", HELD} for reason in verdict.reasons)
        most = 0 if by_rule else MOST - len(verdict.reasons)
        told = explain(scored.point.base, scored.groups, live.texts, most)
        answer = _with_score(_answer(case, live, ruled, verdict, told), verdict, scored, told)
    return Decision(case, answer, _bytes(answer), ruled.results, told, batch, at, shadows)


def _deciding(cases: Sequence[Case], batch: Batch, forms: Forms) -> list[Scored]:
    """The score of each case's model: the policy's, or that of its arm."""
    models = [batch.live.model if case.arm is None else case.arm.model for case in cases]
    groups = {name: forms.groupings[name].groups(batch.scores[name].contributions) for name in set(models)}
    scored = {
        name: list(zip(points(found), graded(batch.live, name, batch.matrix, found), strict=True))
        for name, found in batch.scores.items()
    }
    every = [dict(zip(scored, each, strict=True)) for each in zip(*scored.values(), strict=True)]
    return [
        Scored(name, own[name][0], own[name][1], groups[name][at], own)
        for at, (name, own) in enumerate(zip(models, every, strict=True))
    ]


def _asked(matrix: FeatureMatrix, forms: Forms) -> list[dict[str, Fact | Missing]]:
    """The features that the policy asks, of each row."""
    values, missing = matrix.values[:, forms.places], matrix.missing[:, forms.places]
    told = values.astype(object)
    told[missing != Missing.PRESENT] = _MISSING[missing[missing != Missing.PRESENT]]
    return [dict(zip(forms.asked, row, strict=True)) for row in told.tolist()]


def _ruled(case: Case, facts: Facts, policy: Policy) -> Ruled:
    day, segment = day_of(case.decided_at), segment_of(policy, facts)
    results = evaluate(policy, facts, day, segment)
    return Ruled(facts, day, segment, tuple(results), worst(results))


def request_facts(case: Case, sources: int, live: Live) -> dict[str, Fact | Missing]:
    """What the rules may ask besides features: request, age, sources, consents, checks and lists."""
    asked = case.asked
    facts: dict[str, Fact | Missing] = {
        names.PRODUCT: asked.product,
        names.REGION: asked.region,
        names.AGE: float(case.subject.age_years),
        names.SOURCES: float(sources),
    }
    if live.policy.grades:
        facts |= {
            names.AMOUNT: float(asked.amount_fen),
            names.TERM: float(asked.term_months),
            names.PURPOSE: asked.purpose,
            names.AGE_AT_END: float(case.subject.age_years_at_end),
        }
    facts |= _consents(live.plan, case.consent.categories)
    facts |= asked.checks
    for name in case.silent:
        if name.startswith(names.CHECK):
            facts[name.removeprefix(names.CHECK)] = Missing.SOURCE_DOWN
    facts |= {names.LIST + name: _listed(code) for name, code in case.lists.items()}
    return facts


@lru_cache(maxsize=1024)
def _consents(plan: FeaturePlan, categories: tuple[str, ...]) -> dict[str, float]:
    """Whether each category may be read, under a consent to these."""
    return {
        names.CONSENT + contract.consent_category: float(is_authorised(contract, categories))
        for contract in plan.contracts.values()
    }


def _listed(code: int) -> Fact | Missing:
    return Missing.SOURCE_DOWN if code < 0 else float(code)


def _answer(
    case: Case, live: Live, ruled: Ruled, verdict: Verdict, told: Explanation | None = None
) -> DecisionAnswer:
    """The answer as far as it needs no score."""
    by_score = () if told is None else _score_reasons(told)
    later = live.policy.schema > 1
    return DecisionAnswer(
        decision_id=case.decision_id,
        outcome=verdict.outcome,
        stream=verdict.stream,
        reasons=_not_empty(verdict.reasons + by_score, live.policy, verdict.outcome),
        as_of=iso(case.as_of),
        decided_at=iso(case.decided_at),
        subject_version=case.subject.version,
        digests=dict(live.slots),
        missing_sources=_missing(case),
        title=live.policy.document.title,
        tail_version=case.subject.tail,
        disputed_sources=case.disputed,
        segment=ruled.segment if later else "",
        rows=dict(verdict.rows) if later else {},
        experiment=case.arm,
    )


def _missing(case: Case) -> dict[str, str]:
    """Why each dataset or check that may be read was not."""
    silent = dict.fromkeys(case.silent, Missing.SOURCE_DOWN.name)
    return dict(
        sorted((silent | {name: Missing(code).name for name, code in case.unavailable.items()}).items())
    )


def _with_score(
    answer: DecisionAnswer, verdict: Verdict, scored: Scored, told: Explanation
) -> DecisionAnswer:
    point, offer = scored.point, verdict.offer
    return msgspec.structs.replace(
        answer,
        grade=scored.by.grade,
        pd=point.pd,
        limit_fen=offer.limit_fen if offer else 0,
        annual_rate_ppm=offer.annual_rate_ppm if offer else None,
        offer=offer,
        score=AnswerScore(scored.model, point.base, told.other, point.log_odds),
        pd_low=point.pd_low,
        pd_high=point.pd_high,
        graded_pd=None if scored.by.pd == point.pd else scored.by.pd,
    )


def _bytes(answer: DecisionAnswer) -> bytes:
    """The canonical bytes of an answer."""
    floats = [answer.pd, answer.pd_low, answer.pd_high, answer.graded_pd, *[r.share for r in answer.reasons]]
    return canonical_struct(answer, [value for value in floats if type(value) is float])


def _score_reasons(explanation: Explanation) -> tuple[AnswerReason, ...]:
    return tuple(AnswerReason(r.code, "score", r.zh, r.en, r.log_odds, r.share) for r in explanation.reasons)


def _not_empty(
    reasons: tuple[AnswerReason, ...], policy: Policy, outcome: Outcome
) -> tuple[AnswerReason, ...]:
    """A refusal always says why, even where no single group of features stands out against the base."""
    if reasons or outcome is Outcome.APPROVE:
        return reasons
    reason = policy.score_reason
    return (AnswerReason(reason.code, "score", reason.zh, reason.en, 0, 0.0),)
