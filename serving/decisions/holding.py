"""What keeps a policy's approval from being given by the machine: an operator's stop, a full breaker, a silent source."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from features.calendar import local_date
from serving.decisions.budgets import Reservation
from serving.decisions.case import Case
from serving.decisions.schemas import AnswerReason, DecisionAnswer
from serving.decisions.verdict import POLICY, Verdict
from serving.offers.loss import expected_loss
from serving.offers.offer import Offer
from serving.policy.experiment import Breaker
from serving.policy.model import Outcome
from serving.policy.policy import Policy

BREAKER = "breaker."
"""Begins the names of budgets of breakers; policy, breaker and what is counted follow."""
HELD = "held"
"""The kind of these reasons: no fact of the applicant."""
_STOPPED = AnswerReason(
    "APPROVALS_STOPPED", HELD, "自动批准暂停，由人工决定", "Automatic approvals are stopped; a person decides"
)
_FULL = AnswerReason(
    "DAILY_LIMIT_REACHED", HELD, "当日自动批准额度已满，由人工决定",
    "Today's automatic approvals are used up; a person decides",
)  # fmt: skip


_SILENT = AnswerReason(
    "REQUIRED_SOURCE_SILENT", HELD, "必须查询的数据来源未响应，由人工决定",
    "A source that must be asked did not answer; a person decides",
)  # fmt: skip


def hold(case: Case, policy: Policy, model: str, verdict: Verdict) -> Verdict:
    """The verdict, or a referral where it would approve what is stopped, what a full breaker bounds, or what lacks a source.

    Nothing is refused for it: a referral or a refusal of the policy stays what it is.
    """
    if verdict.outcome is not Outcome.APPROVE or not (case.stops or case.full or case.lacks):
        return verdict
    reasons = tuple(_reasons(case, policy, model))
    if not reasons:
        return verdict
    return Verdict(Outcome.REFER, POLICY, None, reasons, verdict.rows)


def breakers_of(policy: Policy, product: str, model: str) -> Iterator[tuple[str, Breaker]]:
    """The breakers that bound approvals of a product by a model, with the beginning of their budgets' names."""
    document = policy.document
    for one in document.breakers:
        if (not one.products or product in one.products) and (not one.models or model in one.models):
            yield f"{BREAKER}{document.policy}.{one.id}.", one


def reservations(case: Case, answer: DecisionAnswer, policy: Policy) -> Iterator[Reservation]:
    """What an approval takes of its day's breakers; the day is that of China."""
    if answer.outcome is not Outcome.APPROVE:
        return
    day = local_date(case.decided_at).isoformat()
    limit = answer.offer.limit_fen if isinstance(answer.offer, Offer) else 0
    for name, one in breakers_of(policy, case.asked.product, model_of(answer)):
        if one.daily_count is not None:
            yield Reservation(f"{name}count", day, 1, one.daily_count)
        if one.daily_amount_fen is not None:
            yield Reservation(f"{name}amount", day, limit, one.daily_amount_fen)
        if one.daily_loss_fen is not None and one.lgd_ppm is not None:
            yield Reservation(
                f"{name}loss", day, expected_loss(limit, graded_pd(answer), one.lgd_ppm), one.daily_loss_fen
            )


def model_of(answer: DecisionAnswer) -> str:
    """The model whose score decided; empty where none did."""
    return "" if answer.score is msgspec.UNSET else answer.score.model


def graded_pd(answer: DecisionAnswer) -> float:
    """The PD by which it was graded."""
    pd = answer.pd if answer.graded_pd is None else answer.graded_pd
    assert isinstance(pd, float)
    return pd


def _reasons(case: Case, policy: Policy, model: str) -> Iterator[AnswerReason]:
    if case.lacks:
        yield _SILENT
    if not case.stops.keys().isdisjoint({"all", f"product:{case.asked.product}", f"model:{model}"}):
        yield _STOPPED
    bounds = tuple(name for name, _ in breakers_of(policy, case.asked.product, model))
    if bounds and any(full.startswith(bounds) for full in case.full):
        yield _FULL
