"""What lies before a reviewer: the decision and why, the facts that count, what the subject says, what may be granted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from features.calendar import iso
from features.canonical import canonical_bytes, digest
from features.consent import Consent, Purpose, stated_basis
from features.contracts.model import Contract
from features.definitions.plan import FeaturePlan
from serving.cases.bounds import Bounds
from serving.decisions.receipt import FactText, Receipt
from serving.records.disputes import Dispute
from serving.rights.statements import Statement

MOST_FACTS = 12


class SeenFact(msgspec.Struct, frozen=True):
    """A feature that counted: what it was, and what it added in 1e-9 logits of default."""

    feature: str
    zh: str
    en: str
    unit: str
    value: FactText
    log_odds: int


class SeenRule(msgspec.Struct, frozen=True):
    """A rule that struck, with what it expected and found."""

    id: str
    source: str
    effect: str
    expected: tuple[dict[str, Any], ...]
    actual: tuple[FactText, ...]


class SeenDispute(msgspec.Struct, frozen=True):
    """What the subject says is wrong, and what came of it."""

    dataset: str
    ground: str
    raised_at: str
    due_at: str
    verdict: str | None


class SeenStatement(msgspec.Struct, frozen=True):
    """What the subject says of its own records."""

    dataset: str
    text: str
    added_at: str


class SeenConsent(msgspec.Struct, frozen=True):
    """Whether the consent of the decision still holds. ``own_data`` is what the contract with the bank lets it read
    after the loan without one.
    """

    consent_id: str
    state: str
    since: str
    zh: str
    en: str
    own_data: tuple[str, ...]


class Evidence(msgspec.Struct, frozen=True):
    """All of it; its digest is what a person's receipt says that they saw."""

    decision: dict[str, Any]
    asked: dict[str, Any]
    facts: tuple[SeenFact, ...]
    rules: tuple[SeenRule, ...]
    missing_sources: dict[str, str]
    disputed_then: tuple[str, ...]
    disputes: tuple[SeenDispute, ...]
    statements: tuple[SeenStatement, ...]
    consent: SeenConsent
    bounds: Bounds

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical document, in hexadecimal."""
        return digest(canonical_bytes(self))


@dataclass(frozen=True, slots=True)
class About:
    """What the store knows beside the receipt, at a moment (µs)."""

    consent: Consent | None
    disputes: list[Dispute]
    statements: list[Statement]
    at: int


def evidence_of(receipt: Receipt, plan: FeaturePlan, bounds: Bounds, about: About) -> Evidence:
    """The evidence of a case."""
    answer = receipt.answer
    return Evidence(
        decision=answer,
        asked=msgspec.to_builtins(receipt.case.asked),
        facts=facts_of(receipt, plan),
        rules=tuple(
            SeenRule(rule.id, rule.source, rule.effect, rule.expected, rule.actual) for rule in receipt.struck
        ),
        missing_sources=answer.get("missing_sources") or {},
        disputed_then=receipt.case.disputed,
        disputes=tuple(
            SeenDispute(d.dataset, d.ground, iso(d.raised_at), iso(d.due_at), d.verdict)
            for d in about.disputes
        ),
        statements=tuple(SeenStatement(s.dataset, s.text, iso(s.added_at)) for s in about.statements),
        consent=_consent(receipt, about, plan.contracts.values()),
        bounds=bounds,
    )


def facts_of(receipt: Receipt, plan: FeaturePlan, most: int = MOST_FACTS) -> tuple[SeenFact, ...]:
    """The features that moved the score most, the largest part first; none where no model scored."""
    model = (receipt.answer.get("score") or {}).get("model", "")
    score = receipt.scores.get(model)
    if score is None:
        return ()
    columns = {column.name: column for column in plan.columns}
    counted = sorted(score.contributions.items(), key=lambda each: (-abs(each[1]), each[0]))
    return tuple(
        SeenFact(
            name, columns[name].zh, columns[name].en, columns[name].unit, receipt.facts[name], value
        )
        for name, value in counted[:most]
        if value and name in columns
    )  # fmt: skip


_SAID = {
    "live": ("授权有效。", "The consent holds."),
    "withdrawn": (
        "授权已撤回：不得据此批准；决定作出之前的读取仍属合法，依合同取得的本行数据仍可用于贷后管理。",
        "The consent was withdrawn: nothing may be approved under it. What was read before stays lawful, and the bank's own data under the contract may still be read after the loan.",
    ),
    "ended": ("授权已到期。", "The consent has ended."),
    "unknown": ("没有授权记录。", "No consent is recorded."),
}  # fmt: skip


def _consent(receipt: Receipt, about: About, contracts: Iterable[Contract]) -> SeenConsent:
    consent = about.consent
    state, since = "unknown", ""
    if consent is not None:
        withdrawn = consent.withdrawn_at
        live = withdrawn is None and consent.is_live(about.at)
        state = "withdrawn" if withdrawn is not None else "live" if live else "ended"
        begun = withdrawn if withdrawn is not None else consent.valid_from if live else consent.valid_to
        since = iso(begun)
    own = [one.dataset for one in contracts if stated_basis(one, Purpose.POST_LOAN_MANAGEMENT) == "contract"]
    zh, en = _SAID[state]
    return SeenConsent(receipt.case.consent.consent_id, state, since, zh, en, tuple(sorted(own)))
