"""Receipts of schema 5: what all receipts of the same versions say alike stands once in each, at its end.

Names of facts and columns and the conditions of rules are three quarters of a receipt. Beside lists of values they
need be written, compressed and looked through once for all decisions of the same versions, and still each receipt
can be read by itself, years later, from its own bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from features.canonical import canonical_bytes, canonical_struct
from features.matrix import Missing
from serving.decisions.case import Case
from serving.decisions.grading import ModelScore
from serving.decisions.live import Live
from serving.decisions.shadows import Shadow
from serving.decisions.traces import RuleTrace
from serving.explain.reasons import Explanation, ScoreReason
from serving.policy.model import Rule
from training.bundle import Scorer

FOLDED = 5
BEGINS = b',"versions":{"digests":'
"""Of the last member of a folded receipt, which others share."""
_MOST_KEPT = 64
"""Sets of names whose text is kept."""


class AskedRule(msgspec.Struct, frozen=True):
    """What a rule asks; policies of schema 1 do not say its ``force``."""

    id: str
    source: str
    expected: tuple[dict[str, Any], ...]
    joined: str
    force: str | msgspec.UnsetType = msgspec.UNSET


class Columns(msgspec.Struct, frozen=True):
    """A model by its bundle's digest, the names of its contributions, and the codes of its reasons, both sorted."""

    bundle: str
    kind: str
    columns: tuple[str, ...]
    reasons: tuple[str, ...]


class Versions(msgspec.Struct, frozen=True):
    """What is equal in receipts of the same versions: digests, and the names of what is listed."""

    digests: dict[str, str]
    facts: tuple[str, ...]
    rules: tuple[AskedRule, ...]
    models: dict[str, Columns]


class Found(msgspec.Struct, frozen=True, array_like=True):
    """What a rule found, by ``RuleTrace``'s names."""

    actual: tuple[float | int | str | None, ...]
    applies: bool
    effect: str
    truth: bool | None


class FoldedScore(msgspec.Struct, frozen=True):
    """As ``ModelScore``; the contributions are in the order of their columns' names."""

    log_odds: int
    base: int
    pd: float
    grade: int
    contributions: tuple[int, ...]
    pd_low: float | msgspec.UnsetType = msgspec.UNSET
    pd_high: float | msgspec.UnsetType = msgspec.UNSET


class FoldedReason(msgspec.Struct, frozen=True, array_like=True):
    """As ``ScoreReason``; its texts are those of the answer's reason of this code."""

    code: str
    log_odds: int
    share: float


class FoldedExplanation(msgspec.Struct, frozen=True):
    """As ``Explanation``; the groups are in the order of the model's reasons."""

    base: int
    log_odds: int
    groups: tuple[int, ...]
    reasons: tuple[FoldedReason, ...]
    other: int


class Folded(msgspec.Struct, frozen=True):
    """A receipt as it is stored: lists of values, whose names are in ``versions``. A fact that is null has no record."""

    schema: int
    engine: str
    case: Case
    facts: tuple[float | int | str | None, ...]
    rules: tuple[Found, ...]
    scores: dict[str, FoldedScore]
    explanation: FoldedExplanation | None
    answer: dict[str, Any]
    answer_digest: str
    shadows: dict[str, Shadow]
    versions: Versions


class Vocabulary:
    """Writes the ``versions`` of receipts, once for each set of facts that cases have."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._columns = tuple(column.name for column in live.plan.columns)
        self._texts: dict[tuple[str, ...], bytes] = {}

    def text(self, names: tuple[str, ...]) -> bytes:
        """The last member of a receipt whose request has the facts ``names``, with the end of the receipt."""
        found = self._texts.get(names)
        if found is None:
            if len(self._texts) >= _MOST_KEPT:
                self._texts.clear()
            found = self._texts[names] = b',"versions":' + canonical_bytes(self._versions(names)) + b"}"
        return found

    def _versions(self, names: tuple[str, ...]) -> Versions:
        live = self._live
        return Versions(
            dict(live.slots),
            tuple(sorted({*self._columns, *names})),
            tuple(_asked(ready.rule, live.policy.schema) for ready in live.policy.ready),
            {
                name: _columns(scorer, {live.reason_of[column] for column in scorer.columns})
                for name, scorer in live.scorers.items()
            },
        )


def _columns(scorer: Scorer, reasons: set[str]) -> Columns:
    return Columns(scorer.bundle_digest, scorer.kind, tuple(sorted(scorer.columns)), tuple(sorted(reasons)))


def _asked(rule: Rule, policy_schema: int) -> AskedRule:
    expected = tuple(msgspec.to_builtins(condition) for condition in rule.when.conditions)
    force = msgspec.UNSET if policy_schema == 1 else rule.force.value
    return AskedRule(rule.id, rule.source, expected, "all" if rule.when.all else "any", force)


def explained(explanation: Explanation | None) -> bytes:
    """The canonical text of an explanation without what others say alike."""
    if explanation is None:
        return b"null"
    told = explanation.reasons
    folded = FoldedExplanation(
        explanation.base, explanation.log_odds, tuple(explanation.groups.values()),
        tuple([FoldedReason(reason.code, reason.log_odds, reason.share) for reason in told]), explanation.other,
    )  # fmt: skip
    return canonical_struct(folded, [reason.share for reason in told])


def explanation_of(folded: Folded) -> Explanation | None:
    """The explanation with its codes and texts."""
    told, answer = folded.explanation, folded.answer
    if told is None:
        return None
    codes = folded.versions.models[answer["score"]["model"]].reasons
    texts = {each["code"]: each for each in answer["reasons"] if each["kind"] == "score"}
    reasons = tuple(
        ScoreReason(one.code, texts[one.code]["zh"], texts[one.code]["en"], one.log_odds, one.share)
        for one in told.reasons
    )
    return Explanation(
        told.base, told.log_odds, dict(zip(codes, told.groups, strict=True)), reasons, told.other
    )


def facts_of(folded: Folded) -> dict[str, float | int | str]:
    """Facts by name."""
    return dict(zip(folded.versions.facts, map(_fact, folded.facts), strict=True))


def rules_of(folded: Folded) -> tuple[RuleTrace, ...]:
    """What each rule asked and found."""
    pairs = zip(folded.versions.rules, folded.rules, strict=True)
    return tuple(_trace(asked, found) for asked, found in pairs)


def scores_of(folded: Folded) -> dict[str, ModelScore]:
    """Scores with their contributions by name."""
    models = folded.versions.models
    return {name: _score(models[name], score) for name, score in folded.scores.items()}


def _fact(value: float | str | None) -> float | int | str:
    return Missing.NO_RECORD.name if value is None else value


def _trace(asked: AskedRule, found: Found) -> RuleTrace:
    applies = msgspec.UNSET if asked.force is msgspec.UNSET else found.applies
    return RuleTrace(
        asked.id, asked.source, asked.expected, asked.joined, tuple(map(_fact, found.actual)), found.truth, found.effect,
        asked.force, applies,
    )  # fmt: skip


def _score(model: Columns, score: FoldedScore) -> ModelScore:
    given = dict(zip(model.columns, score.contributions, strict=True))
    return ModelScore(
        model.bundle, model.kind, score.log_odds, score.base, score.pd, score.grade, given, score.pd_low, score.pd_high
    )  # fmt: skip
