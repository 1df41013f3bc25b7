"""A policy made ready: what every engine of it is given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from features.canonical import digest
from features.errors import Integrity
from serving.policy.days import first_day
from serving.policy.facts import LIST
from serving.policy.lending import LimitPolicy, Reason
from serving.policy.model import PolicyDocument, PolicyKind, Row, Rule, Tables
from serving.policy.ready import ReadyRule, ReadySegment, ready_rule, ready_when
from serving.policy.terms import NAMES, OPTIONAL, ReadyTables, ready_tables

_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Policy:
    """A policy made ready; ``ready`` are the rules of all gates in order. ``schema`` is that of its bytes."""

    document: PolicyDocument
    data: bytes
    digest: str
    schema: int
    ready: tuple[ReadyRule, ...]
    segments: tuple[ReadySegment, ...]
    tables: ReadyTables | None

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all gates in order."""
        return tuple(ready.rule for ready in self.ready)

    @cached_property
    def facts(self) -> frozenset[str]:
        """Every name that a rule, a segment or the limit asks for."""
        return frozenset(name for _, name in self.asked)

    @cached_property
    def asked(self) -> tuple[tuple[str, str], ...]:
        """The place of every name that is asked for, with the name, in the order of the document."""
        whens = [(rule.id, rule.when) for rule in self.rules]
        whens += [(f"segment {one.id}", one.when) for one in self.document.segments]
        found = [(f"{place} {field}", name) for place, when in whens for field, name in when.asked]
        return (*found, *(self.document.limits.asked if self.document.limits else ()))

    @cached_property
    def lists(self) -> tuple[str, ...]:
        """The names of the lists that it asks."""
        return tuple(sorted(f.removeprefix(LIST) for f in self.facts if f.startswith(LIST)))

    @property
    def grades(self) -> bool:
        """Whether a model's grade decides."""
        return self.document.kind is PolicyKind.CREDIT

    @property
    def limits(self) -> LimitPolicy:
        """What limits a loan, of a policy for credit."""
        return _of_credit(self.document.limits)

    @property
    def score_reason(self) -> Reason:
        """What a refusal by score says at least, of a policy for credit."""
        return _of_credit(self.document.score_reason)

    @property
    def settled_day(self) -> int:
        """The day on which the last of its dated parts begins."""
        rows = _begun(self.document.tables) if self.document.tables else ()
        begun = [first_day(text) for text in (self.document.effective_from, *rows)]
        return max(*begun, *(ready.since for ready in self.ready), 0)

    def only(self, rule: Rule) -> Policy:
        """The same policy with one rule alone."""
        return replace(self, ready=tuple(ready for ready in self.ready if ready.rule is rule))


def ready_policy(document: PolicyDocument, data: bytes, schema: int) -> Policy:
    """A document that is not misshapen, made ready; ``schema`` is that of its bytes."""
    rules = tuple(ready_rule(rule) for gate in document.gates for rule in gate.rules)
    segments = tuple(ReadySegment(one, ready_when(one.when)) for one in document.segments)
    return Policy(document, data, digest(data), schema, rules, segments, ready_tables(document))


def _begun(tables: Tables) -> Iterable[str]:
    for name in (*NAMES, *OPTIONAL):
        rows: tuple[Row, ...] = getattr(tables, name)
        yield from (row.effective_from for row in rows)


def _of_credit(part: _Part | None) -> _Part:
    if part is None:
        raise Integrity("a policy of eligibility has no limits, prices or scores.", place="policy: kind")
    return part
