"""After a correction the same application is decided once more: a new decision, linked to the old one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.contracts.model import SubjectKind
from features.errors import Conflict, Invalid, NotFound
from serving.access.model import Authority, Permission
from serving.cases.opening import Opened, Opener
from serving.consents.check import person_number
from serving.decisions.linking import Link, LinkKind
from serving.decisions.schemas import DecisionRequest
from serving.decisions.service import DecisionService
from serving.records.disputes import Dispute, DisputeVerdict
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async

_LATEST = """
SELECT decision_id FROM decision LEFT JOIN decision_link USING (tenant_id, decision_id)
WHERE subject_id = $1 AND (kind IS NULL OR kind = 'again') AND decided_at < $2 AND ($3::uuid IS NULL OR decision_id = $3)
ORDER BY decided_at DESC, decision_id DESC LIMIT 1"""
_MADE = """
SELECT answer FROM decision JOIN decision_link USING (tenant_id, decision_id)
WHERE kind = 'again' AND about = $1 AND parent_id = $2"""


class NotCorrected(Conflict):
    """A dispute that changed no record."""

    def __init__(self, dispute: Dispute) -> None:
        remedy = (
            "Send the correction with POST /v1/records, then answer the dispute: corrected."
            if dispute.verdict is None
            else "The records are as they were: the decision stands. A new application is decided by POST /v1/decisions."
        )
        super().__init__(
            f"this dispute is {dispute.verdict or 'open'}: nothing was corrected.",
            place="dispute_id",
            remedy=remedy,
        )


class OtherPerson(Invalid):
    """A number of somebody else."""

    def __init__(self) -> None:
        super().__init__(
            "this number is not of the person who disputes.",
            place="id_number",
            remedy="Compare the document.",
        )


class NothingDecided(NotFound):
    """No decision of the system about the person before the dispute was answered."""

    def __init__(self) -> None:
        super().__init__(
            "no decision about this person was made before the correction.", place="decision_id",
            remedy="Name a decision of the same person, or send an application with POST /v1/decisions.",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Again:
    """The new answer beside what it follows; ``before`` is the earlier outcome."""

    dispute_id: UUID
    parent_id: UUID
    before: str
    answer: bytes


class AgainService:
    """The use case of deciding again."""

    def __init__(self, pool: asyncpg.Pool, opener: Opener, decisions: DecisionService) -> None:
        self._pool = pool
        self._opener = opener
        self._decisions = decisions

    async def again(
        self,
        authority: Authority,
        dispute_id: UUID,
        number: str,
        consent_id: UUID | None = None,
        decision_id: UUID | None = None,
    ) -> Again:
        """Decide the latest application before the correction once more, or the named one; again gives the same.

        The consent is that of the earlier decision, unless a newer one is named.

        Raises:
            UnknownDispute, NotCorrected, WrongNumber, OtherPerson, NothingDecided: what was asked.
            ConsentRefused, NotHydrated, NothingActive: as a decision raises them.
        """
        authority.holds(Permission.DECIDE)
        normal = person_number(number, "id_number")
        subject = await subject_of_async(self._pool, self._opener.keys, SubjectKind.PERSON, normal)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            dispute = await self._opener.disputes.get(connection, dispute_id)
            if subject != dispute.subject_id:
                raise OtherPerson
            if dispute.verdict != DisputeVerdict.CORRECTED:
                raise NotCorrected(dispute)
            name = await connection.fetchval(_LATEST, subject, dispute.answered_at, decision_id)
            if name is None:
                raise NothingDecided
            parent = await self._opener.receipt(connection, name)
            made = await connection.fetchval(_MADE, dispute_id, name)
        if made is None:
            link = Link(LinkKind.AGAIN, name, dispute_id)
            key = hashlib.sha256(b"\0again" + dispute_id.bytes + name.bytes).digest()
            request = request_of(parent, normal, consent_id)
            made = (await self._decisions.answer(authority, key, request, link)).body
        return Again(dispute_id, name, str(parent.stored.outcome), made)


def request_of(parent: Opened, number: str, consent_id: UUID | None) -> DecisionRequest:
    """The application as it was asked: a receipt keeps its parts by the same names, zero or empty where left out."""
    asked = msgspec.to_builtins(parent.receipt.case.asked)
    given = {
        name: value for name, value in asked.items() if value and name in DecisionRequest.__struct_fields__
    }
    whose = {"applicant": {"id_number": number}, "consent_id": str(consent_id or parent.stored.consent_id)}
    return msgspec.convert(whose | given, DecisionRequest)
