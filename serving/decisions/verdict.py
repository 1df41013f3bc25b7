"""What comes of a case: rules first, then the grade's row, then chance or the offer."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

import msgspec

from features.matrix import Missing
from serving.decisions.case import Case
from serving.decisions.grading import Graded, Point, left_open, withheld_reason
from serving.decisions.schemas import AnswerReason
from serving.explain.reasons import MOST
from serving.offers.bounds import REQUESTED, Wanted
from serving.offers.offer import NoOffer, Offer, make_offer, make_random_offer, too_little
from serving.policy.evaluate import OUTCOMES, RuleResult
from serving.policy.facts import Fact
from serving.policy.model import Effect, Outcome
from serving.policy.policy import Policy
from serving.policy.terms import Terms

RANDOM = "random"
POLICY = "policy"


class Ruled(msgspec.Struct, frozen=True):
    """What the policy finds before any score; ``day`` is the decision's day in China."""

    facts: Mapping[str, Fact | Missing]
    day: int
    segment: str
    results: tuple[RuleResult, ...]
    effect: Effect


class Verdict(msgspec.Struct, frozen=True):
    """What comes of a case: outcome, stream, offer, the policy's own reasons for it, and the rows that it used."""

    outcome: Outcome
    stream: str
    offer: Offer | None
    reasons: tuple[AnswerReason, ...]
    rows: Mapping[str, str]


def by_rules(ruled: Ruled) -> Verdict:
    """The verdict of a policy without a model."""
    return Verdict(OUTCOMES[ruled.effect], POLICY, None, _rule_reasons(ruled.results, ruled.effect), {})


def draws(key: bytes, decision_id: str, share_ppm: int) -> bool:
    """Whether chance picks a decision: HMAC of its id under the key, so that it can be drawn again."""
    drawn = int.from_bytes(hmac.digest(key, decision_id.encode(), "sha256")[:8], "big")
    return (drawn * 1_000_000) >> 64 < share_ppm


def verdict_of(case: Case, policy: Policy, ruled: Ruled, score: Point, by: Graded, key: bytes) -> Verdict:
    """The verdict of a policy for credit."""
    terms = _terms(policy, case, ruled, by)
    found = _without_offer(case, policy, ruled, (score, by), terms, key)
    return found or _offered(case, policy, terms, ruled, by_withheld=by.grade > score.grade)


def outcome_of(case: Case, policy: Policy, ruled: Ruled, score: Point, by: Graded) -> Outcome:
    """The outcome of ``verdict_of`` were there no chance, without working out an offer."""
    terms = _terms(policy, case, ruled, by)
    found = _without_offer(case, policy, ruled, (score, by), terms, None)
    if found is not None:
        return found.outcome
    bound = too_little(policy, terms, _wanted(case), ruled.facts)
    if bound is None:
        return Outcome.APPROVE
    return _unoffered(bound.name, by_withheld=by.grade > score.grade)


def _without_offer(
    case: Case, policy: Policy, ruled: Ruled, scored: tuple[Point, Graded], terms: Terms, key: bytes | None
) -> Verdict | None:
    """What becomes of a case that gets no offer by its grade; None where it gets one. No ``key``: no chance."""
    score, by = scored
    bound, effect = terms.cutoff.outcome, ruled.effect
    point = bound if score.grade == by.grade else _cutoff(policy, case, ruled, score.grade)
    struck = _rule_reasons(ruled.results, effect)
    unsure = left_open(policy, score, (point, bound), ruled.facts)
    used = {"cutoffs": terms.cutoff.id}
    if effect is Effect.DECLINE:
        return Verdict(Outcome.DECLINE, POLICY, None, struck, {})
    if key is not None and bound is not Outcome.APPROVE and effect is Effect.PASS:
        drawn = _random_verdict(case, policy, terms, by, key)
        if drawn is not None:
            return drawn
    if point is Outcome.DECLINE:
        return Verdict(Outcome.DECLINE, POLICY, None, (), used)
    if effect is Effect.REFER:
        return Verdict(Outcome.REFER, POLICY, None, struck, used)
    if unsure or bound is not Outcome.APPROVE:
        return Verdict(Outcome.REFER, POLICY, None, unsure, used)
    return None


