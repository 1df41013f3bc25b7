"""The decision: a pure function of a case, its features, the approved versions and a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from features.calendar import iso
from features.canonical import canonical_bytes
from features.matrix import FeatureMatrix, Missing
from serving.decisions.case import Case, is_authorised
from serving.decisions.grading import Graded, ModelScore, graded, model_score
from serving.decisions.live import Live
from serving.decisions.schemas import AnswerReason, AnswerScore, DecisionAnswer
from serving.decisions.verdict import Ruled, Verdict, by_rules, verdict_of
from serving.explain.reasons import MOST, Explanation, explain
from serving.policy import facts as names
from serving.policy.days import day_of
from serving.policy.evaluate import RuleResult, evaluate, segment_of, worst
from serving.policy.facts import Fact
from serving.policy.model import Outcome
from serving.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of a case, what the policy grades by, and why."""

    scores: Mapping[str, ModelScore]
    by: Graded
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision with everything that led to it; a policy without a model has nothing ``scored``."""

    case: Case
    answer: DecisionAnswer
    answer_bytes: bytes
    facts: Mapping[str, Fact | Missing]
    rules: tuple[RuleResult, ...]
    scores: Mapping[str, ModelScore]
    explanation: Explanation | None
    row: FeatureMatrix
    policy_schema: int


def decide(case: Case, row: FeatureMatrix, sources: int, live: Live, key: bytes) -> Decision:
    """Decide a case.

    ``row`` is the one row of features, ``sources`` the number of datasets with a record, ``key`` the
    secret behind the random stream. Reads nothing else: no clock, no store, no chance.
    """
    ruled = _ruled(case, facts_of(case, row, sources, live), live.policy)
    if not live.policy.grades:
        verdict = by_rules(ruled)
        answer = _answer(case, live, ruled, verdict, None)
        return _decision(case, live, row, ruled, answer, None)
    scores = {name: model_score(live, name, row) for name in live.scorers}
    score = scores[live.model]
    by = graded(live, row, score)
    verdict = verdict_of(case, live.policy, ruled, score, by, key)
    room = MOST - len(verdict.reasons)
    by_rule = any(reason.kind in {"rule", "unknown"} for reason in verdict.reasons)
    columns = list(score.contributions)
    values = list(score.contributions.values())
    explanation = explain(score.base, values, columns, live.reason_of, live.texts, 0 if by_rule else room)
    scored = Scored(scores, by, explanation)
    return _decision(case, live, row, ruled, _answer(case, live, ruled, verdict, scored), scored)


def _ruled(case: Case, facts: Mapping[str, Fact | Missing], policy: Policy) -> Ruled:
    day, segment = day_of(case.decided_at), segment_of(policy, facts)
    results = evaluate(policy, facts, day, segment)
    return Ruled(facts, day, segment, tuple(results), worst(results))


def _decision(
    case: Case, live: Live, row: FeatureMatrix, ruled: Ruled, answer: DecisionAnswer, scored: Scored | None
) -> Decision:
    scores = {} if scored is None else scored.scores
    told = None if scored is None else scored.explanation
    return Decision(
        case,
        answer,
        canonical_bytes(answer),
        ruled.facts,
        ruled.results,
        scores,
        told,
        row,
        live.policy.schema,
    )


def facts_of(case: Case, row: FeatureMatrix, sources: int, live: Live) -> dict[str, Fact | Missing]:
    """What the rules may ask: features, request, age, sources, consents, checks and lists."""
    asked = case.asked
    facts: dict[str, Fact | Missing] = {
        column.name: float(value) if code == Missing.PRESENT else Missing(code)
        for column, value, code in zip(
            row.columns, row.values[0].tolist(), row.missing[0].tolist(), strict=True
        )
    }
    facts |= {
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
    for contract in live.plan.contracts.values():
        given = is_authorised(contract, case.consent.categories)
        facts[names.CONSENT + contract.consent_category] = float(given)
    facts |= asked.checks
    facts |= {names.LIST + name: _listed(code) for name, code in case.lists.items()}
    return facts


def _listed(code: int) -> Fact | Missing:
    return Missing.SOURCE_DOWN if code < 0 else float(code)


def _answer(case: Case, live: Live, ruled: Ruled, verdict: Verdict, scored: Scored | None) -> DecisionAnswer:
    by_score = () if scored is None else _score_reasons(scored.explanation)
    answer = DecisionAnswer(
        decision_id=case.decision_id,
        outcome=verdict.outcome,
        stream=verdict.stream,
        reasons=_not_empty(verdict.reasons + by_score, live.policy, verdict.outcome),
        as_of=iso(case.as_of),
        decided_at=iso(case.decided_at),
        subject_version=case.subject.version,
        digests=dict(live.slots),
        missing_sources={name: Missing(code).name for name, code in sorted(case.unavailable.items())},
        title=live.policy.document.title,
        tail_version=case.subject.tail,
        disputed_sources=case.disputed,
    )
    if live.policy.schema > 1:
        answer = msgspec.structs.replace(answer, segment=ruled.segment, rows=dict(verdict.rows))
    return answer if scored is None else _with_score(answer, live, verdict, scored)


def _with_score(answer: DecisionAnswer, live: Live, verdict: Verdict, scored: Scored) -> DecisionAnswer:
    score, offer = scored.scores[live.model], verdict.offer
    return msgspec.structs.replace(
        answer,
        grade=scored.by.grade,
        pd=score.pd,
        limit_fen=offer.limit_fen if offer else 0,
        annual_rate_ppm=offer.annual_rate_ppm if offer else None,
        offer=offer,
        score=AnswerScore(live.model, score.base, scored.explanation.other, score.log_odds),
        pd_low=None if isinstance(score.pd_low, msgspec.UnsetType) else score.pd_low,
        pd_high=None if isinstance(score.pd_high, msgspec.UnsetType) else score.pd_high,
        graded_pd=None if scored.by.pd == score.pd else scored.by.pd,
    )


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
