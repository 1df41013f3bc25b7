"""What a receipt keeps of the rules."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.policy.evaluate import RuleResult


class RuleTrace(msgspec.Struct, frozen=True):
    """One rule: what it asked, what it found. ``truth`` is null where unknown.

    Policies of schema 1 do not say its ``force``, and ask each rule of everybody.
    """

    id: str
    source: str
    expected: tuple[dict[str, Any], ...]
    joined: str
    actual: tuple[float | int | str, ...]
    truth: bool | None
    effect: str
    force: str | msgspec.UnsetType = msgspec.UNSET
    applies: bool | msgspec.UnsetType = msgspec.UNSET


def trace_of(result: RuleResult, policy_schema: int) -> RuleTrace:
    """What a receipt keeps of a rule's result, without the facts."""
    rule = result.rule
    trace = RuleTrace(
        rule.id, rule.source, tuple(msgspec.to_builtins(condition) for condition in rule.when.conditions),
        "all" if rule.when.all else "any", (), result.truth, result.effect.name.lower(),
    )  # fmt: skip
    if policy_schema == 1:
        return trace
    return msgspec.structs.replace(trace, force=rule.force.value, applies=result.applies)
