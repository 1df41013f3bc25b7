"""Versions as a person writes them: a text, all that is wrong with it and where, and how it differs from another version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from features.canonical import canonical_bytes, digest
from features.contracts.documents import convert, parse_text
from features.definitions.plan import FeaturePlan
from features.errors import Integrity, Invalid
from serving.classes.checks import findings as class_findings
from serving.classes.document import ClassesDocument
from serving.classes.operations import examine as examine_classes
from serving.classes.parameters import SHIPPED as CLASSES
from serving.governance.lines import line_of
from serving.policy.analysis import analyse
from serving.policy.days import day_of
from serving.policy.diff import Difference, changes
from serving.policy.findings import Finding, Severity, error
from serving.policy.load import CITY, draft_of, read_policy
from serving.registry.documents import SORTS
from serving.registry.model import Kind
from serving.watch.analysis import findings as signal_findings
from serving.watch.signals import SHIPPED as SIGNALS
from serving.watch.signals import SignalsDocument
from serving.watch.trying import examine as examine_signals

WRITTEN = (Kind.POLICY, Kind.SIGNALS, Kind.CLASSES, Kind.HANDLING, Kind.PLAYBOOKS, Kind.MONITORING)
"""What people write as a text; the rest is made by programs."""
SHIPPED = {Kind.POLICY: CITY, Kind.SIGNALS: SIGNALS, Kind.CLASSES: CLASSES} | {
    kind: sort.shipped for kind, sort in SORTS.items()
}
"""The file that one may begin with where nothing is in force."""
WHERE = "text"
_TYPES: dict[Kind, type[Any]] = {Kind.SIGNALS: SignalsDocument, Kind.CLASSES: ClassesDocument} | {
    kind: sort.type for kind, sort in SORTS.items()
}
_NAMES = ("id", "code", "level", "name")


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding with the line of the text that it is about, counted from 1; 0 where no line can be named."""

    severity: Severity
    place: str
    problem: str
    remedy: str
    line: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A text that was read: ``data`` are the bytes that would be stored, None where an error refuses it."""

    kind: Kind
    text: str
    findings: tuple[Placed, ...]
    data: bytes | None

    @property
    def digest(self) -> str:
        """The name under which it would be stored; empty where it would not."""
        return "" if self.data is None else digest(self.data)


def read_draft(kind: Kind, text: str, plan: FeaturePlan | None, now: int) -> Draft:
    """Look for all that is wrong with a text, against the features of a plan where there is one, if it began now (µs)."""
    data: bytes | None = None
    try:
        data, found = _read(kind, parse_text(text, WHERE), plan, now)
    except (Invalid, Integrity) as broken:
        found = [error(kind.value, broken.place or WHERE, broken.message, broken.remedy or "")]
    except (ValueError, TypeError, OverflowError) as broken:
        found = [error(kind.value, WHERE, f"it cannot be read: {broken}.", "Mend that value.")]
    if any(one.severity is Severity.ERROR for one in found):
        data = None
    placed = (
        Placed(one.severity, one.place, one.problem, one.remedy, line_of(text, one.place, one.problem))
        for one in found
    )
    return Draft(kind, text, tuple(placed), data)


def text_of(kind: Kind, data: bytes) -> str:
    """Stored bytes as a text that, read again, is the same to the byte."""
    return yaml.safe_dump(_told(kind, data), allow_unicode=True, sort_keys=False, width=120)


def shipped_text(kind: Kind) -> str:
    """The text that is shipped, with its comments."""
    return SHIPPED[kind].read_text(encoding="utf-8")


def differences(kind: Kind, before: bytes, after: bytes) -> list[Difference]:
    """How two stored versions differ, in the order of their documents."""
    return changes(_told(kind, before), _told(kind, after), ("id",) if kind is Kind.POLICY else _NAMES)


@lru_cache(maxsize=2)
def plan_of(document: bytes) -> FeaturePlan:
    """The plan in these bytes; the one in force is read once a process."""
    return FeaturePlan.load(document)


def _told(kind: Kind, data: bytes) -> Any:
    if kind is Kind.POLICY:
        policy = read_policy(data)
        return msgspec.json.decode(data) if policy.schema == 1 else msgspec.to_builtins(policy.document)
    return msgspec.to_builtins(msgspec.json.decode(data, type=_TYPES[kind]))


def _read(kind: Kind, value: Any, plan: FeaturePlan | None, now: int) -> tuple[bytes, list[Finding]]:
    if kind is Kind.POLICY:
        return _policy(value, plan, now)
    document = convert(value, _TYPES[kind], WHERE)
    data = canonical_bytes(document)
    if isinstance(document, SignalsDocument):
        return data, signal_findings(document) if plan is None else examine_signals(document, plan)
    if isinstance(document, ClassesDocument):
        return data, class_findings(document) if plan is None else examine_classes(document, plan)
    SORTS[kind].check(document)
    return data, []


def _policy(value: Any, plan: FeaturePlan | None, now: int) -> tuple[bytes, list[Finding]]:
    columns = None if plan is None else {column.name: column for column in plan.columns}
    policy, found = draft_of(value, WHERE, None if columns is None else columns.values())
    if policy is None:
        return b"", found
    return policy.data, analyse(policy, columns, day_of(now))
