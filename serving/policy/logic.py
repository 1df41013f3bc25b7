"""Whether the rules of a policy can do anything: found by asking the engine itself about every kind of case.

Between the numbers that conditions name nothing changes, so that one value of each stretch, each word and each kind
of missing stand for all cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from typing import Any

from features.canonical import code_of
from features.matrix import Column, ColumnKind, Missing
from serving.policy import facts as names
from serving.policy.evaluate import truth_in
from serving.policy.facts import Fact
from serving.policy.findings import Finding, error, warning
from serving.policy.model import Condition, Effect, PolicyDocument, Rule, Scope, Segment, Unknown
from serving.policy.policy import Policy
from serving.policy.ready import ReadyRule, truth_of

MOST_STATES = 20_000
"""Cases beyond which a question is left open, and said to be."""
OTHER = "\0"
"""A word that no document names."""
_MISSING = tuple(Missing)[1:]
_SIGNED_UNITS = frozenset({"", "yuan"})
_FLAGS = (names.CONSENT, names.LIST)
Columns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that a fact can have: ``words``, with others beside them if ``open``; or numbers from low to high."""

    words: tuple[str, ...] = ()
    open: bool = True
    low: float = float("-inf")
    high: float = float("inf")
    numbers: tuple[float, ...] = ()


def domain_of(fact: str, document: PolicyDocument, columns: Columns | None) -> Domain:
    """What a fact can be."""
    texts = {
        names.PRODUCT: Domain(tuple(document.products), open=False),
        names.PURPOSE: Domain(tuple(document.purposes)),
        names.REGION: Domain(tuple(document.regions)),
        names.IDENTITY: Domain(tuple(names.Identity), open=False),
        names.AML: Domain(tuple(names.Aml), open=False),
    }
    if fact in texts:
        return texts[fact]
    if fact.startswith(_FLAGS):
        return Domain(numbers=(0.0, 1.0))
    if fact in names.NUMBERS:
        return Domain(low=0.0)
    column = columns.get(fact) if columns else None
    if column is None:
        return Domain()
    if column.kind is ColumnKind.CATEGORY:
        return Domain(tuple(text for _, text in column.labels), open=not column.labels)
    return Domain(low=float("-inf") if column.unit in _SIGNED_UNITS else 0.0)


class Cases:
    """All cases that conditions on some facts can tell apart."""

    def __init__(self, policy: Policy, columns: Columns | None) -> None:
        self._document = policy.document
        self._columns = columns
        self._conditions = _by_fact(policy.document)

    def values(self, fact: str) -> list[Fact]:
        """One of each kind of value of a fact."""
        domain = domain_of(fact, self._document, self._columns)
        named = [value for c in self._conditions.get(fact, ()) for value in _named(c)]
        if domain.words or any(isinstance(value, str) for value in named):
            words = sorted({*domain.words, *map(str, named), *((OTHER,) if domain.open else ())})
            known = [w for w in words if domain.open or w in domain.words]
            return [word if names.is_text(fact) else float(code_of(word)) for word in known]
        if domain.numbers:
            return list(domain.numbers)
        cuts = sorted({float(value) for value in named})
        between = [(a + b) / 2 for a, b in pairwise(cuts)]
        ends = [cuts[0] - 1, cuts[-1] + 1] if cuts else [0.0]
        edges = [edge for edge in (domain.low, domain.high) if abs(edge) != float("inf")]
        return sorted(v for v in {*cuts, *between, *ends, *edges} if domain.low <= v <= domain.high)

    def of(self, facts: Iterable[str], *, known: bool = False) -> Iterator[dict[str, Fact | Missing]] | None:
        """Every case of these facts, with each kind of missing unless ``known``; None where there are too many."""
        asked = sorted(set(facts))
        choices: list[list[Fact | Missing]] = [
            [*self.values(fact), *(() if known else _MISSING)] for fact in asked
        ]
        if prod(len(each) for each in choices) > MOST_STATES:
            return None
        return (dict(zip(asked, values, strict=True)) for values in product(*choices))


def logic(policy: Policy, columns: Columns | None) -> Iterator[Finding]:
    """Rules and segments that can do nothing, or always do the same."""
    cases = Cases(policy, columns)
    if policy.schema > 1:
        yield from _words(policy, columns)
    for ready in policy.ready:
        yield from _alone(ready, cases)
    for place, later in enumerate(policy.ready):
        yield from _shadowed(later, policy.ready[:place], cases)
    for place in range(len(policy.segments)):
        yield from _segment(policy, place, cases)


def _words(policy: Policy, columns: Columns | None) -> Iterator[Finding]:
    for place, condition in _conditions(policy.document):
        domain = domain_of(condition.fact, policy.document, columns)
        for value in _named(condition):
            if isinstance(value, str):
                known = value in domain.words
                if domain.words and not known:
                    remedy = f"It can be: {', '.join(domain.words)}."
                    yield error("outside_codes", place, f"{condition.fact} is never {value!r}.", remedy)
            elif domain.numbers and float(value) not in domain.numbers:
                yield error("outside_codes", place, f"{condition.fact} is never {value}.", "It is 0 or 1.")


