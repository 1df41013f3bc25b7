"""Offers accepted, declined and drawn; lines approved anew: each change under the offer's lock, and logged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import local_date, months_before
from features.contracts.model import SubjectKind
from serving.access.model import Authority, Permission
from serving.cases.bounds import bounds_of
from serving.cases.opening import Opened, Opener
from serving.consents.check import person_number
from serving.decisions.linking import Link, LinkKind
from serving.decisions.schemas import Checks, KeyReused
from serving.decisions.service import DecisionService, hash_of_key
from serving.loans.lines import Keeping, LineBook
from serving.offers import repository
from serving.offers.allowing import payable
from serving.offers.model import (
    AlreadyAccepted,
    DrawdownRow,
    DrawRefused,
    OfferEnded,
    OfferRow,
    OfferState,
    OtherApplicant,
    drawable,
    line,
)
from serving.offers.opening import opened_offer, speaks
from serving.offers.repaying import Repaid, repay, take_again
from serving.offers.stopping import going, within
from serving.offers.view import Drawn, OfferView, drawn_of, terms_of, view_of
from serving.policy.model import Outcome
from serving.records.repository import lock_counter
from serving.rights.again import request_of
from serving.store.audit import record_async
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async

NOTHING_CHECKED = Checks()


@dataclass(frozen=True, slots=True)
class Today:
    """Who asks for something of a line, and what the bank knows today: a newer consent, checks made anew.

    What was checked at the application is not taken for what holds today.
    """

    number: str
    consent_id: UUID | None = None
    checks: Checks = NOTHING_CHECKED

    @property
    def digest(self) -> bytes:
        """Of all that may change from one request to the next on a day."""
        return hashlib.sha256(repr((self.consent_id, self.checks)).encode()).digest()


class OfferService:
    """The use cases of offers and lines. ``clock`` gives µs of UTC."""

    def __init__(
        self, pool: asyncpg.Pool, opener: Opener, decisions: DecisionService, book: LineBook, clock: Callable[[], int]
    ) -> None:  # fmt: skip
        self._pool = pool
        self._opener = opener
        self._decisions = decisions
        self._book = book
        self._clock = clock

    async def some(
        self,
        authority: Authority,
        states: Sequence[OfferState] = (),
        due_before: int | None = None,
        most: int = 50,
    ) -> list[OfferRow]:
        """Offers by when they end; with ``due_before`` only lines that are to be approved anew before then."""
        authority.holds(Permission.READ_DECISIONS)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.some(connection, states, due_before, most)

    async def view(self, authority: Authority, decision_id: UUID) -> OfferView:
        """An offer with all that must be disclosed.

        Raises:
            UnknownOffer, Erased: there is nothing to tell.
        """
        authority.holds(Permission.READ_DECISIONS)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await self._view(connection, decision_id)

    async def accept(self, authority: Authority, decision_id: UUID) -> OfferView:
        """Make an open offer a line; again changes nothing.

        Raises:
            UnknownOffer, OfferEnded.
        """
        authority.holds(Permission.DECIDE)
        now = self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.get(connection, decision_id, lock=True)
            state = row.state_at(now)
            if state in {OfferState.DECLINED, OfferState.EXPIRED}:
                raise OfferEnded(state, row)
            if state is OfferState.OPEN:
                await repository.accept(connection, decision_id, now, months_before(now, -row.line_months))
                await _log(connection, authority, now, "offer.accepted", decision_id)
            return await self._view(connection, decision_id)

    async def decline(self, authority: Authority, decision_id: UUID) -> OfferView:
        """Refuse an open offer, which frees what it holds of a cap; again changes nothing.

        Raises:
            UnknownOffer, OfferEnded, AlreadyAccepted.
        """
        authority.holds(Permission.DECIDE)
        now = self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.get(connection, decision_id, lock=True)
            state = row.state_at(now)
            if state is OfferState.ACCEPTED:
                raise AlreadyAccepted
            if state is OfferState.EXPIRED:
                raise OfferEnded(state, row)
            if state is OfferState.OPEN:
                await repository.decline(connection, row, now)
                await _log(connection, authority, now, "offer.declined", decision_id)
            return await self._view(connection, decision_id)

    async def draw(
        self, authority: Authority, decision_id: UUID, key: str | None, amount_fen: int, today: Today
    ) -> Drawn:
        """Draw of a line, after a decision on today's facts: nothing new may speak against it; a key draws once.

        Raises:
            WrongKey, KeyReused, WrongNumber, OtherApplicant, UnknownOffer: what was asked.
            OfferEnded, NotAccepted, LineFrozen, LineOver, WrongAmount, DrawRefused, PastToday: what the line or today says.
            DrawdownsStopped, BreakerFull, CapTaken: what holds all drawdowns of the product or the model.
            ConsentRefused, NotHydrated, NothingActive: as a decision raises them.
        """
        authority.holds(Permission.DECIDE)
        key_hash = hash_of_key(key)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.get(connection, decision_id)
            parent = await opened_offer(self._opener, connection, decision_id)
            before = await repository.drawn_under(connection, decision_id, key_hash)
            if before is not None:
                return _same(before, amount_fen, parent)
            await going(connection, parent)
            drawable(row, amount_fen, self._least(parent), self._clock())
        link = self._link(LinkKind.DRAWDOWN, row, key_hash)
        linked = await self._again(authority, parent, link, row.limit_fen, today)
        return await self._pay(authority, parent, link, linked, amount_fen, key_hash)

    async def reapprove(self, authority: Authority, decision_id: UUID, today: Today) -> OfferView:
        """Decide a line anew (REG-IL-03): it goes on from today under what is approved now, or is frozen.

        Raises:
            WrongNumber, OtherApplicant, UnknownOffer, OfferEnded, NotAccepted: what was asked.
            ConsentRefused, NotHydrated, NothingActive: as a decision raises them.
        """
        authority.holds(Permission.DECIDE)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.get(connection, decision_id)
            line(row, self._clock())
            parent = await opened_offer(self._opener, connection, decision_id)
        link = self._link(LinkKind.REAPPROVAL, row, str(row.frozen_at).encode() + today.digest)
        linked = await self._again(authority, parent, link, row.limit_fen, today)
        now = self._clock()
        async with tenant_connection(self._pool, authority.tenant) as connection:
            row = await repository.get(connection, decision_id, lock=True)
            opened = await self._opener.receipt(connection, linked)
            answer = opened.receipt.answer
            if answer["outcome"] == Outcome.APPROVE:
                until = months_before(opened.stored.decided_at, -row.line_months)
                limit = max(min(row.limit_fen, int(answer["limit_fen"])), row.drawn_fen)
                await repository.extend(connection, row, until, limit)
                await _log(connection, authority, now, "line.extended", decision_id, decision=str(linked))
            else:
                await self._freeze(connection, authority, decision_id, opened)
            return await self._view(connection, decision_id)

    async def repay(
        self, authority: Authority, decision_id: UUID, key: str | None, amount_fen: int
    ) -> Repaid:
        """Record money that came back of a line, in the loan book too; a key records once.

        Raises:
            WrongKey, KeyReused, UnknownOffer, NotAccepted, OfferEnded, WrongRepayment: nothing changed.
        """
        authority.holds(Permission.DECIDE)
        key_hash, now = hash_of_key(key), self._clock()
        plan = await self._book.plan_of(authority.tenant, now)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await lock_counter(connection)
            by = Keeping(connection, authority, plan, now)
            return await repay(self._book, by, decision_id, key_hash, amount_fen)

    async def _pay(
        self, authority: Authority, parent: Opened, link: Link, linked: UUID, amount: int, key_hash: bytes
    ) -> Drawn:
        """Write the drawdown, or refuse it: in one transaction, under the line's lock.

        What declines today freezes the line; what only needs a person's look pays nothing until it is clear.
        """
        name, now = link.parent, self._clock()
        plan = await self._book.plan_of(authority.tenant, now)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            await lock_counter(connection)
            row = await repository.get(connection, name, lock=True)
            before = await repository.drawn_under(connection, name, key_hash)
            if before is not None:
                return _same(before, amount, parent)
            opened = await self._opener.receipt(connection, linked)
            await going(connection, opened)
            says = speaks(opened, parent)
            if says is Outcome.APPROVE:
                await within(connection, opened)
                drawable(row, amount, self._least(parent), now)
                payable(opened, parent, row, amount, self._least(parent))
                drawn = DrawdownRow(link.about, amount, row.left_fen - amount, linked, now)
                by, terms = Keeping(connection, authority, plan, now), terms_of(parent, amount)
                # the borrower's timeline is locked before the household's cap, as decisions lock them
                await self._book.drawn(by, row.subject_id, drawn.drawdown_id, amount, terms)
                await take_again(connection, row, amount, opened)
                actor = authority.actor.actor_id
                await repository.draw(connection, authority.tenant, row, key_hash, drawn, actor)
                await _log(connection, authority, now, "line.drawn", name, amount_fen=amount)
                return drawn_of(drawn, parent)
            frozen = says is Outcome.DECLINE
            reasons = await self._freeze(connection, authority, name, opened) if frozen else _codes(opened)
        raise DrawRefused(linked, reasons, frozen=frozen)

    async def _freeze(
        self, connection: asyncpg.Connection, authority: Authority, name: UUID, linked: Opened
    ) -> list[str]:
        reasons = _codes(linked)
        now = self._clock()
        await repository.freeze(connection, name, now, reasons)
        await _log(connection, authority, now, "line.frozen", name, decision=str(linked.stored.decision_id))
        return reasons

    async def _again(
        self, authority: Authority, parent: Opened, link: Link, amount_fen: int, today: Today
    ) -> UUID:
        """The application of a line, decided for an amount on today's facts; the same link gives the same one."""
        number = person_number(today.number, "id_number")
        subject = await subject_of_async(self._pool, self._opener.keys, SubjectKind.PERSON, number)
        if subject != parent.stored.subject_id:
            raise OtherApplicant
        request = request_of(parent, number, today.consent_id)
        request = msgspec.structs.replace(
            request, amount_fen=amount_fen, amount_yuan=None, checks=today.checks
        )
        key = hashlib.sha256(b"\0line" + link.about.bytes).digest()
        answer = await self._decisions.answer(authority, key, request, link)
        return UUID(msgspec.json.decode(answer.body)["decision_id"])

    def _link(self, kind: LinkKind, row: OfferRow, what: bytes) -> Link:
        """One of its kind for what is asked of a line on a day: who asks again after a crash gets the same."""
        day = f"{local_date(self._clock()).isoformat()} {row.limit_fen}".encode()
        about = hashlib.sha256(b"\0".join((kind.value.encode(), row.decision_id.bytes, day, what))).digest()
        return Link(kind, row.decision_id, UUID(bytes=about[:16]), row.held_fen)

    def _least(self, parent: Opened) -> int:
        return bounds_of(parent.policy, parent.receipt, parent.stored.decided_at).least_fen

    async def _view(self, connection: asyncpg.Connection, decision_id: UUID) -> OfferView:
        row = await repository.get(connection, decision_id)
        opened = await opened_offer(self._opener, connection, decision_id)
        return view_of(row, opened, await repository.drawdowns(connection, decision_id), self._clock())


def _codes(opened: Opened) -> list[str]:
    return [str(each["code"]) for each in opened.receipt.answer["reasons"]]


def _same(before: DrawdownRow, amount: int, parent: Opened) -> Drawn:
    if before.amount_fen != amount:
        raise KeyReused
    return drawn_of(before, parent)


async def _log(
    connection: asyncpg.Connection, authority: Authority, now: int, action: str, name: UUID, **detail: object
) -> None:
    actor = authority.actor.actor_id
    await record_async(connection, authority.tenant, now, actor, action, str(name), **detail)
