"""What comes back is spent in the loan book, and its principal frees its line and its part of the household's cap; what is drawn anew takes it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
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


_IN_BOOK = """
SELECT d.drawdown_id FROM drawdown d JOIN loan_account a ON a.tenant_id = d.tenant_id AND a.loan_id = d.drawdown_id
WHERE d.decision_id = $1 ORDER BY d.drawn_at, d.drawdown_id"""
_LINE_OF = "SELECT decision_id FROM drawdown WHERE drawdown_id = $1"


class Repaid(msgspec.Struct, frozen=True):
    """Money that came back; ``owed_fen`` is the principal that was owed after it."""

    repayment_id: UUID
    amount_fen: int
    owed_fen: int
    recorded_at: str


class Book(Protocol):
    """What the loan book does for a line: ``serving.loans.lines``."""

    async def standing(self, by: Any, subject: int, names: Sequence[UUID]) -> list[Any]: ...
    async def paid(self, by: Any, subject: int, loans: Sequence[Any], amount: int, reference: str) -> int: ...


async def repay(book: Book, by: Any, name: UUID, key_hash: bytes, amount: int) -> Repaid:
    """Record money that came back, in the caller's transaction, which holds the counter of records; the same key gives
    the same.

    It is spent in the loan book on the line's drawdowns, the oldest first, in the book's order within each; the principal
    that it repays frees the line. What is drawn of the line and not in the book comes before them, as principal alone: what was
    drawn before drawdowns were in the book, and what a feed has paid there already.

    Raises:
        UnknownOffer, NotAccepted, OfferEnded, WrongRepayment, KeyReused: nothing changed.
    """
    row = await repository.get(by.connection, name, lock=True)
    before = await by.connection.fetchrow(_UNDER, name, key_hash)
    if before is not None:
        return _same(RepaymentRow(*before.values()), amount)
    line(row, by.now)
    names = [each[0] for each in await by.connection.fetch(_IN_BOOK, name)]
    loans = await book.standing(by, row.subject_id, names)
    outside = max(
        row.drawn_fen - sum(one.position.balance_fen + one.position.charged_off_fen for one in loans), 0
    )
    owed = sum(one.payoff_fen for one in loans)
    if not 1 <= amount <= owed + outside:
        raise WrongRepayment(amount, owed + outside)
    this = new_id()
    principal = min(amount, outside)
    principal += await book.paid(by, row.subject_id, loans, amount - principal, f"repayment {this}")
    return await _freed(by.connection, by.authority, row, principal, (this, key_hash, amount), by.now)


async def free_line(
    connection: asyncpg.Connection, authority: Authority, loan: UUID | None, principal: int, key_hash: bytes, now: int
) -> None:  # fmt: skip
    """Free the line of which a loan is a drawdown by the principal that a payment told to the book repaid; nothing where it
    is none.
    """
    name = await connection.fetchval(_LINE_OF, loan) if loan is not None and principal > 0 else None
    if name is None:
        return
    row = await repository.get(connection, name, lock=True)
    back = min(principal, row.drawn_fen)
    if back:
        await _freed(connection, authority, row, back, (new_id(), key_hash, back), now)


async def _freed(
    connection: asyncpg.Connection, authority: Authority, row: OfferRow, principal: int, kept: tuple[UUID, bytes, int],
    now: int,
) -> Repaid:  # fmt: skip
    this, key_hash, amount = kept
    name, actor = row.decision_id, authority.actor.actor_id
    done = RepaymentRow(this, amount, row.drawn_fen - principal, now)
    values: tuple[Any, ...] = (this, name, key_hash, amount, done.owed_fen, actor, now)
    await connection.execute(_REPAY, name, principal, max(row.held_fen - principal, 0))
    await connection.execute(_REPAID, authority.tenant, *values)
    await repository.free(connection, row.holder, min(principal, row.held_fen))
    detail = {"amount_fen": amount, "principal_fen": principal}
    await record_async(connection, authority.tenant, now, actor, "line.repaid", str(name), **detail)
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
