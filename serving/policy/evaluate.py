"""A policy on one application or on a million: three-valued, and the same answer both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.matrix import Missing
from serving.policy.facts import PRODUCT, REGION, TERM, Fact
from serving.policy.model import GENERAL, Effect, Outcome, Rule, Unknown
from serving.policy.policy import Policy
from serving.policy.ready import ReadyCondition, ReadyRule, ReadyWhen
from serving.policy.table import NONE
from serving.policy.terms import segment_names

FALSE, TRUE, UNKNOWN = 0, 1, 2
_MOST_KEPT = 2_000
"""Facts of which a rule's result is kept; beyond that they are forgotten."""
_PASS, _NO_RECORD = Effect.PASS, Missing.NO_RECORD
OUTCOMES = (Outcome.APPROVE, Outcome.REFER, Outcome.DECLINE)
"""In the order of the effects that lead to them."""


class RuleResult(msgspec.Struct, frozen=True):
    """What one rule found: ``truth`` is None where unknown; ``actual`` are the facts in order.

    A rule that does not apply (another product, segment, region or day) is not asked: its truth is None too.
    """

    rule: Rule
    truth: bool | None
    effect: Effect
    actual: tuple[Fact | Missing, ...]
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """What a policy says of one case with a grade. ``outcome`` and ``rows`` are empty where a table has no row.

    ``rows`` are the places of the rows by table, -1 for none.
    """

    segment: str
    results: tuple[RuleResult, ...]
    effect: Effect
    outcome: Outcome | None
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FactColumn:
    """One fact of many applications: float64 or text values and ``Missing`` codes, both [n]."""

    values: NDArray[Any]
    missing: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ManyResults:
    """``effect`` int8 [n]; ``struck`` int32 [n], the first rule with that effect, -1 where none struck;
    ``segment`` int64 [n], its place among ``segment_names``.
    """

    effect: NDArray[np.int8]
    struck: NDArray[np.int32]
    segment: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ManyWhole:
    """``outcome`` int8 [n], a place in ``OUTCOMES`` or -1; ``rows`` by table int32 [n], as ``Whole``'s."""

    rules: ManyResults
    outcome: NDArray[np.int8]
    rows: Mapping[str, NDArray[np.int32]]


def segment_of(policy: Policy, facts: Mapping[str, Fact | Missing]) -> str:
    """The first segment that takes a case."""
    for ready in policy.segments:
        truth = truth_in(ready.when, facts)
        if truth or (truth is None and ready.segment.unknown is Unknown.MATCH):
            return ready.segment.id
    return GENERAL


def evaluate(
    policy: Policy, facts: Mapping[str, Fact | Missing], day: int, segment: str | None = None
) -> list[RuleResult]:
    """Every rule in order, on a day. A fact that is not in ``facts`` counts as ``NO_RECORD``."""
    within = segment_of(policy, facts) if segment is None else segment
    results = []
    for ready in policy.ready:
        condition = ready.direct
        if condition is None:
            several = _evaluate_rule if ready.narrow else _shared
            results.append(several(ready, facts, within, day))
            continue
        value = facts.get(condition.fact, _NO_RECORD)
        known = ready.lacking if type(value) is Missing else ready.kept
        result = known.get(value)
        if result is None:
            if len(known) >= _MOST_KEPT:
                known.clear()
            result = known[value] = _direct(ready, condition, value)
        results.append(result)
    return results


def _direct(ready: ReadyRule, condition: ReadyCondition, value: Fact | Missing) -> RuleResult:
    """What a rule of one condition that is asked of everybody finds."""
    if isinstance(value, Missing):
        return RuleResult(ready.rule, None, ready.on_missing[value], (value,))
    if condition.compare(value, condition.operand):
        return RuleResult(ready.rule, True, ready.effect, (value,))
    return RuleResult(ready.rule, False, _PASS, (value,))


def worst(results: Sequence[RuleResult]) -> Effect:
    """The effect of all rules together."""
    return max([result.effect for result in results if result.effect is not _PASS], default=_PASS)


