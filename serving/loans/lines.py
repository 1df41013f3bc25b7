"""Drawdowns of lines in the loan book, each a loan of its own, and what is paid of them: in the line's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from features.canonical import code_of
from features.definitions.plan import FeaturePlan
from features.loans.book import Position, position
from features.loans.model import Event, Kind, Loan, State
from features.loans.plan import Terms
from serving.access.model import Authority
from serving.loans import repository
from serving.loans.model import Given, Told
from serving.loans.rows import event_rows, grant_rows
from serving.loans.service import LoanService, history_of, known_after, named_event
from serving.records import repository as records
from serving.records.service import SubjectsMoving


@dataclass(frozen=True, slots=True)
class Standing:
    """A drawdown in the book, and where it stands at the moment ``known``."""

    name: UUID
    loan: Loan
    events: list[Event]
    position: Position
    known: int

    def paying(self, amount: int, reference: str) -> tuple[Event, Position]:
        """A payment just now, which is after all that is known even where the clock stepped back, and where the drawdown
        stands after it.
        """
        told = Told(Kind.PAYMENT, self.known, reference, amount)
        event = named_event(self.loan, str(self.name), "", told, self.known)
        return event, position(self.loan, [*self.events, event], self.known)

    @property
    def payoff_fen(self) -> int:
        """What pays it off just now: interest of due dates beyond the next one is not asked for then. Nothing of what was
        charged off, which recoveries pay.
        """
        owed = self.position.owed.total_fen if self.position.state is State.ACTIVE else 0
        if not owed:
            return 0
        after = self.paying(owed, "payoff")[1]
        return owed - (after.surplus_fen - self.position.surplus_fen)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Who tells the book in an open transaction that holds the counter; ``plan`` is asked for before it."""

    connection: asyncpg.Connection
    authority: Authority
    plan: FeaturePlan | None
    now: int


class LineBook(LoanService):
    """What lines tell the loan book."""

    async def plan_of(self, tenant: str, now: int) -> FeaturePlan | None:
        """What ``Keeping`` holds: it takes a connection of its own."""
        return await self._online.plan_if_any(tenant, now)

    async def drawn(self, by: Keeping, subject: int, name: UUID, amount: int, terms: Terms) -> None:
        """A drawdown as a loan under the drawdown's id, granted and drawn at this moment.

        Raises:
            SubjectsMoving: the borrower was erased meanwhile.
        """
        if await records.any_erased(by.connection, [subject]):
            raise SubjectsMoving
        loan = Loan(str(name), by.now, amount)
        given = Given("", by.now, amount, loan.currency, terms.repayment.value, terms.annual_rate_ppm, terms.months)  # fmt: skip
        told = Told(Kind.DRAWDOWN, by.now, f"drawdown {name}", amount, terms=terms)
        event = named_event(loan, loan.id, "", told, by.now)
        code, actor = code_of(loan.id), by.authority.actor.actor_id
        await repository.add(by.connection, by.authority.tenant, name, subject, actor, by.now)
        parts = [
            *grant_rows(self._contracts, subject, code, given, by.now),
            *event_rows(self._contracts, subject, code, event),
        ]
        await self._append(by.connection, by.authority, parts, [subject], by.plan, by.now)
        await self._log(by.connection, by.authority, "loan.granted", loan.id, by.now)

    async def standing(self, by: Keeping, subject: int, names: Sequence[UUID]) -> list[Standing]:
        """Where the drawdowns of a line stand that are in the book, in this order; nothing of who was erased."""
        if await records.any_erased(by.connection, [subject]):
            return []
        tables = await self._tables(by.connection, by.authority, subject) if names else {}
        found = []
        for name in names:
            known = known_after(tables, by.now)
            loan, events = history_of(tables, str(name), known)
            found.append(Standing(name, loan, events, position(loan, events, known), known))
        return found

    async def paid(self, by: Keeping, subject: int, loans: Sequence[Standing], amount: int, reference: str) -> int:  # fmt: skip
        """Spend a payment on drawdowns one after another, each at most what pays it off, in the book's order within;
        returns the principal that it repaid.
        """
        principal = 0
        for one in loans:
            part, name = min(amount, one.payoff_fen), str(one.name)
            if part:
                amount -= part
                event, after = one.paying(part, reference)
                principal += one.position.balance_fen - after.balance_fen
                parts = event_rows(self._contracts, subject, code_of(name), event)
                await self._append(by.connection, by.authority, parts, [subject], by.plan, by.now)
                await self._log(by.connection, by.authority, "loan.payment", name, by.now)
        return principal
