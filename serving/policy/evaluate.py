"""Rules on one application or on a million: three-valued, and the same answer both ways."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from serving.policy.facts import Fact
from serving.policy.load import Policy
from serving.policy.model import EFFECTS, Condition, Effect, OnMissing, Operator, Rule

_COMPARE: dict[Operator, Callable[[Any, Any], Any]] = {
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
    Operator.EQ: operator.eq,
    Operator.NE: operator.ne,
    Operator.IN: lambda value, among: value in among,
    Operator.NOT_IN: lambda value, among: value not in among,
}
_COMPARE_MANY: dict[Operator, Callable[[Any, Any], Any]] = _COMPARE | {
    Operator.IN: lambda values, among: np.isin(values, list(among)),
    Operator.NOT_IN: lambda values, among: ~np.isin(values, list(among)),
}
_KINDS = (Missing.NO_RECORD, Missing.SOURCE_DOWN, Missing.NOT_AUTHORISED)

FALSE, TRUE, UNKNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule found: ``truth`` is None where unknown; ``actual`` are the facts in order."""

    rule: Rule
    truth: bool | None
    effect: Effect
    actual: tuple[Fact | Missing, ...]


@dataclass(frozen=True, slots=True)
class FactColumn:
    """One fact of many applications: float64 or text values and ``Missing`` codes, both [n]."""

    values: NDArray[Any]
    missing: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ManyResults:
    """``effect`` int8 [n]; ``struck`` int32 [n], the first rule with that effect, -1 where none struck."""

    effect: NDArray[np.int8]
    struck: NDArray[np.int32]


def evaluate(policy: Policy, facts: Mapping[str, Fact | Missing]) -> list[RuleResult]:
    """Every rule in order. A fact that is not in ``facts`` counts as ``NO_RECORD``."""
    return [_evaluate_rule(rule, facts) for rule in policy.rules]


def worst(results: list[RuleResult]) -> Effect:
    """The effect of all rules together."""
    return max((result.effect for result in results), default=Effect.PASS)


def evaluate_many(policy: Policy, facts: Mapping[str, FactColumn], rows: int) -> ManyResults:
    """The same for ``rows`` applications at once."""
    effect = np.zeros(rows, dtype=np.int8)
    struck = np.full(rows, -1, dtype=np.int32)
    for place, rule in enumerate(policy.rules):
        found = _effects(rule, facts, rows)
        worse = found > effect
        effect[worse] = found[worse]
        struck[worse] = place
    return ManyResults(effect, struck)


def _evaluate_rule(rule: Rule, facts: Mapping[str, Fact | Missing]) -> RuleResult:
    actual = tuple(facts.get(condition.fact, Missing.NO_RECORD) for condition in rule.when.conditions)
    truths = [_truth(c, value) for c, value in zip(rule.when.conditions, actual, strict=True)]
    truth = _all(truths) if rule.when.all else _any(truths)
    if truth is None:
        kinds = {value for value in actual if isinstance(value, Missing)}
        effect = max(_on_missing(rule.missing, kind) for kind in kinds)
    else:
        effect = EFFECTS[rule.effect] if truth else Effect.PASS
    return RuleResult(rule, truth, effect, actual)


def _truth(condition: Condition, value: Fact | Missing) -> bool | None:
    if isinstance(value, Missing):
        return None
    return bool(_COMPARE[condition.op](value, condition.value))


def _all(truths: list[bool | None]) -> bool | None:
    if False in truths:
        return False
    return None if None in truths else True


def _any(truths: list[bool | None]) -> bool | None:
    if True in truths:
        return True
    return None if None in truths else False


def _on_missing(missing: OnMissing, kind: Missing) -> Effect:
    return EFFECTS[str(getattr(missing, kind.name.lower()))]


def _effects(rule: Rule, facts: Mapping[str, FactColumn], rows: int) -> NDArray[np.int8]:
    nobody = FactColumn(np.zeros(rows), np.full(rows, Missing.NO_RECORD, dtype=np.uint8))
    columns = [facts.get(condition.fact, nobody) for condition in rule.when.conditions]
    truths = [_truths(c, column) for c, column in zip(rule.when.conditions, columns, strict=True)]
    truth = _join(np.stack(truths), decisive=FALSE if rule.when.all else TRUE)
    effect = np.where(truth == TRUE, EFFECTS[rule.effect], Effect.PASS).astype(np.int8)
    for kind in _KINDS:
        lacking = (truth == UNKNOWN) & np.any([column.missing == kind for column in columns], axis=0)
        effect[lacking] = np.maximum(effect[lacking], np.int8(_on_missing(rule.missing, kind)))
    return effect


def _truths(condition: Condition, column: FactColumn) -> NDArray[np.int8]:
    with np.errstate(invalid="ignore"):
        if column.values.dtype.kind == "f" and isinstance(condition.value, str):
            found = np.zeros(len(column.values), dtype=bool)
        else:
            found = _COMPARE_MANY[condition.op](column.values, condition.value)
    return np.where(column.missing == Missing.PRESENT, found, UNKNOWN).astype(np.int8)


def _join(truths: NDArray[np.int8], decisive: int) -> NDArray[np.int8]:
    settled = (truths == decisive).any(axis=0)
    unknown = (truths == UNKNOWN).any(axis=0)
    return np.where(settled, decisive, np.where(unknown, UNKNOWN, 1 - decisive)).astype(np.int8)
