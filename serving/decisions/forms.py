"""What is equal in all decisions that the same versions make: made once, so that a decision writes only what is its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes, number_text
from features.matrix import FeatureMatrix, Missing
from features.rows import ABSENT, NUMBER, Objects
from serving.decisions.folded import Vocabulary
from serving.decisions.live import Live
from serving.decisions.traces import trace_of
from serving.explain.reasons import Grouping
from serving.policy.evaluate import RuleResult
from serving.policy.facts import Fact
from serving.policy.ready import ReadyRule

_NAME = "decisions"
_KINDS = tuple(Missing)
_KIND_TEXTS = [canonical_bytes(kind.name) for kind in _KINDS]
_LISTED_TEXTS = [b"null" if kind is Missing.NO_RECORD else canonical_bytes(kind.name) for kind in _KINDS]
_WORDS = np.array([NUMBER, *list(Missing)[1:]], dtype=np.int32)
"""What is written of a feature, by its kind of missing."""
_FLOAT = {float}
_MOST_TRACES = 20_000
"""Texts of rules' traces that are kept; beyond that they are forgotten."""

Facts = Mapping[str, Fact | Missing]


@dataclass(frozen=True, slots=True)
class Forms:
    """``asked`` are the features that the policy asks, at ``places`` of the matrix; ``digests`` the canonical text.

    ``listed`` writes a receipt's values without their names, which ``vocabulary`` tells once.
    """

    asked: tuple[str, ...]
    places: NDArray[np.intp]
    groupings: Mapping[str, Grouping]
    facts: FactForm
    contributions: Mapping[str, Objects]
    traces: TraceForm
    listed: Listed
    vocabulary: Vocabulary
    digests: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """What a receipt says of facts, contributions by model, and rules, as lists."""

    facts: FactForm
    contributions: Mapping[str, Objects]
    traces: TraceForm


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
        Listed(
            FactForm(columns, listed=True),
            {name: Objects(scorer.columns, listed=True) for name, scorer in live.scorers.items()},
            TraceForm(live.policy.ready, live.policy.schema, listed=True),
        ),
        Vocabulary(live),
        canonical_bytes(dict(live.slots)),
    )


class FactForm:
    """Writes all facts of decisions: every feature, and what else was known of the request."""

    def __init__(self, columns: Sequence[str], *, listed: bool = False) -> None:
        self._columns = tuple(columns)
        self._listed = listed
        self._texts = _LISTED_TEXTS if listed else _KIND_TEXTS
        self._objects: dict[tuple[str, ...], tuple[Objects, list[int]]] = {}

    def write(self, matrix: FeatureMatrix, requests: Sequence[Facts]) -> list[bytes]:
        """The text of each row; a fact of the request stands for a feature of its name."""
        names, columns = _columns(requests)
        objects, places = self._of(names)
        count, own = matrix.values.shape
        values = np.zeros((count, len(objects.names)))
        words = np.full(values.shape, ABSENT, dtype=np.int32)
        values[:, :own] = matrix.values
        words[:, :own] = _WORDS[matrix.missing]
        more = _fill(values, words, places, columns)
        return objects.write(values, words, self._texts + more)

    def _of(self, names: tuple[str, ...]) -> tuple[Objects, list[int]]:
        """What writes rows whose requests have the facts ``names``, and these names' columns."""
        if names not in self._objects:
            every = tuple(dict.fromkeys((*self._columns, *names)))
            at = {name: place for place, name in enumerate(every)}
            self._objects[names] = Objects(every, listed=self._listed), [at[name] for name in names]
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
    places: Sequence[int],
    columns: Sequence[Sequence[Fact | Missing | None]],
) -> list[bytes]:
    """Write columns of facts to their places; the canonical texts that some of them are. None is left as it is."""
    texts = {kind.name: int(kind) for kind in _KINDS}
    numbers = [set(map(type, column)) == _FLOAT for column in columns]
    at = [place for place, is_number in zip(places, numbers, strict=True) if is_number]
    if at:
        values[:, at] = np.array(list(compress(columns, numbers))).T
        words[:, at] = NUMBER
    for place, column, is_number in zip(places, columns, numbers, strict=True):
        if not is_number:
            _fill_mixed(values[:, place], words[:, place], column, texts)
    return [canonical_bytes(text) for text in list(texts)[len(_KINDS) :]]


def _fill_mixed(
    values: NDArray[np.float64],
    words: NDArray[np.int32],
    facts: Sequence[Fact | Missing | None],
    texts: dict[str, int],
) -> None:
    """One column; a new text is given the next place among ``texts``."""
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
    listed: bool = False
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
        if not self.rules[place].narrow:
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
            self._ends[key] = self._end(result)
        actual = ",".join(_told(fact) for fact in result.actual)
        return (b"[[" if self.listed else b'{"actual":[') + actual.encode() + self._ends[key]

    def _end(self, result: RuleResult) -> bytes:
        """What follows the facts."""
        if self.listed:
            return canonical_bytes([[], result.applies, result.effect.name.lower(), result.truth])[2:]
        return canonical_bytes(trace_of(result, self.schema))[len(b'{"actual":[') :]


def _told(fact: Fact | Missing) -> str:
    if isinstance(fact, float):
        return number_text(fact)
    return canonical_bytes(fact.name if isinstance(fact, Missing) else fact).decode()
