"""Reading a decision, its explanation and its receipt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.consent import OF_PURPOSE, Purpose
from features.definitions.plan import FeaturePlan
from features.errors import NotFound
from features.timeline.door import Entry
from serving.access.model import Authority, Permission
from serving.clock import Clock
from serving.decisions import repository
from serving.decisions.grading import ModelScore
from serving.decisions.linking import LinkKind
from serving.decisions.receipt import Receipt, named, open_receipt, read_receipt
from serving.decisions.repository import StoredDecision
from serving.registry.repository import artifacts_async
from serving.store.access_log import write_async
from serving.store.keys import KeyRing, Unreadable
from serving.store.session import tenant_connection


class Erased(NotFound):
    """The subject was erased, and its key with it."""

    def __init__(self) -> None:
        super().__init__(
            "the person was erased; this receipt can be verified, but nobody can read it.",
            remedy="`yidai replay` verifies it.",
            code="erased",
        )


class DecidedByPerson(NotFound):
    """A person's decision: no model scored it."""

    def __init__(self, parent: UUID | None) -> None:
        super().__init__(
            "a person made this decision; it has reasons, and no contributions of features.",
            place="decision_id",
            remedy=f"The decision that was reviewed has them: {parent}.",
        )


class ColumnShare(msgspec.Struct, frozen=True):
    """One feature's part: what it is, what it was, what it added in 1e-9 logits of default."""

    feature: str
    zh: str
    en: str
    unit: str
    value: float | int | str
    reason: str
    log_odds: int


class ExplanationAnswer(msgspec.Struct, frozen=True):
    """``base`` + all features' log_odds == ``log_odds`` exactly.

    ``pd_low`` and ``pd_high`` are null where the model states no interval; ``graded_pd`` is the PD that gave the
    grade of the decision. A decision without a model is told by its rules and reasons alone.
    """

    decision_id: str
    outcome: str
    reasons: Any
    rules: Any
    model: str | msgspec.UnsetType = msgspec.UNSET
    base: int | msgspec.UnsetType = msgspec.UNSET
    log_odds: int | msgspec.UnsetType = msgspec.UNSET
    pd: float | msgspec.UnsetType = msgspec.UNSET
    grade: int | msgspec.UnsetType = msgspec.UNSET
    other: int | msgspec.UnsetType = msgspec.UNSET
    features: tuple[ColumnShare, ...] | msgspec.UnsetType = msgspec.UNSET
    challengers: dict[str, dict[str, float]] | msgspec.UnsetType = msgspec.UNSET
    pd_low: float | msgspec.UnsetType | None = msgspec.UNSET
    pd_high: float | msgspec.UnsetType | None = msgspec.UNSET
    graded_pd: float | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class OpenedReceipt:
    """A receipt's bytes, and the hash of what is stored (over the ciphertext)."""

    data: bytes
    stored_hash: str


def read_of_decisions(authority: Authority, subject: int, now: int) -> Entry:
    """The entry of a person's look at what was decided about a subject, which the law asks to be provable."""
    actor, bases = str(authority.actor.actor_id), (OF_PURPOSE[Purpose.AUDIT],)
    return Entry(
        now, actor, authority.tenant, Purpose.AUDIT.value, ("decision",), (), bases, (), (), (subject,)
    )


class DecisionReader:
    """The use cases of GET /v1/decisions."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyRing, clock: Clock) -> None:
        self._pool = pool
        self._keys = keys
        self._clock = clock

    async def answer(self, authority: Authority, decision_id: UUID) -> bytes:
        """The bytes that were answered.

        Raises:
            UnknownDecision: none of this tenant.
        """
        authority.holds(Permission.READ_DECISIONS)
        return (await repository.get(self._pool, authority.tenant, decision_id)).answer

    async def receipt(self, authority: Authority, decision_id: UUID) -> OpenedReceipt:
        """The receipt, decrypted, with every value beside its name; the read is logged.

        Raises:
            UnknownDecision, Erased: there is nothing to read.
            Unreadable: the stored bytes were changed.
        """
        authority.holds(Permission.READ_RECEIPTS)
        stored = await repository.get(self._pool, authority.tenant, decision_id)
        opened = self._opened(stored)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await write_async(connection, [read_of_decisions(authority, stored.subject_id, self._clock())])
        return OpenedReceipt(named(opened.data), opened.stored_hash)

    async def explanation(self, authority: Authority, decision_id: UUID) -> ExplanationAnswer:
        """Why, feature by feature, with the titles of the definitions that were in force then.

        Raises:
            UnknownDecision, Erased, DecidedByPerson: there is nothing to read.
        """
        authority.holds(Permission.READ_DECISIONS)
        stored = await repository.get(self._pool, authority.tenant, decision_id)
        if stored.kind == LinkKind.PERSON:
            raise DecidedByPerson(stored.parent_id)
        receipt = read_receipt(self._opened(stored).data)
        name = receipt.digests["definitions"]
        async with tenant_connection(self._pool, authority.tenant) as connection:
            plan = FeaturePlan.load((await artifacts_async(connection, [name]))[name])
        return explanation_of(receipt, plan)

    def _opened(self, stored: StoredDecision) -> OpenedReceipt:
        if stored.wrapped_key is None:
            raise Erased
        name = str(stored.decision_id)
        if hashlib.sha256(stored.receipt).digest() != stored.receipt_hash:
            raise Unreadable(f"receipt {name}")
        data = open_receipt(stored.receipt, self._keys.unwrap(stored.wrapped_key), name)
        return OpenedReceipt(data, stored.receipt_hash.hex())


def explanation_of(receipt: Receipt, plan: FeaturePlan) -> ExplanationAnswer:
    """A receipt told feature by feature, the largest part first."""
    answer, told = receipt.answer, receipt.explanation
    plain = ExplanationAnswer(answer["decision_id"], answer["outcome"], answer["reasons"], receipt.rules)
    if told is None:
        return plain
    model = answer["score"]["model"]
    score = receipt.scores[model]
    others = {
        name: {"pd": each.pd, "grade": each.grade} for name, each in receipt.scores.items() if name != model
    }
    return msgspec.structs.replace(
        plain,
        model=model,
        base=score.base,
        log_odds=score.log_odds,
        pd=score.pd,
        grade=answer["grade"],
        other=told.other,
        features=_shares(score, receipt, plan),
        challengers=others,
        pd_low=answer.get("pd_low"),
        pd_high=answer.get("pd_high"),
        graded_pd=answer.get("graded_pd", score.pd),
    )


def _shares(score: ModelScore, receipt: Receipt, plan: FeaturePlan) -> tuple[ColumnShare, ...]:
    columns = {column.name: column for column in plan.columns}
    shares = [
        ColumnShare(
            name, columns[name].zh, columns[name].en, columns[name].unit, receipt.facts[name],
            columns[name].reason, value,
        )
        for name, value in score.contributions.items()
    ]  # fmt: skip
    return tuple(sorted(shares, key=lambda share: (-abs(share.log_odds), share.feature)))
