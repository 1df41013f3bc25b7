"""Rules made ready to be asked: names looked up, words turned into codes, dates into days."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from features.canonical import code_of
from features.matrix import Missing
from serving.policy.days import end_day, first_day
from serving.policy.facts import PRODUCT, REGION, Fact, is_text
from serving.policy.model import EFFECTS, Condition, Effect, OnMissing, Operator, Rule, Scope, Segment, When

Compare = Callable[[Any, Any], Any]
COMPARE: dict[Operator, Compare] = {
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.IN: lambda value, among: value in among,
    Operator.NOT_IN: lambda value, among: value not in among,
}
"""Of one value; the second operand of the last two is a set."""
COMPARE_MANY: dict[Operator, Compare] = COMPARE | {
    Operator.IN: lambda values, among: np.isin(values, list(among)),
    Operator.NOT_IN: lambda values, among: ~np.isin(values, list(among)),
}


@dataclass(frozen=True, slots=True)
class ReadyCondition:
    """``compare(value, operand)``; a category's words are the codes that its feature has."""

    fact: str
    compare: Compare
    compare_many: Compare
    operand: Any

    @property
    def of_text(self) -> bool:
        """Whether it can only be true of a text."""
        return is_text(self.fact)


@dataclass(frozen=True, slots=True)
class ReadyWhen:
    """Conditions, all or any of which make it true."""

    conditions: tuple[ReadyCondition, ...]
    all: bool


@dataclass(frozen=True, slots=True)
class ReadyRule:
    """``on_missing`` by ``Missing`` code; it holds on days from ``since`` to before ``end``.

    A rule that is not ``narrow`` is asked of everybody, always; most of these have one condition, which is asked
    ``direct``.
    """

    rule: Rule
    when: ReadyWhen
    effect: Effect
    on_missing: tuple[Effect, ...]
    scope: Scope | None
    since: int
    end: int
    narrow: bool
    direct: ReadyCondition | None
    kept: dict[Fact | Missing, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    lacking: dict[Fact | Missing, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Results of a ``direct`` rule by the fact that was found, and by why none was: cases share them."""
    several: dict[tuple[Any, ...], Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Results of another rule that is not ``narrow``, by its facts and their types."""

    def applies(self, facts: Mapping[str, Fact | Missing], segment: str, day: int) -> bool:
        """Whether it is asked at all. Only what is known takes a case out of its scope."""
        if not self.since <= day < self.end:
            return False
        scope = self.scope
        if scope is None:
            return True
        return not (
            (scope.segments and segment not in scope.segments)
            or _outside(facts.get(PRODUCT), scope.products)
            or _outside(facts.get(REGION), scope.regions)
        )


@dataclass(frozen=True, slots=True)
class ReadySegment:
    """A segment and its condition."""

    segment: Segment
    when: ReadyWhen


def ready_rule(rule: Rule) -> ReadyRule:
    """A rule that was checked, made ready."""
    scope = rule.scope if rule.scope != Scope() else None
    narrow = bool(scope or rule.effective_from or rule.effective_to)
    when = ready_when(rule.when)
    direct = when.conditions[0] if len(when.conditions) == 1 and not narrow else None
    return ReadyRule(
        rule, when, EFFECTS[rule.effect], _on_missing(rule.missing), scope, first_day(rule.effective_from),
        end_day(rule.effective_to), narrow, direct,
    )  # fmt: skip


def ready_when(when: When) -> ReadyWhen:
    """A condition made ready."""
    return ReadyWhen(tuple(_condition(condition) for condition in when.conditions), bool(when.all))


def truth_of(condition: ReadyCondition, value: Fact | Missing) -> bool | None:
    """Whether a condition is true of a fact; None where it is not known."""
    if isinstance(value, Missing):
        return None
    return bool(condition.compare(value, condition.operand))


def _condition(condition: Condition) -> ReadyCondition:
    value = condition.value
    operand = (
        frozenset(_operand(condition.fact, one) for one in value)
        if isinstance(value, list | tuple)
        else _operand(condition.fact, value)
    )
    return ReadyCondition(condition.fact, COMPARE[condition.op], COMPARE_MANY[condition.op], operand)


def _operand(fact: str, value: Any) -> Any:
    return float(code_of(value)) if isinstance(value, str) and not is_text(fact) else value


def _on_missing(missing: OnMissing) -> tuple[Effect, ...]:
    said = (missing.no_record, missing.source_down, missing.not_authorised)
    return (Effect.PASS, *(EFFECTS[effect] for effect in said))


def _outside(fact: Fact | Missing | None, among: tuple[str, ...]) -> bool:
    return bool(among) and isinstance(fact, str) and fact not in among
