"""The notice of a decision to its applicant (REG-AA-04): outcome, reasons, factors, score, sources, rights."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.contracts.documents import read_yaml
from features.contracts.model import Text
from serving.access.model import Authority, Permission
from serving.cases import receipt as person
from serving.cases.evidence import facts_of
from serving.cases.opening import Opened, Opener, opened_bytes
from serving.decisions.linking import LinkKind
from serving.decisions.live import compile_live
from serving.decisions.receipt import Receipt
from serving.decisions.repository import get_on
from serving.explain.helps import actions_of, helps_of
from serving.explain.reasons import MOST
from serving.registry.repository import artifacts_async
from serving.settings import Settings
from serving.store.session import tenant_connection

FILE = Path(__file__).parent / "notice.yaml"
SCHEMA = 1
GRADES = 10
"""Of the master scale; 1 is best."""


class Right(msgspec.Struct, frozen=True):
    """What the applicant may do."""

    id: str
    source: str
    zh: str
    en: str


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``notice.yaml``."""

    schema: int
    outcomes: dict[str, Text]
    rights: tuple[Right, ...]


class NoticeReason(msgspec.Struct, frozen=True):
    """A principal reason."""

    code: str
    zh: str
    en: str


class Factor(msgspec.Struct, frozen=True):
    """A feature that counted, and whether it raised the risk."""

    zh: str
    en: str
    raises: bool


class NoticeScore(msgspec.Struct, frozen=True):
    """The grade on a range of 1 (best) to ``grades``, the chance of default within a year with its interval, and as
    of when.
    """

    grade: int
    grades: int
    pd: float
    pd_low: float | None
    pd_high: float | None
    as_of: str


class Source(msgspec.Struct, frozen=True):
    """A source; ``missing`` says why it was not read, empty where it was."""

    dataset: str
    department: str
    zh: str
    en: str
    disputed: bool
    missing: str


class Granted(msgspec.Struct, frozen=True):
    """What is offered, in fen and ppm a year."""

    limit_fen: int
    annual_rate_ppm: int
    term_months: int
    instalment_fen: int | None


class Notice(msgspec.Struct, frozen=True):
    """``kind`` is system, again (after a correction) or person; ``helps`` is what the applicant can do, found and checked by deciding
    again.
    """

    schema: int
    decision_id: UUID
    kind: str
    parent_id: UUID | None
    lender: str
    title: Text | None
    product: str
    asked_fen: int
    outcome: str
    said: Text
    decided_at: str
    reasons: tuple[NoticeReason, ...]
    factors: tuple[Factor, ...]
    score: NoticeScore | None
    offer: Granted | None
    sources: tuple[Source, ...]
    helps: tuple[Text, ...]
    rights: tuple[Right, ...]


class NoticeService:
    """The use case of GET /v1/decisions/{id}/notice."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, opener: Opener) -> None:
        self._settings = settings
        self._pool = pool
        self._opener = opener

    async def notice(self, authority: Authority, decision_id: UUID) -> Notice:
        """The notice of a decision of the system or of a person.

        Raises:
            UnknownDecision, Erased: there is nothing to tell.
        """
        authority.holds(Permission.READ_DECISIONS)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            stored = await get_on(connection, decision_id)
            lender = await connection.fetchval("SELECT title_of_tenant()") or authority.tenant
            if stored.kind == LinkKind.PERSON:
                read = person.read(opened_bytes(self._opener.keys, stored)[1])
                opened = await self._opener.receipt(connection, UUID(read.parent_id))
                return self._told(
                    opened, decision_id, lender, LinkKind.PERSON, opened.stored.decision_id, read.answer
                )
            opened = await self._opener.receipt(connection, decision_id)
            asked = opened.receipt.answer.get("score") and not opened.receipt.struck
            digests = sorted(opened.receipt.digests.values())
            data = await artifacts_async(connection, digests) if asked else {}
        kind = stored.kind or "system"
        helps = await asyncio.to_thread(_helps, opened.receipt, data)
        return self._told(opened, decision_id, lender, kind, stored.parent_id, opened.receipt.answer, helps)

    def _told(
        self,
        opened: Opened,
        name: UUID,
        lender: str,
        kind: str,
        parent: UUID | None,
        answer: dict[str, Any],
        helps: tuple[Text, ...] = (),
    ) -> Notice:
        receipt, words = opened.receipt, notice_words()
        asked, outcome = receipt.case.asked, str(answer["outcome"])
        told = [NoticeReason(each["code"], each["zh"], each["en"]) for each in answer["reasons"]]
        title = receipt.answer.get("title")
        return Notice(
            schema=SCHEMA, decision_id=name, kind=str(kind), parent_id=parent, lender=lender,
            title=None if title is None else msgspec.convert(title, Text), product=asked.product,
            asked_fen=asked.amount_fen, outcome=outcome, said=words.outcomes[outcome], decided_at=answer["decided_at"],
            reasons=tuple(told[:MOST]),
            factors=tuple(Factor(f.zh, f.en, f.log_odds > 0) for f in facts_of(receipt, opened.plan, MOST)),
            score=score_of(receipt), offer=offer_of(answer, asked.term_months), sources=sources_of(opened),
            helps=helps, rights=self._rights(words, kind),
        )  # fmt: skip

    def _rights(self, words: Words, kind: str) -> tuple[Right, ...]:
        """Of a person's decision there is no further review."""
        fill = {"days": self._settings.review_days, "complaints": self._settings.complaints}
        return tuple(
            msgspec.structs.replace(right, zh=right.zh.format(**fill), en=right.en.format(**fill))
            for right in words.rights
            if not (right.id == "review" and kind == LinkKind.PERSON)
        )


def _helps(receipt: Receipt, data: Mapping[str, bytes]) -> tuple[Text, ...]:
    """What would help, by the versions that decided, which are ``data``; () without them, or for a portfolio that says
    nothing of what people can do.
    """
    if not data:
        return ()
    live = compile_live(receipt.digests, data)
    actions = actions_of(live.scorers[live.model].bundle.portfolio, live.plan.columns)
    return () if actions is None else helps_of(receipt, live, actions)


def score_of(receipt: Receipt) -> NoticeScore | None:
    """The score as it is told; None where no model scored."""
    answer = receipt.answer
    if not answer.get("score"):
        return None
    return NoticeScore(
        answer["grade"], GRADES, answer["pd"], answer.get("pd_low"), answer.get("pd_high"), answer["as_of"]
    )


def offer_of(answer: dict[str, Any], months: int) -> Granted | None:
    """What was granted, if anything was."""
    if not answer.get("limit_fen"):
        return None
    offer = answer.get("offer") or answer
    return Granted(
        answer["limit_fen"], answer["annual_rate_ppm"], offer.get("term_months", months), offer.get("instalment_fen")
    )  # fmt: skip


def sources_of(opened: Opened) -> tuple[Source, ...]:
    """Every dataset that the definitions ask for, once: read, disputed, or why it was not read."""
    missing = {name.partition("@")[0]: why for name, why in (opened.receipt.answer.get("missing_sources") or {}).items()}  # fmt: skip
    names = sorted({name.partition("@")[0] for name in opened.plan.datasets})
    contracts, disputed = opened.plan.contracts, set(opened.receipt.case.disputed)
    return tuple(
        Source(
            name, contracts[name].department, contracts[name].title.zh, contracts[name].title.en, name in disputed,
            missing.get(name, ""),
        )
        for name in names
    )  # fmt: skip


@cache
def notice_words() -> Words:
    """What the file says."""
    return read_yaml(FILE, Words)
