"""Phantom decisions: what the policy would have said by each model's score, were there no chance and no stop."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serving.decisions.case import Case
from serving.decisions.grading import Graded, Point
from serving.decisions.verdict import POLICY, Ruled, Verdict, outcome_of
from serving.policy.model import Outcome
from serving.policy.policy import Policy


class Shadow(msgspec.Struct, frozen=True):
    """The grade that the policy would have given by a model's score, and the outcome."""

    grade: int
    outcome: Outcome


def shadows_of(
    case: Case,
    policy: Policy,
    ruled: Ruled,
    scored: Mapping[str, tuple[Point, Graded]],
    known: tuple[str, Verdict],
) -> dict[str, Shadow]:
    """The phantom of every model. ``known`` is the model that decided, with its verdict before any stop."""
    if len(scored) == 1:  # nothing to compare with
        return {}
    model, verdict = known
    found = {}
    for name, (point, by) in scored.items():
        is_known = name == model and verdict.stream == POLICY
        outcome = verdict.outcome if is_known else outcome_of(case, policy, ruled, point, by)
        found[name] = Shadow(by.grade, outcome)
    return found
