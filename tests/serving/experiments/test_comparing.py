"""What an experiment shows: figures that hold on simulations, and verdicts that wait until they can be told."""

from __future__ import annotations

import numpy as np
import pytest

from serving.decisions.schemas import Arm
from serving.decisions.shadows import Shadow
from serving.experiments.comparing import (
    ArmLine,
    Seen,
    Verdict,
    approval_drop,
    arms_of,
    bad_ratio,
    rails_of,
    shadows_of,
)
from serving.policy.experiment import Guardrails
from serving.policy.model import Outcome
from training.rejects import bad_rate

RAILS = Guardrails(min_outcomes=100, max_bad_rate_ratio=1.25, max_approval_drop=0.03)
YES, NO = Shadow(3, Outcome.APPROVE), Shadow(9, Outcome.DECLINE)


def arm(name: str, decisions: int, approved: int, outcomes: int = 0, bads: int = 0) -> ArmLine:
    """An arm with these counts."""
    rate = bad_rate(bads, outcomes) if outcomes else None
    return ArmLine(name, name, decisions, bad_rate(approved, decisions), 0.1, outcomes, rate, {})


def verdicts(champion: ArmLine, challenger: ArmLine) -> list[Verdict]:
    """Of approvals, of bads."""
    return [rail.verdict for rail in rails_of((champion, challenger), RAILS)]


def test_each_arm_counts_its_own_decisions_and_the_outcomes_of_whom_it_approved() -> None:
    split = [Arm("e", "champion", "a"), Arm("e", "challenger", "b")]
    seen = [
        Seen("a", split[0], True, "", {"a": 0.1, "b": 0.3}, {"a": YES, "b": NO}, True),
        Seen("a", split[0], False, "R1", {"a": 0.3, "b": 0.1}, {"a": NO, "b": YES}),
        Seen("a", split[0], False, "APPROVALS_STOPPED", {"a": 0.2, "b": 0.2}, {"a": YES, "b": YES}),
        Seen("b", split[1], True, "", {"a": 0.1, "b": 0.2}, {"a": YES, "b": YES}, False),
    ]
    champion, challenger = arms_of(seen)
    assert (champion.model, champion.decisions, champion.outcomes) == ("a", 3, 1)
    assert champion.approval.value == pytest.approx(2 / 3)
    assert champion.mean_pd == pytest.approx(0.2)
    assert champion.reasons == {"R1": 1, "APPROVALS_STOPPED": 1}
    assert (challenger.model, challenger.decisions, challenger.bad_rate.value) == ("b", 1, 0.0)
    first, second = shadows_of(seen)
    assert (first.model, first.decisions, first.agreement.value) == ("a", 1, 1.0)
    assert (second.model, second.decisions, second.approves_more, second.approves_less) == ("b", 3, 1, 1)
    assert second.agreement.value == pytest.approx(1 / 3)


def test_a_guardrail_waits_for_enough_and_for_an_interval_that_tells() -> None:
    assert verdicts(arm("a", 99, 60), arm("b", 99, 10)) == [Verdict.EARLY, Verdict.EARLY]
    assert verdicts(arm("a", 9000, 5400), arm("b", 9000, 4500))[0] is Verdict.BREACHED
    assert verdicts(arm("a", 9000, 5400), arm("b", 9000, 5400))[0] is Verdict.HOLDS
    assert verdicts(arm("a", 9000, 5400), arm("b", 9000, 5130))[0] is Verdict.EARLY
    bads = [(500, Verdict.HOLDS), (1000, Verdict.BREACHED), (640, Verdict.EARLY)]
    for count, wanted in bads:
        assert verdicts(arm("a", 9, 9, 9000, 500), arm("b", 9, 9, 9000, count))[1] is wanted


def test_one_arm_alone_has_no_guardrail() -> None:
    assert rails_of((arm("a", 500, 300),), RAILS) == ()


def test_the_intervals_hold_as_often_as_stated() -> None:
    g = np.random.default_rng(5)
    held_drop, held_ratio = [], []
    for _ in range(2000):
        p, q = g.binomial(400, 0.6), g.binomial(100, 0.5)
        drop = approval_drop(arm("a", 400, p), arm("b", 100, q))
        held_drop.append(drop.low <= 0.1 <= drop.high)
        x, y = g.binomial(600, 0.08), g.binomial(300, 0.12)
        ratio = bad_ratio(arm("a", 1, 1, 600, x), arm("b", 1, 1, 300, y))
        held_ratio.append(ratio.low <= 1.5 <= ratio.high)
    assert np.mean(held_drop) == pytest.approx(0.95, abs=0.015)
    assert np.mean(held_ratio) == pytest.approx(0.95, abs=0.015)
