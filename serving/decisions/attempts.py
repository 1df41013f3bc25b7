"""Applications that are asked for together are read, decided and stored together, each with an answer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from features.calendar import DAY
from features.matrix import FeatureMatrix
from serving.decisions.budgets import Full
from serving.decisions.decider import Decision, decide_many
from serving.decisions.linking import Referral
from serving.decisions.preparing import Preparer
from serving.decisions.ready import Answer, Asking, Ready, repeat, row_of
from serving.decisions.receipt import write_receipts
from serving.decisions.repository import Taken
from serving.decisions.reserving import made_of
from serving.decisions.together import by_versions, told_apart
from serving.decisions.writer import GroupWriter
from serving.policy.model import Outcome
from serving.process import tracing

_Result = TypeVar("_Result")
Found = Answer | Full | Exception
"""What became of one attempt: an answer, budgets that had too little left, or why there is none."""


class Attempts:
    """One attempt at each of many applications."""

    def __init__(self, preparer: Preparer, writer: GroupWriter, random_key: bytes, review_days: int) -> None:
        self._preparer = preparer
        self._writer = writer
        self._random_key = random_key
        self._review_days = review_days

    async def attempt(
        self, asking: Sequence[Asking], passed: Callable[[], None] = lambda: None
    ) -> list[Found]:
        """What becomes of each, in order; what one lacks is not another's trouble.

        ``passed`` is called when all are decided and have only to be stored.
        """
        with tracing.group("decision group", (each.traced for each in asking)):
            return await self._attempt(asking, passed)

    async def _attempt(self, asking: Sequence[Asking], passed: Callable[[], None]) -> list[Found]:
        prepared = await self._preparer.prepared(asking)
        found: dict[int, Found] = {at: p for at, p in enumerate(prepared) if not isinstance(p, Ready)}
        storing = {}
        for places, ready in by_versions(prepared, Ready):
            for at, one, made in zip(places, ready, told_apart(self._decided, ready), strict=True):
                if isinstance(made, Exception):
                    found[at] = made
                else:
                    storing[at] = _caught(self._store(asking[at], one, *made))
        passed()
        with tracing.span("commit", decisions=len(storing)):
            found |= zip(storing, await asyncio.gather(*storing.values()), strict=True)
        return [found[at] for at in range(len(asking))]

    def _decided(self, ready: list[Ready]) -> list[tuple[Decision, bytes]]:
        return decided(ready, self._random_key)

    async def _store(self, asking: Asking, ready: Ready, decision: Decision, receipt: bytes) -> Answer | Full:
        """Store a decision with what it reserves; the answer, or what it found full."""
        application = asking.application
        made = made_of(decision, ready.data_key, ready.live.policy, ready.trial)
        row = row_of(made, asking.authority, application, receipt)
        row = replace(row, referral=self._referral(decision), link=asking.link)
        refused = await self._writer.put(row)
        if isinstance(refused, Taken):
            return repeat(refused, application.digest)
        if refused is not None:
            return refused
        return Answer(decision.answer_bytes, decision.answer.outcome.value, repeated=False)

    def _referral(self, decision: Decision) -> Referral | None:
        """What the case of a referred decision says; None where there is none."""
        if decision.answer.outcome is not Outcome.REFER:
            return None
        case = decision.case
        due = case.decided_at + self._review_days * DAY
        return Referral(case.asked.product, case.asked.amount_fen, due)


def decided(ready: Sequence[Ready], random_key: bytes) -> list[tuple[Decision, bytes]]:
    """The decisions and receipts of applications under the same versions; nothing is stored yet."""
    rows = [each.row for each in ready]
    matrix = (
        rows[0]
        if len(rows) == 1
        else FeatureMatrix(
            rows[0].columns,
            np.vstack([row.values for row in rows]),
            np.vstack([row.missing for row in rows]),
        )
    )
    sources = [each.sources for each in ready]
    with tracing.span("decide", decisions=len(ready)):
        found = decide_many([each.case for each in ready], matrix, sources, ready[0].live, random_key)
    with tracing.span("receipt", decisions=len(ready)):
        return list(zip(found, write_receipts(found), strict=True))


async def _caught(work: Awaitable[_Result]) -> _Result | Exception:
    """The result, or what it raised: one application's is not another's."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - it is told to the one whose it is
        return error
