"""Everything that can be told to be wrong with signals before they run: each finding with its place and remedy.

A level's conditions are read as boxes: for each value an interval, one box a clause of ``any``. A graver level that
covers a box leaves it nothing; two levels of one value must touch without a hole and without contradicting each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from features.calendar import instant
from features.contracts.model import Text
from features.errors import Invalid
from serving.policy.findings import Finding, error
from serving.watch.document import (
    SCHEMA,
    Condition,
    Level,
    Name,
    Operator,
    Signal,
    SignalsDocument,
    Trigger,
    is_plain,
    placeholders,
)
from serving.watch.rule_analysis import of_rule

ORDER = list(Level)
LONGEST = 2
"""So many months in a row may a signal ask for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers from ``low`` to ``high``, each end in it or not."""

    low: float = -math.inf
    low_in: bool = False
    high: float = math.inf
    high_in: bool = False

    def meet(self, other: Interval) -> Interval:
        """What is in both."""
        low = max((self.low, not self.low_in), (other.low, not other.low_in))
        high = min((self.high, self.high_in), (other.high, other.high_in))
        return Interval(low[0], not low[1], high[0], high[1])

    @property
    def empty(self) -> bool:
        """Whether no number is in it."""
        return self.low > self.high or (self.low == self.high and not (self.low_in and self.high_in))

    def covers(self, other: Interval) -> bool:
        """Whether all of the other is in it."""
        return (self.low, not self.low_in) <= (other.low, not other.low_in) and (
            (other.high, other.high_in) <= (self.high, self.high_in)
        )


Box = Mapping[tuple[str, ...], Interval]
"""Intervals by what is compared: a value alone, or a value with another."""


def findings(document: SignalsDocument, features: Iterable[str] | None = None) -> list[Finding]:
    """All that is wrong; names are looked up only where ``features`` are given."""
    if document.schema not in {1, 2, SCHEMA}:
        return [_wrong("schema", f"schema {document.schema} is not known.", f"Write schema: {SCHEMA}.")]
    found = [one for signal in document.signals for one in _of_signal(document, signal)]
    found += [*_dates(document), *of_rule(document)]
    if features is not None:
        found += _names(document, set(features))
    return found


def _wrong(place: str, problem: str, remedy: str) -> Finding:
    return error("signals", place, problem, remedy)


def _of_signal(document: SignalsDocument, signal: Signal) -> Iterator[Finding]:
    code = signal.code
    if not signal.levels or not all(_has_conditions(level) for level in signal.levels):
        yield _wrong(code, "a level without conditions would hit everyone.", "Add a condition.")
        return
    graveness = [ORDER.index(level.level) for level in signal.levels]
    if graveness != sorted(set(graveness), reverse=True):
        yield _wrong(code, "its levels do not stand gravest first, each once.", "Sort them.")
    for text in (signal.evidence.zh, signal.evidence.en):
        if not is_plain(text):
            remedy = "Write values as {name}, shares as {name:pct}."
            yield _wrong(code, f"its evidence {text!r} cannot be filled in.", remedy)
    if document.schema > 1:
        yield from _told(document, signal)
        yield from _thresholds(signal)


def _has_conditions(level: Trigger) -> bool:
    return bool(level.all or level.any) and all(clause.all for clause in level.any)


def _told(document: SignalsDocument, signal: Signal) -> Iterator[Finding]:
    """Texts, playbook, and what is expected."""
    texts = [Text(signal.zh, signal.en), signal.evidence, signal.note, signal.action]
    texts += [Text(signal.expects.zh, signal.expects.en)] if signal.expects else []
    if not all(each.zh.strip() and each.en.strip() for each in texts if each is not None):
        yield _wrong(signal.code, "a text lacks its Chinese or its English.", "Write both.")
    action = document.playbooks.get(signal.playbook)
    if action is None:
        known = ", ".join(document.playbooks) or "none"
        yield _wrong(signal.code, f"there is no playbook {signal.playbook!r}.", f"Playbooks: {known}.")
    elif not (action.zh.strip() and action.en.strip()):
        yield _wrong(
            signal.playbook, "the playbook lacks its Chinese or its English.", "Write both under playbooks."
        )
    if signal.expects is None or signal.expects.months < 1:
        yield _wrong(signal.code, "it does not say what it expects, by when.", "Add expects: zh, en, months.")
    if not 1 <= signal.months <= LONGEST:
        yield _wrong(signal.code, f"{signal.months} months in a row cannot be asked for.", "Write 1 or 2.")
    if not signal.basis:
        yield _wrong(
            signal.code, "it does not say where its threshold comes from.", "Add basis, such as [P]."
        )


def _thresholds(signal: Signal) -> Iterator[Finding]:
    boxes = {level.level: list(_boxes(level)) for level in signal.levels}
    for level, own in boxes.items():
        place = f"{signal.code}, {level}"
        if all(any(i.empty for i in box.values()) for box in own):
            yield _wrong(place, "nothing meets its conditions.", "Look at the signs of its thresholds.")
    for graver, lesser in pairwise(signal.levels):
        place = f"{signal.code}, {lesser.level}"
        above = [box for level in signal.levels[: signal.levels.index(lesser)] for box in boxes[level.level]]
        if all(any(_covers(big, box) for big in above) for box in boxes[lesser.level]):
            problem = f"it is never reached: whatever meets it meets {graver.level} or a graver level."
            yield _wrong(place, problem, "Give it the wider threshold, or take it away.")
        elif (seam := _seam(boxes[graver.level], boxes[lesser.level])) is not None:
            yield _wrong(place, seam, f"Let it end where {graver.level} begins.")


def _boxes(level: Trigger) -> Iterator[Box]:
    for clause in level.any or (None,):
        box: dict[tuple[str, ...], Interval] = {}
        for condition in (*level.all, *(clause.all if clause else ())):
            key = condition.reads if not condition.plus else (condition.feature, "+", condition.plus)
            box[key] = box.get(key, Interval()).meet(_interval(condition))
        yield box


def _interval(condition: Condition) -> Interval:
    value = condition.value
    match condition.op:
        case Operator.LT:
            return Interval(high=value)
        case Operator.LE:
            return Interval(high=value, high_in=True)
        case Operator.GT:
            return Interval(low=value)
        case Operator.GE:
            return Interval(low=value, low_in=True)
        case Operator.EQ:
            return Interval(value, low_in=True, high=value, high_in=True)


def _covers(big: Box, small: Box) -> bool:
    return all(key in small and interval.covers(small[key]) for key, interval in big.items())


def _seam(graver: list[Box], lesser: list[Box]) -> str | None:
    """What is wrong where two levels of one value meet; None where they nest, touch, or are about more than one."""
    if len(graver) != 1 or len(lesser) != 1 or len(graver[0]) != 1 or graver[0].keys() != lesser[0].keys():
        return None
    (key,) = graver[0]
    one, other = lesser[0][key], graver[0][key]
    if one.covers(other):
        return None
    below, above = sorted((one, other), key=lambda each: (each.low, not each.low_in))
    shared = below.meet(above)
    if not shared.empty:
        return f"it overlaps the graver level in {key[0]} from {shared.low:g} to {shared.high:g}."
    if below.high != above.low or not (below.high_in or above.low_in):
        return f"between {below.high:g} and {above.low:g} of {key[0]} there is a gap that no level has."
    return None


def _dates(document: SignalsDocument) -> Iterator[Finding]:
    """Signals of one code follow each other in time without gap or overlap."""
    by_code: dict[str, list[Signal]] = {}
    for signal in document.signals:
        by_code.setdefault(signal.code, []).append(signal)
    for code, versions in by_code.items():
        if not all(_are_dates(version) for version in versions):
            yield _wrong(code, "its dates are none, or end before they begin.", "Write them as 2026-01-31.")
            continue
        versions.sort(key=lambda version: version.effective_from)
        for before, after in pairwise(versions):
            if not before.effective_to or before.effective_to > after.effective_from:
                yield _wrong(
                    code, "its code stands twice.", "Rename one, or let one end before the other begins."
                )
            elif before.effective_to < after.effective_from:
                problem = f"from {before.effective_to} to {after.effective_from} it does not hold."
                yield _wrong(code, problem, f"Let the later one begin on {before.effective_to}.")


def _are_dates(signal: Signal) -> bool:
    begin, end = signal.effective_from, signal.effective_to
    try:
        moments = [instant(each) for each in (begin, end) if each]
    except Invalid:
        return False
    return all(len(each) in {0, 10} for each in (begin, end)) and (
        len(moments) < 2 or moments[0] < moments[1]
    )


def _names(document: SignalsDocument, known: set[str]) -> Iterator[Finding]:
    for signal in document.signals:
        for name in dict.fromkeys([*signal.features, *placeholders(signal.evidence)]):
            if Name.parse(name).base not in known:
                remedy = "Check the feature catalogue."
                yield _wrong(signal.code, f"there is no feature {name!r}.", remedy)
