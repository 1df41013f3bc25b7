"""Principal that comes back frees its line and its part of the household's cap; what is drawn anew takes it again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import iso
from serving.access.model import Authority
from serving.access.repository import new_id
from serving.cases.granting import cap_of
from serving.cases.opening import Opened
from serving.decisions.schemas import KeyReused
from serving.offers import repository
from serving.offers.model import CapTaken, OfferRow, RepaymentRow, WrongRepayment, line
from serving.store.audit import record_async

_REPAY = "UPDATE offer SET drawn_fen = drawn_fen - $2, held_fen = $3 WHERE decision_id = $1"
_REPAID = """
INSERT INTO repayment (tenant_id, repayment_id, decision_id, key_hash, amount_fen, owed_fen, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_UNDER = """
SELECT repayment_id, amount_fen, owed_fen, recorded_at FROM repayment WHERE decision_id = $1 AND key_hash = $2"""


class Repaid(msgspec.Struct, frozen=True):
    """A repayment of principal; ``owed_fen`` is what was owed after it."""

    repayment_id: UUID
    amount_fen: int
    owed_fen: int
    recorded_at: str


async def repay(
    connection: asyncpg.Connection, authority: Authority, name: UUID, key_hash: bytes, amount: int, now: int
) -> Repaid:
    """Record principal that came back, in the caller's transaction; the same key gives the same.

    Raises:
        UnknownOffer, NotAccepted, OfferEnded, WrongRepayment, KeyReused: nothing changed.
    """
    row = await repository.get(connection, name, lock=True)
    before = await connection.fetchrow(_UNDER, name, key_hash)
    if before is not None:
        return _same(RepaymentRow(*before.values()), amount)
    line(row, now)
    if not 1 <= amount <= row.drawn_fen:
        raise WrongRepayment(amount, row.drawn_fen)
    done = RepaymentRow(new_id(), amount, row.drawn_fen - amount, now)
    actor = authority.actor.actor_id
    values: tuple[Any, ...] = (done.repayment_id, name, key_hash, amount, done.owed_fen, actor, now)
    await connection.execute(_REPAY, name, amount, max(row.held_fen - amount, 0))
    await connection.execute(_REPAID, authority.tenant, *values)
    await repository.free(connection, row.holder, min(amount, row.held_fen))
    await record_async(connection, authority.tenant, now, actor, "line.repaid", str(name), amount_fen=amount)
    return _told(done)


async def take_again(connection: asyncpg.Connection, row: OfferRow, amount: int, today: Opened) -> None:
    """Take of the household's cap what a drawdown of a locked line needs beyond what the line holds still.

    Raises:
        CapTaken: others were promised it in the meantime.
    """
    more = row.drawn_fen + amount - row.held_fen
    if row.holder is None or more <= 0:
        return
    cap = cap_of(today, today.receipt.case.decided_at)
    if not await repository.take(connection, row.holder, more, None if cap is None else cap.value):
        raise CapTaken


def _same(before: RepaymentRow, amount: int) -> Repaid:
    if before.amount_fen != amount:
        raise KeyReused
    return _told(before)


def _told(row: RepaymentRow) -> Repaid:
    return Repaid(row.repayment_id, row.amount_fen, row.owed_fen, iso(row.recorded_at))