def evaluate_whole(policy: Policy, facts: Mapping[str, Fact | Missing], grade: int, day: int) -> Whole:
    """Rules, segment and rows of the tables for a case with a grade."""
    segment = segment_of(policy, facts)
    results = evaluate(policy, facts, day, segment)
    effect = worst(results)
    if policy.tables is None:
        return Whole(segment, tuple(results), effect, OUTCOMES[effect], {})
    product, term = facts.get(PRODUCT), facts.get(TERM)
    rows = policy.tables.places(
        np.array([policy.tables.products.get(product, NONE) if isinstance(product, str) else NONE]),
        np.array([policy.tables.segments[segment]]),
        np.array([grade]),
        np.array([int(term) if isinstance(term, float) else NONE]),
        np.array([day]),
    )
    places = {name: int(found[0]) for name, found in rows.items()}
    if places["cutoffs"] == NONE:
        return Whole(segment, tuple(results), effect, None, places)
    cutoff = policy.tables.cutoffs.rows[places["cutoffs"]].outcome
    outcome = OUTCOMES[max(int(effect), OUTCOMES.index(cutoff))]
    return Whole(segment, tuple(results), effect, outcome, places)


def evaluate_many(
    policy: Policy, facts: Mapping[str, FactColumn], rows: int, day: int | NDArray[np.int64]
) -> ManyResults:
    """The rules for ``rows`` applications at once, on their days."""
    days = np.broadcast_to(np.asarray(day, dtype=np.int64), (rows,))
    segment = _segments(policy, facts, rows)
    effect = np.zeros(rows, dtype=np.int8)
    struck = np.full(rows, NONE, dtype=np.int32)
    for place, rule in enumerate(policy.ready):
        found = np.where(_applies(policy, rule, facts, segment, days), _effects(rule, facts, rows), 0)
        worse = found > effect
        effect[worse] = found[worse]
        struck[worse] = place
    return ManyResults(effect, struck, segment)


def evaluate_whole_many(
    policy: Policy, facts: Mapping[str, FactColumn], grade: NDArray[np.int64], day: int | NDArray[np.int64]
) -> ManyWhole:
    """The same as ``evaluate_whole`` for many cases, given the grade of each."""
    rows = len(grade)
    found = evaluate_many(policy, facts, rows, day)
    tables = policy.tables
    if tables is None:
        return ManyWhole(found, found.effect, {})
    product, term = _column(facts, PRODUCT, rows), _column(facts, TERM, rows)
    codes = np.full(rows, NONE, dtype=np.int64)
    for name, place in tables.products.items():
        codes[(product.missing == Missing.PRESENT) & (product.values == name)] = place
    months = np.where(term.missing == Missing.PRESENT, term.values, NONE).astype(np.int64)
    days = np.broadcast_to(np.asarray(day, dtype=np.int64), (rows,))
    places = tables.places(codes, found.segment, grade, months, days)
    by_row = np.array([OUTCOMES.index(row.outcome) for row in tables.cutoffs.rows] + [NONE], dtype=np.int8)
    cutoff = by_row[places["cutoffs"]]
    outcome = np.where(cutoff == NONE, NONE, np.maximum(cutoff, found.effect)).astype(np.int8)
    return ManyWhole(found, outcome, places)


def truth_in(when: ReadyWhen, facts: Mapping[str, Fact | Missing]) -> bool | None:
    """Whether a condition is true of a case; None where it is not known.

    Of several joined by ``all`` one that is false decides, by ``any`` one that is true, despite an unknown.
    """
    decisive, unknown = not when.all, False
    for condition in when.conditions:
        value = facts.get(condition.fact, _NO_RECORD)
        if type(value) is Missing:
            unknown = True
        elif bool(condition.compare(value, condition.operand)) is decisive:
            return decisive
    return None if unknown else not decisive


def _evaluate_rule(
    ready: ReadyRule, facts: Mapping[str, Fact | Missing], segment: str, day: int
) -> RuleResult:
    when = ready.when
    if ready.narrow and not ready.applies(facts, segment, day):
        return RuleResult(ready.rule, None, _PASS, _actual(when, facts), applies=False)
    actual, truth = _actual(when, facts), truth_in(when, facts)
    if truth is None:
        effect = max(ready.on_missing[value] for value in actual if isinstance(value, Missing))
    else:
        effect = ready.effect if truth else _PASS
    return RuleResult(ready.rule, truth, effect, actual)


