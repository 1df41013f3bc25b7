"""Policies for tests: the city's with other rules, or with one part changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from features.canonical import canonical_bytes
from serving.policy.days import first_day
from serving.policy.findings import Finding
from serving.policy.load import CITY, draft, policy_from_yaml, read_policy
from serving.policy.policy import Policy

CITY_POLICY = policy_from_yaml(CITY)
PLAIN = {"no_record": "pass", "source_down": "refer", "not_authorised": "decline"}
TODAY = first_day("2025-01-02")


def rule(name: str, effect: str, join: str, *conditions: tuple[str, str, Any], **more: Any) -> dict[str, Any]:
    """One rule of a document."""
    stated = [{"fact": fact, "op": op, "value": value} for fact, op, value in conditions]
    base = {
        "id": name, "source": "house:test", "code": name, "effect": effect, "force": "soft", "when": {join: stated},
        "missing": PLAIN,
    }  # fmt: skip
    return {**base, "zh": "测试规则", "en": "a rule of this test", **more}


def document_of(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The city's policy with other rules and parts, as plain values."""
    document = plain()
    gates = [{"id": "only", "title": {"zh": "门", "en": "gate"}, "rules": list(rules)}]
    return {**document, "gates": gates, **changes}


def policy_of(*rules: dict[str, Any], **changes: Any) -> Policy:
    """The same, made ready without an analysis, which would ask for gates of identity and money laundering."""
    return read_policy(canonical_bytes(document_of(*rules, **changes)))


def drawn_policy(*rules: dict[str, Any], **changes: Any) -> Policy:
    """The same, made ready without an analysis: what is drawn by chance seldom makes sense."""
    return read_policy(canonical_bytes(document_of(*rules, **changes)))


def plain() -> dict[str, Any]:
    """The city's policy as plain values that may be changed."""
    document: dict[str, Any] = msgspec.json.decode(CITY_POLICY.data)
    return document


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The city's policy after a change."""
    document = plain()
    change(document)
    return canonical_bytes(document)


def findings(change: Callable[[dict[str, Any]], object], **more: Any) -> list[Finding]:
    """What is found in the city's policy after a change."""
    return draft(changed(change), **more)[1]
