"""The receipt: everything that led to a decision, canonical, compressed, under the subject's own key."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

from features.canonical import canonical_bytes, digest
from features.errors import Integrity
from features.matrix import Missing
from serving.decisions.case import Case
from serving.decisions.decider import Decision
from serving.decisions.grading import ModelScore
from serving.explain.reasons import Explanation
from serving.policy.evaluate import RuleResult
from serving.policy.facts import Fact
from serving.store.keys import seal, unseal

ENGINE = "yidai 0.1.0"
SCHEMA = 3
READABLE = (1, 2, 3)
"""Schema 1 knows no single records and no disputes, schema 2 no interval; both are written again as they were."""

FactText = float | int | str
"""A fact in a receipt: its value, or ``NO_RECORD``, ``SOURCE_DOWN``, ``NOT_AUTHORISED``."""


class RuleTrace(msgspec.Struct, frozen=True):
    """One rule: what it asked, what it found. ``truth`` is null where unknown.

    Policies of schema 1 do not say its ``force``, and ask each rule of everybody.
    """

    id: str
    source: str
    expected: tuple[dict[str, Any], ...]
    joined: str
    actual: tuple[FactText, ...]
    truth: bool | None
    effect: str
    force: str | msgspec.UnsetType = msgspec.UNSET
    applies: bool | msgspec.UnsetType = msgspec.UNSET


class Receipt(msgspec.Struct, frozen=True):
    """``facts`` are all features and request facts that models and rules could see."""

    schema: int
    engine: str
    case: Case
    digests: dict[str, str]
    facts: dict[str, FactText]
    rules: tuple[RuleTrace, ...]
    scores: dict[str, ModelScore]
    explanation: Explanation | None
    answer: dict[str, Any]
    answer_digest: str


def write_receipt(decision: Decision, schema: int = SCHEMA) -> bytes:
    """Canonical bytes of a decision's receipt; a replay writes the schema that was stored."""
    answer = decision.answer
    return canonical_bytes(
        Receipt(
            schema=schema,
            engine=ENGINE,
            case=decision.case,
            digests=answer.digests,
            facts={name: _text(fact) for name, fact in decision.facts.items()},
            rules=tuple(_trace(result, decision.policy_schema) for result in decision.rules),
            scores=dict(decision.scores),
            explanation=decision.explanation,
            answer=msgspec.to_builtins(answer),
            answer_digest=digest(decision.answer_bytes),
        )
    )


def read_receipt(data: bytes) -> Receipt:
    """A receipt from its bytes.

    Raises:
        Integrity: not a receipt that this engine reads.
    """
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except msgspec.DecodeError as error:
        raise Integrity(f"the receipt cannot be read: {error}.") from error
    if receipt.schema not in READABLE:
        raise Integrity(f"the receipt has schema {receipt.schema}, which this engine does not read.")
    return receipt


def seal_receipt(data: bytes, key: bytes, decision_id: str) -> bytes:
    """Compressed and encrypted under the subject's data key; bound to its decision."""
    return seal(key, zlib.compress(data, 1), _context(decision_id))


def open_receipt(sealed: bytes, key: bytes, decision_id: str) -> bytes:
    """The bytes that were sealed.

    Raises:
        Unreadable: changed bytes, another key or another decision's.
    """
    return zlib.decompress(unseal(key, sealed, _context(decision_id)))


def differences(stored: bytes, computed: bytes, most: int = 20) -> list[str]:
    """Where two JSON documents differ, as ``path: stored -> computed``."""
    found: list[str] = []
    _walk("", msgspec.json.decode(stored), msgspec.json.decode(computed), found)
    return found[:most]


def _walk(path: str, left: Any, right: Any, found: list[str]) -> None:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        for name in sorted({*left, *right}):
            _walk(f"{path}.{name}".lstrip("."), left.get(name), right.get(name), found)
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for place, (a, b) in enumerate(zip(left, right, strict=True)):
            _walk(f"{path}[{place}]", a, b, found)
    elif left != right:
        found.append(f"{path}: {left!r} -> {right!r}")


def _context(decision_id: str) -> bytes:
    return f"receipt {decision_id}".encode()


def _text(fact: Fact | Missing) -> FactText:
    return fact.name if isinstance(fact, Missing) else fact


def _trace(result: RuleResult, policy_schema: int) -> RuleTrace:
    rule = result.rule
    trace = RuleTrace(
        rule.id, rule.source, tuple(msgspec.to_builtins(condition) for condition in rule.when.conditions),
        "all" if rule.when.all else "any", tuple(_text(fact) for fact in result.actual), result.truth,
        result.effect.name.lower(),
    )  # fmt: skip
    if policy_schema == 1:
        return trace
    return msgspec.structs.replace(trace, force=rule.force.value, applies=result.applies)