def _terms(policy: Policy, case: Case, ruled: Ruled, by: Graded) -> Terms:
    asked, tables = case.asked, policy.tables
    assert tables is not None
    return tables.terms(asked.product, ruled.segment, by.grade, asked.term_months, ruled.day).priced(by.pd)


def _cutoff(policy: Policy, case: Case, ruled: Ruled, grade: int) -> Outcome:
    assert policy.tables is not None
    return policy.tables.cutoff(case.asked.product, ruled.segment, grade, ruled.day).outcome


def _offered(case: Case, policy: Policy, terms: Terms, ruled: Ruled, *, by_withheld: bool) -> Verdict:
    offer = make_offer(policy, terms, _wanted(case), ruled.facts, case.tenant, case.decided_at)
    if isinstance(offer, NoOffer):
        if _unoffered(offer.bound_by, by_withheld=by_withheld) is Outcome.REFER:
            return Verdict(Outcome.REFER, POLICY, None, (withheld_reason(policy),), terms.ids)
        return Verdict(Outcome.DECLINE, POLICY, None, _too_small(policy, offer), terms.ids)
    bound = () if offer.bound_by == REQUESTED else (_limit_reason(policy, offer.bound_by),)
    return Verdict(Outcome.APPROVE, POLICY, offer, bound, terms.ids)


def _unoffered(bound_by: str, *, by_withheld: bool) -> Outcome:
    """What becomes of who is approved and offered nothing: a person looks where that is for want of a source."""
    return Outcome.REFER if by_withheld and bound_by != "exposure" else Outcome.DECLINE


def _wanted(case: Case) -> Wanted:
    promised = case.household.promised_fen if case.household else 0
    return Wanted(case.asked.amount_fen, case.asked.term_months, promised)


def _too_small(policy: Policy, offer: NoOffer) -> tuple[AnswerReason, ...]:
    """Why nothing is left to lend."""
    alone = offer.bound_by in {"debt_service", "exposure"}
    return (_limit_reason(policy, offer.bound_by if alone else "too_small"),)


def _random_verdict(case: Case, policy: Policy, terms: Terms, by: Graded, key: bytes) -> Verdict | None:
    stream = policy.document.random_approval
    if stream is None or not case.random_budget or not stream.first <= by.grade <= stream.last:
        return None
    if not draws(key, case.decision_id, stream.share_ppm):
        return None
    offer = make_random_offer(policy, stream, terms, _wanted(case), case.tenant, case.decided_at)
    if isinstance(offer, NoOffer):
        return None
    bound = () if offer.bound_by == REQUESTED else (_limit_reason(policy, offer.bound_by),)
    return Verdict(Outcome.APPROVE, RANDOM, offer, bound, terms.ids)


def _rule_reasons(results: Sequence[RuleResult], effect: Effect) -> tuple[AnswerReason, ...]:
    if effect is Effect.PASS:
        return ()
    told: list[AnswerReason] = []
    for result in results:
        if result.effect is effect:
            reason = _rule_reason(result)
            if result.rule.unknown is None or all(each.code != reason.code for each in told):
                told.append(reason)
    return tuple(told[:MOST])


def _rule_reason(result: RuleResult) -> AnswerReason:
    """What a rule found, or that it could not find out: the two are never told alike."""
    rule = result.rule
    if result.truth is None and rule.unknown is not None:
        return AnswerReason(rule.unknown.code, "unknown", rule.unknown.zh, rule.unknown.en)
    if result.truth is None:
        return AnswerReason(rule.code, "unknown", f"未能核实：{rule.zh}", f"Could not be checked: {rule.en}")
    return AnswerReason(rule.code, "rule", rule.zh, rule.en)


def _limit_reason(policy: Policy, name: str) -> AnswerReason:
    reason = policy.limits.reasons[name]
    return AnswerReason(reason.code, "limit", reason.zh, reason.en)