def _shared(ready: ReadyRule, facts: Mapping[str, Fact | Missing], segment: str, day: int) -> RuleResult:
    """As ``_evaluate_rule``; cases with the same facts share the result of a rule that is asked of everybody."""
    actual = [facts.get(condition.fact, _NO_RECORD) for condition in ready.when.conditions]
    key = (*actual, *map(type, actual))
    found: RuleResult | None = ready.several.get(key)
    if found is None:
        if len(ready.several) >= _MOST_KEPT:
            ready.several.clear()
        found = ready.several[key] = _evaluate_rule(ready, facts, segment, day)
    return found


def _actual(when: ReadyWhen, facts: Mapping[str, Fact | Missing]) -> tuple[Fact | Missing, ...]:
    return tuple(facts.get(condition.fact, Missing.NO_RECORD) for condition in when.conditions)


def _column(facts: Mapping[str, FactColumn], name: str, rows: int) -> FactColumn:
    nobody = FactColumn(np.zeros(rows), np.full(rows, Missing.NO_RECORD, dtype=np.uint8))
    return facts.get(name, nobody)


def _segments(policy: Policy, facts: Mapping[str, FactColumn], rows: int) -> NDArray[np.int64]:
    found = np.full(rows, len(segment_names(policy.document)) - 1, dtype=np.int64)
    for place in reversed(range(len(policy.segments))):
        ready = policy.segments[place]
        truth, _ = _truths(ready.when, facts, rows)
        unsure = ready.segment.unknown is Unknown.MATCH
        found[(truth == TRUE) | ((truth == UNKNOWN) & unsure)] = place
    return found


def _applies(
    policy: Policy, rule: ReadyRule, facts: Mapping[str, FactColumn], segment: NDArray[np.int64],
    days: NDArray[np.int64],
) -> NDArray[np.bool_]:  # fmt: skip
    applies = (rule.since <= days) & (days < rule.end)
    scope = rule.scope
    if scope is None:
        return applies
    if scope.segments:
        names = segment_names(policy.document)
        applies = applies & np.isin(segment, [names.index(name) for name in scope.segments])
    for fact, among in ((PRODUCT, scope.products), (REGION, scope.regions)):
        if among:
            column = _column(facts, fact, len(days))
            known = column.missing == Missing.PRESENT
            applies = applies & ~(known & ~np.isin(column.values, list(among)))
    return applies


def _effects(rule: ReadyRule, facts: Mapping[str, FactColumn], rows: int) -> NDArray[np.int8]:
    truth, columns = _truths(rule.when, facts, rows)
    effect = np.where(truth == TRUE, rule.effect, Effect.PASS).astype(np.int8)
    for kind in list(Missing)[1:]:
        lacking = (truth == UNKNOWN) & np.any([column.missing == kind for column in columns], axis=0)
        effect[lacking] = np.maximum(effect[lacking], np.int8(rule.on_missing[kind]))
    return effect


def _truths(
    when: ReadyWhen, facts: Mapping[str, FactColumn], rows: int
) -> tuple[NDArray[np.int8], list[FactColumn]]:
    columns = [_column(facts, condition.fact, rows) for condition in when.conditions]
    truths = np.stack([_truths_of(c, column) for c, column in zip(when.conditions, columns, strict=True)])
    decisive = FALSE if when.all else TRUE
    settled = (truths == decisive).any(axis=0)
    unknown = (truths == UNKNOWN).any(axis=0)
    joined_ = np.where(settled, decisive, np.where(unknown, UNKNOWN, 1 - decisive)).astype(np.int8)
    return joined_, columns


def _truths_of(condition: ReadyCondition, column: FactColumn) -> NDArray[np.int8]:
    with np.errstate(invalid="ignore"):
        if column.values.dtype.kind == "f" and condition.of_text:
            found = np.zeros(len(column.values), dtype=bool)
        else:
            found = condition.compare_many(column.values, condition.operand)
    return np.where(column.missing == Missing.PRESENT, found, UNKNOWN).astype(np.int8)
