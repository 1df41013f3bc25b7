"""Limits that many decisions share: each takes its part in the transaction that stores it, or is not stored.

A budget is a name and a period with what of it is used: a month's random approvals, a household's promised limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import asyncpg

HOUSEHOLD = "household"
"""Promised limits in fen; the period is the subject whose household, or who alone, holds them."""
RANDOM_COUNT = "random_approval"
RANDOM_AMOUNT = "random_amount"
"""Limits of a month's random approvals, fen."""
RANDOM_LOSS = "random_loss"
"""Expected losses of a month's random approvals, fen."""
RANDOM_BUDGETS = frozenset({RANDOM_COUNT, RANDOM_AMOUNT, RANDOM_LOSS})

_RESERVE = "SELECT * FROM reserve_budgets($1, $2, $3, $4, $5, $6, $7)"
_BACK = "UPDATE budget SET used = used - $3 WHERE name = $1 AND period = $2"


@dataclass(frozen=True, slots=True)
class Reservation:
    """``amount`` of a budget of which no more than ``most`` may be used, fen or a count."""

    name: str
    period: str
    amount: int
    most: int


@dataclass(frozen=True, slots=True)
class Full:
    """A decision was not stored: these budgets have less left than it reserves."""

    names: tuple[str, ...]


class Reserving(Protocol):
    """A decision to be written, as far as this module asks."""

    @property
    def key_hash(self) -> bytes: ...
    @property
    def reservations(self) -> tuple[Reservation, ...]: ...


@dataclass(frozen=True, slots=True)
class Reserved:
    """By key: what is ``full`` for whom, and what the others ``took``."""

    full: dict[bytes, Full]
    took: dict[bytes, tuple[Reservation, ...]]


async def reserve(connection: asyncpg.Connection, tenant: str, rows: Sequence[Reserving]) -> Reserved:
    """Take what these decisions of one tenant reserve, in their order, each all or nothing.

    A decision whose key was taken before takes nothing. To be called before any decision of the transaction is stored.
    """
    asking = [row for row in rows if row.reservations]
    if not asking:
        return Reserved({}, {})
    each = [(place, one) for place, row in enumerate(asking, start=1) for one in row.reservations]
    found = await connection.fetch(
        _RESERVE, tenant, [row.key_hash for row in asking], [place for place, _ in each], [r.name for _, r in each],
        [r.period for _, r in each], [r.amount for _, r in each], [r.most for _, r in each],
    )  # fmt: skip
    without = {asking[row["place"] - 1].key_hash: tuple(row["lacking"]) for row in found}
    full = {key: Full(names) for key, names in without.items() if names}
    return Reserved(full, {row.key_hash: row.reservations for row in asking if row.key_hash not in without})


async def give_back(connection: asyncpg.Connection, taken: Sequence[Reservation]) -> None:
    """Undo reservations of the same transaction."""
    for one in taken:
        await connection.execute(_BACK, one.name, one.period, one.amount)
