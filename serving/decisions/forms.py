"""What is equal in all decisions that the same versions make: made once, so that a decision writes only what is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes, number_text
from features.matrix import FeatureMatrix, Missing
from features.rows import ABSENT, NUMBER, Objects
from serving.decisions.live import Live
from serving.explain.reasons import Grouping
from serving.policy.evaluate import RuleResult
from serving.policy.facts import Fact
from serving.policy.ready import ReadyRule

_NAME = "decisions"
_KINDS = tuple(Missing)
_KIND_TEXTS = [canonical_bytes(kind.name) for kind in _KINDS]
_MOST_TRACES = 20_000
"""Texts of rules' traces that are kept; beyond that they are forgotten."""

Facts = Mapping[str, Fact | Missing]


@dataclass(frozen=True, slots=True)
class Forms:
    """``asked`` are the features that the policy asks, at ``places`` of the matrix; ``digests`` the canonical text."""

    asked: tuple[str, ...]
    places: NDArray[np.intp]
    groupings: Mapping[str, Grouping]
    facts: FactForm
    contributions: Mapping[str, Objects]
    traces: TraceForm
    digests: bytes


def forms_of(live: Live) -> Forms:
    """The forms of these versions."""
    found = live.made.get(_NAME)
    if found is None:
        live.made[_NAME] = found = _made(live)
    assert isinstance(found, Forms)
    return found


def _made(live: Live) -> Forms:
    columns = [column.name for column in live.plan.columns]
    wanted = live.policy.facts
    asked = [(name, place) for place, name in enumerate(columns) if name in wanted]
    return Forms(
        tuple(name for name, _ in asked),
        np.array([place for _, place in asked], dtype=np.intp),
        {name: Grouping.of(scorer.columns, live.reason_of) for name, scorer in live.scorers.items()},
        FactForm(columns),
        {name: Objects(scorer.columns) for name, scorer in live.scorers.items()},
        TraceForm(live.policy.ready, live.policy.schema),
        canonical_bytes(dict(live.slots)),
    )


class FactForm:
    """Writes all facts of decisions: every feature, and what else was known of the request."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._objects: dict[tuple[str, ...], Objects] = {}

    def write(self, matrix: FeatureMatrix, requests: Sequence[Facts]) -> list[bytes]:
        """The object of each row; a fact of the request stands for a feature of its name."""
        names, columns = _columns(requests)
        objects = self._of(names)
        at = {name: place for place, name in enumerate(objects.names)}
        count, own = matrix.values.shape
        values = np.zeros((count, len(objects.names)))
        words = np.full(values.shape, ABSENT, dtype=np.int32)
        values[:, :own] = matrix.values
        kinds = matrix.missing.astype(np.int32)
        words[:, :own] = np.where(kinds == Missing.PRESENT, NUMBER, kinds)
        texts = {kind.name: int(kind) for kind in _KINDS}
        for name, column in zip(names, columns, strict=True):
            _fill(values[:, at[name]], words[:, at[name]], column, texts)
        more = [canonical_bytes(text) for text in list(texts)[len(_KINDS) :]]
        return objects.write(values, words, _KIND_TEXTS + more)

    def _of(self, names: tuple[str, ...]) -> Objects:
        if names not in self._objects:
            self._objects[names] = Objects(tuple(dict.fromkeys((*self._columns, *names))))
        return self._objects[names]


def _columns(requests: Sequence[Facts]) -> tuple[tuple[str, ...], list[Sequence[Fact | Missing | None]]]:
    """Facts by name; None in rows that have none of the name."""
    every = [tuple(facts) for facts in requests]
    if len(set(every)) == 1:
        return every[0], list(zip(*[facts.values() for facts in requests], strict=True))
    names = tuple(sorted({name for own in every for name in own}))
    return names, [[facts.get(name) for facts in requests] for name in names]


def _fill(
    values: NDArray[np.float64],
    words: NDArray[np.int32],
    facts: Sequence[Fact | Missing | None],
    texts: dict[str, int],
) -> None:
    """One column of facts; a new text is given the next place among ``texts``. What is None is left as it is."""
    if set(map(type, facts)) == {float}:
        values[:], words[:] = facts, NUMBER
        return
    for row, fact in enumerate(facts):
        if isinstance(fact, float):
            values[row], words[row] = fact, NUMBER
        elif fact is not None:
            text = fact.name if isinstance(fact, Missing) else fact
            words[row] = texts.setdefault(text, len(texts))


@dataclass(slots=True)
class TraceForm:
    """Writes what the rules of one policy found. Cases share most results, so that a text is found by its result."""

    rules: Sequence[ReadyRule]
    schema: int
    _shared: dict[int, tuple[RuleResult, bytes]] = field(default_factory=dict)
    _other: dict[tuple[object, ...], bytes] = field(default_factory=dict)
    _ends: dict[tuple[object, ...], bytes] = field(default_factory=dict)

    def write(self, results: Sequence[RuleResult]) -> bytes:
        """The list of traces, in the order of the rules."""
        shared, found = self._shared, []
        for place, result in enumerate(results):
            known = shared.get(id(result))
            found.append(self._text(place, result) if known is None else known[1])
        return b"[" + b",".join(found) + b"]"

    def _text(self, place: int, result: RuleResult) -> bytes:
        """A shared result is kept beside its text, so that no other one gets its identity."""
        if self.rules[place].direct is not None:
            if len(self._shared) >= _MOST_TRACES:
                self._shared.clear()
            return self._shared.setdefault(id(result), (result, self._trace(place, result)))[1]
        actual = result.actual
        key = (place, result.truth, result.effect, result.applies, actual, *map(type, actual))
        text = self._other.get(key)
        if text is None:
            if len(self._other) >= _MOST_TRACES:
                self._other.clear()
            text = self._other[key] = self._trace(place, result)
        return text

    def _trace(self, place: int, result: RuleResult) -> bytes:
        key = (place, result.truth, result.effect, result.applies)
        if key not in self._ends:
            self._ends[key] = canonical_bytes(trace_of(result, self.schema))[len(b'{"actual":[]') :]
        actual = ",".join(_told(fact) for fact in result.actual)
        return b'{"actual":[' + actual.encode() + b"]" + self._ends[key]


def _told(fact: Fact | Missing) -> str:
    if isinstance(fact, float):
        return number_text(fact)
    return canonical_bytes(fact.name if isinstance(fact, Missing) else fact).decode()


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
