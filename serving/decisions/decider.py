"""The decision: a pure function of a case, its features, the approved versions and a key."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from features.calendar import iso
from features.canonical import canonical_bytes
from features.matrix import FeatureMatrix, Missing
from serving.decisions.case import Case, is_authorised
from serving.decisions.grading import (
    Graded,
    ModelScore,
    band_of,
    graded,
    left_open,
    model_score,
    withheld_reason,
)
from serving.decisions.live import Live
from serving.decisions.schemas import AnswerReason, AnswerScore, DecisionAnswer
from serving.explain.reasons import MOST, Explanation, explain
from serving.offers.offer import NoOffer, Offer, make_offer, make_random_offer
from serving.policy import facts as names
from serving.policy.evaluate import RuleResult, evaluate, worst
from serving.policy.facts import Fact
from serving.policy.load import Policy
from serving.policy.model import Effect, GradeBand, Outcome

RANDOM = "random"
POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comes of a case: outcome, stream, offer, and the policy's own reasons for it."""

    outcome: Outcome
    stream: str
    offer: Offer | None
    reasons: tuple[AnswerReason, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision with everything that led to it."""

    case: Case
    answer: DecisionAnswer
    answer_bytes: bytes
    facts: Mapping[str, Fact | Missing]
    rules: tuple[RuleResult, ...]
    scores: Mapping[str, ModelScore]
    explanation: Explanation
    row: FeatureMatrix


def decide(case: Case, row: FeatureMatrix, sources: int, live: Live, key: bytes) -> Decision:
    """Decide a case.

    ``row`` is the one row of features, ``sources`` the number of datasets with a record, ``key`` the
    secret behind the random stream. Reads nothing else: no clock, no store, no chance.
    """
    facts = facts_of(case, row, sources, live)
    results = evaluate(live.policy, facts)
    scores = {name: model_score(live, name, row) for name in live.scorers}
    score = scores[live.model]
    by = graded(live, row, score)
    verdict = _verdict(case, live.policy, results, score, by, facts, key)
    room = MOST - len(verdict.reasons)
    by_rule = any(reason.kind in {"rule", "unknown"} for reason in verdict.reasons)
    columns = list(score.contributions)
    values = list(score.contributions.values())
    explanation = explain(score.base, values, columns, live.reason_of, live.texts, 0 if by_rule else room)
    answer = _answer(case, live, score, by, verdict, explanation)
    return Decision(case, answer, canonical_bytes(answer), facts, tuple(results), scores, explanation, row)


def facts_of(case: Case, row: FeatureMatrix, sources: int, live: Live) -> dict[str, Fact | Missing]:
    """What the rules may ask: features, request, age, sources and consents."""
    asked = case.asked
    facts: dict[str, Fact | Missing] = {
        column.name: float(value) if code == Missing.PRESENT else Missing(code)
        for column, value, code in zip(
            row.columns, row.values[0].tolist(), row.missing[0].tolist(), strict=True
        )
    }
    facts |= {
        names.AMOUNT: float(asked.amount_fen),
        names.TERM: float(asked.term_months),
        names.PURPOSE: asked.purpose,
        names.PRODUCT: asked.product,
        names.REGION: asked.region,
        names.AGE: float(case.subject.age_years),
        names.AGE_AT_END: float(case.subject.age_years_at_end),
        names.SOURCES: float(sources),
    }
    for contract in live.plan.contracts.values():
        given = is_authorised(contract, case.consent.categories)
        facts[names.CONSENT + contract.consent_category] = float(given)
    return facts


def draws(key: bytes, decision_id: str, share_ppm: int) -> bool:
    """Whether chance picks a decision: HMAC of its id under the key, so that it can be drawn again."""
    drawn = int.from_bytes(hmac.digest(key, decision_id.encode(), "sha256")[:8], "big")
    return (drawn * 1_000_000) >> 64 < share_ppm


def _verdict(
    case: Case, policy: Policy, results: list[RuleResult], score: ModelScore, by: Graded,
    facts: Mapping[str, Fact | Missing], key: bytes,
) -> Verdict:  # fmt: skip
    effect = worst(results)
    band, point = band_of(policy, by.grade), band_of(policy, score.grade)
    struck, unsure = _rule_reasons(results, effect), left_open(policy, score, by, facts)
    if effect is Effect.DECLINE:
        return Verdict(Outcome.DECLINE, POLICY, None, struck)
    if band.outcome is not Outcome.APPROVE and effect is Effect.PASS:
        drawn = _random_verdict(case, policy, by, key)
        if drawn is not None:
            return drawn
    if point.outcome is Outcome.DECLINE:
        return Verdict(Outcome.DECLINE, POLICY, None, ())
    if effect is Effect.REFER:
        return Verdict(Outcome.REFER, POLICY, None, struck)
    if unsure or band.outcome is not Outcome.APPROVE:
        return Verdict(Outcome.REFER, POLICY, None, unsure)
    return _offered(case, policy, band, facts, by_withheld=by.grade > score.grade)


def _offered(
    case: Case, policy: Policy, band: GradeBand, facts: Mapping[str, Fact | Missing], *, by_withheld: bool
) -> Verdict:
    known = facts.get(policy.document.limits.income, Missing.NO_RECORD)
    income = known if isinstance(known, float) else None
    asked = case.asked
    offer = make_offer(
        policy, band, asked.amount_fen, asked.term_months, income, case.decided_at, case.tenant
    )
    if isinstance(offer, NoOffer):
        if by_withheld:
            return Verdict(Outcome.REFER, POLICY, None, (withheld_reason(policy),))
        reasons = (_limit_reason(policy, "too_small"),)
        return Verdict(Outcome.DECLINE, POLICY, None, reasons)
    bound = () if offer.bound_by == "requested" else (_limit_reason(policy, offer.bound_by),)
    return Verdict(Outcome.APPROVE, POLICY, offer, bound)


def _random_verdict(case: Case, policy: Policy, by: Graded, key: bytes) -> Verdict | None:
    stream = policy.document.random_approval
    if stream is None or not case.random_budget or not stream.first <= by.grade <= stream.last:
        return None
    if not draws(key, case.decision_id, stream.share_ppm):
        return None
    asked = case.asked
    offer = make_random_offer(
        policy, stream, asked.amount_fen, asked.term_months, case.decided_at, case.tenant
    )
    if isinstance(offer, NoOffer):
        return None
    bound = () if offer.bound_by == "requested" else (_limit_reason(policy, offer.bound_by),)
    return Verdict(Outcome.APPROVE, RANDOM, offer, bound)


def _rule_reasons(results: list[RuleResult], effect: Effect) -> tuple[AnswerReason, ...]:
    if effect is Effect.PASS:
        return ()
    return tuple(_rule_reason(result) for result in results if result.effect is effect)[:MOST]


def _rule_reason(result: RuleResult) -> AnswerReason:
    """What a rule found, or that it could not find out: the two are never told alike."""
    rule = result.rule
    if result.truth is None:
        return AnswerReason(rule.code, "unknown", f"未能核实：{rule.zh}", f"Could not be checked: {rule.en}")
    return AnswerReason(rule.code, "rule", rule.zh, rule.en)


def _limit_reason(policy: Policy, name: str) -> AnswerReason:
    reason = policy.document.limits.reasons[name]
    return AnswerReason(reason.code, "limit", reason.zh, reason.en)


def _answer(
    case: Case, live: Live, score: ModelScore, by: Graded, verdict: Verdict, explanation: Explanation
) -> DecisionAnswer:
    scored = tuple(
        AnswerReason(r.code, "score", r.zh, r.en, r.log_odds, r.share) for r in explanation.reasons
    )
    offer = verdict.offer
    return DecisionAnswer(
        decision_id=case.decision_id,
        outcome=verdict.outcome,
        stream=verdict.stream,
        grade=by.grade,
        pd=score.pd,
        limit_fen=offer.limit_fen if offer else 0,
        annual_rate_ppm=offer.annual_rate_ppm if offer else None,
        offer=offer,
        reasons=_not_empty(verdict.reasons + scored, live.policy, verdict.outcome),
        score=AnswerScore(live.model, score.base, explanation.other, score.log_odds),
        as_of=iso(case.as_of),
        decided_at=iso(case.decided_at),
        subject_version=case.subject.version,
        digests=dict(live.slots),
        missing_sources={name: Missing(code).name for name, code in sorted(case.unavailable.items())},
        title=live.policy.document.title,
        tail_version=case.subject.tail,
        disputed_sources=case.disputed,
        pd_low=None if isinstance(score.pd_low, msgspec.UnsetType) else score.pd_low,
        pd_high=None if isinstance(score.pd_high, msgspec.UnsetType) else score.pd_high,
        graded_pd=None if by.pd == score.pd else by.pd,
    )


def _not_empty(
    reasons: tuple[AnswerReason, ...], policy: Policy, outcome: Outcome
) -> tuple[AnswerReason, ...]:
    """A refusal always says why, even where no single group of features stands out against the base."""
    if reasons or outcome is Outcome.APPROVE:
        return reasons
    reason = policy.document.score_reason
    return (AnswerReason(reason.code, "score", reason.zh, reason.en, 0, 0.0),)
