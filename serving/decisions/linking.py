"""What a decision opens or follows, written in its own transaction: a case for a person, a link to an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import asyncpg


class LinkKind(StrEnum):
    """Why a decision follows another."""

    PERSON = "person"
    """A person decided the case of it."""
    AGAIN = "again"
    """A record was corrected, and the same application was decided once more."""
    DRAWDOWN = "drawdown"
    """Something is to be drawn of the line that it offered."""
    REAPPROVAL = "reapproval"
    """Its line is to go on for another year."""

    @property
    def of_line(self) -> bool:
        """Whether it looks at a line that there is already: it promises nothing more, and chance does not decide."""
        return self in {LinkKind.DRAWDOWN, LinkKind.REAPPROVAL}


@dataclass(frozen=True, slots=True)
class Link:
    """The earlier decision; ``about`` is the case, the dispute or what is asked of a line.

    ``held_fen`` is what the earlier one holds of its household's cap, where this one looks at its line.
    """

    kind: LinkKind
    parent: UUID
    about: UUID
    held_fen: int = 0


@dataclass(frozen=True, slots=True)
class Referral:
    """What a referred decision's case says beside its reasons; ``due_at`` in µs."""

    product: str
    amount_fen: int
    due_at: int


class Written(Protocol):
    """A decision that was just written, as far as this module asks."""

    @property
    def decision_id(self) -> UUID: ...
    @property
    def referral(self) -> Referral | None: ...
    @property
    def link(self) -> Link | None: ...


_REFERRED = """
UPDATE review_case c SET product = u.product, amount_fen = u.amount, due_at = u.due
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[]) AS u (id, product, amount, due)
WHERE c.decision_id = u.id"""
_LINKED = """
INSERT INTO decision_link (tenant_id, decision_id, parent_id, kind, about)
SELECT d.tenant_id, d.decision_id, u.parent, u.kind, u.about
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[]) AS u (id, parent, kind, about)
JOIN decision d ON d.decision_id = u.id"""


async def complete(connection: asyncpg.Connection, rows: Sequence[Written]) -> None:
    """Fill in the cases that the store has opened for referred rows, and link those that follow others.

    A row whose key was taken is not there, so nothing is written for it.
    """
    referred = [(row.decision_id, row.referral) for row in rows if row.referral is not None]
    if referred:
        cases = [each for _, each in referred]
        await connection.execute(
            _REFERRED, [name for name, _ in referred], [c.product for c in cases], [c.amount_fen for c in cases],
            [c.due_at for c in cases],
        )  # fmt: skip
    linked = [(row.decision_id, row.link) for row in rows if row.link is not None]
    if linked:
        links = [each for _, each in linked]
        await connection.execute(
            _LINKED, [name for name, _ in linked], [k.parent for k in links], [k.kind.value for k in links],
            [k.about for k in links],
        )  # fmt: skip