def _alone(ready: ReadyRule, cases: Cases) -> Iterator[Finding]:
    """Contradictions, and conditions that are always or never true of what is known."""
    rule = ready.rule
    if ready.since >= ready.end:
        return
    dead = [c for c in ready.when.conditions if not any(truth_of(c, v) for v in cases.values(c.fact))]
    for condition in dead:
        problem = f"the condition on {condition.fact} can never be true."
        yield error("never_true", rule.id, problem, "Mend the value, or take it out.")
    facts = [condition.fact for condition in ready.when.conditions]
    known = cases.of(facts, known=True)
    if known is None:
        yield _too_wide(rule.id)
        return
    truths = {truth_in(ready.when, case) for case in known}
    if truths == {False} and not dead:
        problem = f"its conditions on {', '.join(sorted(set(facts)))} contradict each other."
        yield error("contradiction", rule.id, problem, "Mend one of them; no case meets all.")
    if truths == {True}:
        problem = "it is true of every case that is known."
        yield error("always_true", rule.id, problem, "Mend the values; a rule tells cases apart.")


def _shadowed(later: ReadyRule, earlier: Sequence[ReadyRule], cases: Cases) -> Iterator[Finding]:
    for one in earlier:
        if _facts(one) <= _facts(later) and _within(later, one) and _never_worse(later, one, cases):
            problem = f"whatever it strikes, {one.rule.id} strikes before it, as hard or harder."
            remedy = "Take it out, or narrow the earlier one: it never decides."
            yield error("unreachable", later.rule.id, problem, remedy)
            return


def _never_worse(later: ReadyRule, earlier: ReadyRule, cases: Cases) -> bool:
    found = cases.of(_facts(later))
    if found is None:
        return False
    return all(effect_in(earlier, case) >= effect_in(later, case) for case in found)


def effect_in(ready: ReadyRule, case: Mapping[str, Fact | Missing]) -> Effect:
    """What a rule that applies does to a case."""
    truth = truth_in(ready.when, case)
    if truth is None:
        kinds = (case.get(c.fact, Missing.NO_RECORD) for c in ready.when.conditions)
        return max(ready.on_missing[kind] for kind in kinds if isinstance(kind, Missing))
    return ready.effect if truth else Effect.PASS


def _within(later: ReadyRule, earlier: ReadyRule) -> bool:
    """Whether the earlier rule is asked wherever the later one is."""
    mine, other = later.scope or Scope(), earlier.scope or Scope()
    pairs = (
        (mine.products, other.products), (mine.segments, other.segments), (mine.regions, other.regions),
    )  # fmt: skip
    inside = all(not wide or (bool(narrow) and set(narrow) <= set(wide)) for narrow, wide in pairs)
    harder = earlier.rule.force is later.rule.force or earlier.rule.force.value == "hard"
    return inside and harder and earlier.since <= later.since and later.end <= earlier.end


def _segment(policy: Policy, place: int, cases: Cases) -> Iterator[Finding]:
    ready = policy.segments[place]
    facts = {c.fact for one in policy.segments[: place + 1] for c in one.when.conditions}
    found = cases.of(facts)
    name = f"segment {ready.segment.id}"
    if found is None:
        yield _too_wide(name)
        return
    for case in found:
        takers = (k for k in range(place + 1) if _takes(policy, k, case))
        if next(takers, None) == place:
            return
    problem = "no case comes to it: an earlier segment takes all, or its condition is never true."
    yield error("unreachable", name, problem, "Move it up, mend it, or take it out.")


def _takes(policy: Policy, place: int, case: Mapping[str, Fact | Missing]) -> bool:
    ready = policy.segments[place]
    truth = truth_in(ready.when, case)
    return ready.segment.unknown is Unknown.MATCH if truth is None else truth


def _too_wide(place: str) -> Finding:
    return warning("too_wide", place, "it asks too many facts to be looked at case by case.", "Split it.")


def _facts(ready: ReadyRule) -> set[str]:
    return {condition.fact for condition in ready.when.conditions}


def _conditions(document: PolicyDocument) -> Iterator[tuple[str, Condition]]:
    rules: list[Rule] = [rule for gate in document.gates for rule in gate.rules]
    for rule in rules:
        yield from ((rule.id, condition) for condition in rule.when.conditions)
    segments: tuple[Segment, ...] = document.segments
    for segment in segments:
        yield from ((f"segment {segment.id}", condition) for condition in segment.when.conditions)


def _by_fact(document: PolicyDocument) -> dict[str, list[Condition]]:
    found: dict[str, list[Condition]] = {}
    for _, condition in _conditions(document):
        found.setdefault(condition.fact, []).append(condition)
    return found


def _named(condition: Condition) -> Sequence[Any]:
    return condition.value if isinstance(condition.value, list | tuple) else [condition.value]
