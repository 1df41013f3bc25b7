"""The queue of cases: listed, read, taken; and a person's look that an applicant asks for."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import asyncpg
import msgspec

from features.calendar import DAY
from serving.access.model import Authority, Permission
from serving.cases import repository
from serving.cases.evidence import Evidence
from serving.cases.granting import left_of_cap
from serving.cases.model import CaseRow, CaseState, CaseTaken, NothingToReview, ReviewOfReview
from serving.cases.opening import Opened, Opener
from serving.cases.repository import Waiting, Wanted
from serving.decisions.linking import LinkKind
from serving.decisions.repository import get_on
from serving.settings import Settings
from serving.store.audit import record_async
from serving.store.session import tenant_connection


class CaseView(msgspec.Struct, frozen=True):
    """A case with what lies before the reviewer; ``seen`` is the digest of ``evidence``, to be sent when deciding.

    ``cap_left_fen`` is what the household may be promised still, which others may take meanwhile; None without a cap.
    """

    case: CaseRow
    evidence: Evidence
    seen: str
    cap_left_fen: int | None


class CaseService:
    """The use cases of reading and taking cases, and of asking for one. ``clock`` gives µs of UTC."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, opener: Opener, clock: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._opener = opener
        self._clock = clock

    async def some(self, authority: Authority, wanted: Wanted) -> list[CaseRow]:
        """Cases, the first due first."""
        authority.holds(Permission.READ_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.some(connection, wanted)

    async def waiting(self, authority: Authority) -> Waiting:
        """What waits for a decision."""
        authority.holds(Permission.READ_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.waiting(connection, authority.actor.actor_id, self._clock())

    async def overdue(self, authority: Authority, wanted: Wanted) -> list[CaseRow]:
        """Those that should have been decided by now."""
        before = min(wanted.due_before, self._clock())
        states = wanted.states or tuple(state for state in CaseState if state is not CaseState.DECIDED)
        return await self.some(
            authority, Wanted(states, wanted.product, before, wanted.after, wanted.most)
        )  # fmt: skip

    async def listed(self, authority: Authority, case_id: UUID) -> CaseRow:
        """One case as lists tell it.

        Raises:
            UnknownCase.
        """
        authority.holds(Permission.READ_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return await repository.get(connection, case_id)

    async def view(self, authority: Authority, case_id: UUID) -> CaseView:
        """One case with its evidence; the read is logged.

        Raises:
            UnknownCase, Erased: there is nothing to read.
        """
        authority.holds(Permission.READ_CASES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            case = await repository.get(connection, case_id)
            opened = await self._opener.receipt(connection, case.decision_id)
            now = self._clock()
            evidence, _ = await self._opener.evidence(connection, authority, opened, now)
            left = await left_of_cap(connection, opened, now)
        return CaseView(case, evidence, evidence.digest, left)

    async def take(self, authority: Authority, case_id: UUID, *, over: bool = False) -> CaseRow:
        """Take a case; taking it again changes nothing. With ``over`` from somebody else, which the audit log says.

        Raises:
            UnknownCase, CaseTaken, WrongState.
        """
        authority.holds(Permission.DECIDE_CASES)
        now, actor = self._clock(), authority.actor.actor_id
        async with tenant_connection(self._pool, authority.tenant) as connection:
            locked = await repository.lock(connection, case_id)
            locked.expect(CaseState.OPEN, CaseState.TAKEN)
            if locked.taken_by not in {None, actor} and not over:
                raise CaseTaken((await repository.get(connection, case_id)).taken_by)
            if locked.taken_by != actor:
                await repository.take(connection, case_id, actor, now)
                before = {} if locked.taken_by is None else {"from": str(locked.taken_by)}
                await record_async(
                    connection, authority.tenant, now, actor, "case.taken", str(case_id), **before
                )
            return await repository.get(connection, case_id)

    async def request(self, authority: Authority, decision_id: UUID) -> CaseRow:
        """A person's look at a decision, for the applicant (REG-PI-08); asking again changes nothing.

        Raises:
            UnknownDecision, Erased: there is nothing to look at.
            ReviewOfReview, NothingToReview: a person has decided it, or nothing was refused.
        """
        authority.holds(Permission.EXERCISE_RIGHTS)
        now, tenant = self._clock(), authority.tenant
        async with tenant_connection(self._pool, tenant) as connection:
            stored = await get_on(connection, decision_id)
            if stored.kind == LinkKind.PERSON:
                raise ReviewOfReview(LinkKind.PERSON)
            opened = await self._opener.receipt(connection, decision_id)
            if not contestable(opened):
                raise NothingToReview
            values = self._values(authority, opened, now)
            if await repository.request(connection, tenant, decision_id, *values):
                actor = authority.actor.actor_id
                await record_async(connection, tenant, now, actor, "review.requested", str(decision_id))
            case = await repository.of_decision(connection, decision_id)
            assert case is not None
            if case.requested_at is None:
                raise ReviewOfReview("system")
            return case

    def _values(self, authority: Authority, opened: Opened, now: int) -> tuple[object, ...]:
        answer, asked = opened.receipt.answer, opened.receipt.case.asked
        codes = [str(reason["code"]) for reason in answer["reasons"]]
        due = now + self._settings.review_days * DAY
        return (
            answer["outcome"], answer.get("grade"), codes, asked.product, asked.amount_fen, now, due,
            authority.actor.actor_id,
        )  # fmt: skip


def contestable(opened: Opened) -> bool:
    """Whether less was granted than was asked for, or at a worse grade than the best."""
    answer, asked = opened.receipt.answer, opened.receipt.case.asked
    if answer["outcome"] != "approve":
        return True
    return bool(answer.get("limit_fen", 0) < asked.amount_fen or answer.get("grade", 1) > 1)
