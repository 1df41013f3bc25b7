"""What holds a drawdown whoever asks: an operator's stop, a breaker that is full today. Nothing is told of why."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg

from features.calendar import local_date
from features.errors import Conflict
from serving.cases.bounds import bounds_of
from serving.cases.opening import Opened
from serving.decisions.holding import breakers_of
from serving.offers.loss import expected_loss
from serving.policy.load import read_policy

_STOPS = """
SELECT concat_ws(':', kind, nullif(name, '')) FROM approval_stop
WHERE ended_at IS NULL AND (kind = 'all' OR (kind = 'product' AND name = $1) OR (kind = 'model' AND name = $2))
ORDER BY 1 LIMIT 1"""
_USED = "SELECT name, used FROM budget WHERE period = $1 AND name = ANY ($2)"


class DrawdownsStopped(Conflict):
    """An operator stopped approvals, and with them what is paid of lines."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"drawdowns are stopped: {scope}; nothing was paid.",
            place="decision_id",
            remedy="Draw again when it is resumed; `yidai approvals show` tells the bank's people since when and why.",
        )


class BreakerFull(Conflict):
    """The day's approvals of this product or model are used up."""

    def __init__(self, product: str) -> None:
        super().__init__(
            f"today's limit of {product} is reached; nothing was paid.",
            place="decision_id",
            remedy="Draw again tomorrow; the policy's `breakers` say how much a day may be approved.",
        )


async def going(connection: asyncpg.Connection, opened: Opened) -> None:
    """Nothing, where no stop holds the product of a decision or the model that scored it.

    Raises:
        DrawdownsStopped: with what is stopped.
    """
    found = await connection.fetchval(_STOPS, opened.receipt.case.asked.product, _model(opened))
    if found is not None:
        raise DrawdownsStopped(found)


async def within(connection: asyncpg.Connection, today: Opened) -> None:
    """Nothing, where the breakers of today's policy would let the smallest loan be approved still.

    A drawdown takes nothing of them: its line did when it was approved.

    Raises:
        BreakerFull: one has too little left.
    """
    most = dict(_budgets(today))
    day = local_date(today.receipt.case.decided_at).isoformat()
    used = {row["name"]: row["used"] for row in await connection.fetch(_USED, day, list(most))}
    if any(used.get(name, 0) + least > bound for name, (least, bound) in most.items()):
        raise BreakerFull(today.receipt.case.asked.product)


def _budgets(today: Opened) -> Iterator[tuple[str, tuple[int, int]]]:
    """The budgets of the day by name: what the smallest loan takes of each, and how much there is."""
    policy, answer = read_policy(today.policy), today.receipt.answer
    least = bounds_of(today.policy, today.receipt, today.receipt.case.decided_at).least_fen
    pd = answer.get("graded_pd") or answer.get("pd") or 0.0
    for name, one in breakers_of(policy, today.receipt.case.asked.product, _model(today)):
        if one.daily_count is not None:
            yield f"{name}count", (1, one.daily_count)
        if one.daily_amount_fen is not None:
            yield f"{name}amount", (least, one.daily_amount_fen)
        if one.daily_loss_fen is not None and one.lgd_ppm is not None:
            yield f"{name}loss", (expected_loss(least, pd, one.lgd_ppm), one.daily_loss_fen)


def _model(opened: Opened) -> str:
    return str((opened.receipt.answer.get("score") or {}).get("model", ""))
