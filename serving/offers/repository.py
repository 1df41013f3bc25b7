"""Statements of offers, lines and drawdowns, under row-level security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from serving.offers.model import DrawdownRow, NewOffer, OfferRow, OfferState, UnknownOffer
from serving.store.session import Connection

_COLUMNS = """
decision_id, subject_id, holder, product, limit_fen, drawn_fen, held_fen, line_months, made_at, valid_to, state, settled_at,
line_until, frozen_at, frozen_for"""
_INSERT = """
INSERT INTO offer (tenant_id, decision_id, subject_id, holder, product, limit_fen, held_fen, line_months, made_at, valid_to)
SELECT current_setting('yidai.tenant'), u.id, u.subject, u.holder, u.product, u.fen,
    CASE WHEN u.holder IS NULL THEN 0 ELSE u.fen END, u.months, u.made, u.valid
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::integer[], $7::bigint[], $8::bigint[])
    AS u (id, subject, holder, product, fen, months, made, valid)"""
_GET = f"SELECT {_COLUMNS} FROM offer WHERE decision_id = $1"  # noqa: S608 - our own columns
_LIST = f"""
SELECT {_COLUMNS} FROM offer
WHERE ($1::text[] IS NULL OR state = ANY ($1)) AND ($2::bigint IS NULL OR (state = 'accepted' AND line_until < $2))
ORDER BY coalesce(line_until, valid_to), decision_id LIMIT $3"""  # noqa: S608
_ACCEPT = "UPDATE offer SET state = 'accepted', settled_at = $2, line_until = $3 WHERE decision_id = $1"
_DECLINE = "UPDATE offer SET state = 'declined', settled_at = $2, held_fen = 0 WHERE decision_id = $1"
_FREE = "UPDATE budget SET used = greatest(used - $2, 0) WHERE name = 'household' AND period = $1"
_FREEZE = (
    "UPDATE offer SET frozen_at = coalesce(frozen_at, $2), frozen_for = $3::text[] WHERE decision_id = $1"
)
_EXTEND = """
UPDATE offer SET line_until = $2, limit_fen = $3, held_fen = $4, frozen_at = NULL, frozen_for = '{}' WHERE decision_id = $1"""
_DRAW = "UPDATE offer SET drawn_fen = drawn_fen + $2, held_fen = $3 WHERE decision_id = $1"
_TAKE = """
UPDATE budget SET used = used + $2 WHERE name = 'household' AND period = $1 AND ($3::bigint IS NULL OR used + $2 <= $3)
RETURNING used"""
_DRAWN = """
INSERT INTO drawdown (tenant_id, drawdown_id, decision_id, key_hash, amount_fen, left_fen, linked_id, drawn_by, drawn_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""
_DRAWDOWN = (
    "SELECT drawdown_id, amount_fen, left_fen, linked_id, drawn_at FROM drawdown WHERE decision_id = $1"
)
_END = "SELECT end_offers(current_setting('yidai.tenant'), %s, %s)"
_DUE = "SELECT count(*) FROM offer WHERE state = 'accepted' AND frozen_at IS NULL AND line_until <= %s"


class Offering(Protocol):
    """A decision that was just written, as far as this module asks."""

    @property
    def decision_id(self) -> UUID: ...
    @property
    def offer(self) -> NewOffer | None: ...


async def open_offers(connection: asyncpg.Connection, rows: Sequence[Offering]) -> None:
    """Write the offers of decisions that were stored in the same transaction."""
    found = [(row.decision_id, row.offer) for row in rows if row.offer is not None]
    if found:
        each = [offer for _, offer in found]
        await connection.execute(
            _INSERT, [name for name, _ in found], [o.subject_id for o in each], [o.holder for o in each], [o.product for o in each],
            [o.limit_fen for o in each], [o.line_months for o in each], [o.made_at for o in each],
            [o.valid_to for o in each],
        )  # fmt: skip


async def get(connection: asyncpg.Connection, decision_id: UUID, *, lock: bool = False) -> OfferRow:
    """One offer; with ``lock`` nobody else changes it in the meantime.

    Raises:
        UnknownOffer: none of this tenant.
    """
    row = await connection.fetchrow(f"{_GET}{' FOR UPDATE' * lock}", decision_id)
    if row is None:
        raise UnknownOffer
    return _offer(row)


async def some(
    connection: asyncpg.Connection, states: Sequence[OfferState], due: int | None, most: int
) -> list[OfferRow]:
    """Offers by when they end; with ``due`` (µs) only lines that are to be approved anew before then."""
    found = await connection.fetch(_LIST, [state.value for state in states] or None, due, most)
    return [_offer(row) for row in found]


async def accept(connection: asyncpg.Connection, decision_id: UUID, now: int, until: int) -> None:
    """It is a line now."""
    await connection.execute(_ACCEPT, decision_id, now, until)


async def decline(connection: asyncpg.Connection, row: OfferRow, now: int) -> None:
    """It is refused; its household may be promised as much again."""
    await connection.execute(_DECLINE, row.decision_id, now)
    await free(connection, row.holder, row.held_fen)


async def free(connection: asyncpg.Connection, holder: int | None, fen: int) -> None:
    """Give back what was promised of a cap."""
    if holder is not None and fen > 0:
        await connection.execute(_FREE, str(holder), fen)


async def freeze(connection: asyncpg.Connection, decision_id: UUID, now: int, reasons: Sequence[str]) -> None:
    """Nothing more is drawn of it."""
    await connection.execute(_FREEZE, decision_id, now, list(reasons))


async def extend(connection: asyncpg.Connection, row: OfferRow, until: int, limit_fen: int) -> None:
    """A line goes on, under a limit that may be lower."""
    held = min(row.held_fen, limit_fen)
    await connection.execute(_EXTEND, row.decision_id, until, limit_fen, held)
    await free(connection, row.holder, row.held_fen - held)


async def take(connection: asyncpg.Connection, holder: int, fen: int, cap_fen: int | None) -> bool:
    """Promise more of a cap; False where it has too little left."""
    return await connection.fetchval(_TAKE, str(holder), fen, cap_fen) is not None


async def draw(
    connection: asyncpg.Connection,
    tenant: str,
    row: OfferRow,
    key_hash: bytes,
    drawn: DrawdownRow,
    actor: UUID,
) -> None:
    """Write a drawdown of a locked line, whose part of the cap is taken already."""
    held = 0 if row.holder is None else max(row.held_fen, row.drawn_fen + drawn.amount_fen)
    await connection.execute(_DRAW, row.decision_id, drawn.amount_fen, held)
    await connection.execute(
        _DRAWN, tenant, drawn.drawdown_id, row.decision_id, key_hash, drawn.amount_fen, drawn.left_fen,
        drawn.linked_id, actor, drawn.drawn_at,
    )  # fmt: skip


async def drawn_under(
    connection: asyncpg.Connection, decision_id: UUID, key_hash: bytes
) -> DrawdownRow | None:
    """What was drawn under a key."""
    row = await connection.fetchrow(f"{_DRAWDOWN} AND key_hash = $2", decision_id, key_hash)
    return None if row is None else DrawdownRow(*row.values())


async def drawdowns(connection: asyncpg.Connection, decision_id: UUID) -> list[DrawdownRow]:
    """All of a line, oldest first."""
    found = await connection.fetch(f"{_DRAWDOWN} ORDER BY drawn_at, drawdown_id", decision_id)
    return [DrawdownRow(*row.values()) for row in found]


def expire(connection: Connection, now: int) -> int:
    """End the open offers of the tenant whose time is over; returns how many."""
    row = connection.execute(_END, (now, None)).fetchone()
    return 0 if row is None else int(row[0])


def freeze_due(connection: Connection, now: int, reason: str) -> int:
    """Freeze the tenant's lines that were not approved anew in time, which hold no more than is owed; returns how many."""
    row = connection.execute(_END, (now, reason)).fetchone()
    return 0 if row is None else int(row[0])


def due(connection: Connection, before: int) -> int:
    """How many of the tenant's lines are to be approved anew before a moment."""
    row = connection.execute(_DUE, (before,)).fetchone()
    return 0 if row is None else int(row[0])


def _offer(row: Any) -> OfferRow:
    values = dict(row)
    return OfferRow(
        **{**values, "state": OfferState(values["state"]), "frozen_for": tuple(values["frozen_for"])}
    )
