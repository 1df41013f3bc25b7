"""A decision opened with what it was made with, for whoever reviews it or tells the applicant of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import asyncpg

from features.consent import Access, Consent, Purpose
from features.definitions.plan import FeaturePlan
from serving.access.model import Authority
from serving.cases.bounds import stricter
from serving.cases.evidence import About, Evidence, evidence_of
from serving.cases.inforce import policy_in_force
from serving.consents import repository as consents
from serving.decisions import repository
from serving.decisions.live import is_policy
from serving.decisions.reading import Erased
from serving.decisions.receipt import Receipt, open_receipt, read_receipt
from serving.decisions.repository import StoredDecision
from serving.records.disputes import DisputeService
from serving.registry.repository import artifacts_async
from serving.rights import statements
from serving.store.access_log import entry_of, write_async
from serving.store.keys import KeyRing, Unreadable


@dataclass(frozen=True, slots=True)
class Opened:
    """A decision of the system; ``key`` is its subject's data key, ``policy`` the bytes of the policy."""

    stored: StoredDecision
    key: bytes
    receipt: Receipt
    plan: FeaturePlan
    policy: bytes


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens decisions on a connection of their tenant."""

    keys: KeyRing
    disputes: DisputeService

    async def receipt(self, connection: asyncpg.Connection, decision_id: UUID) -> Opened:
        """One decision of the system.

        Raises:
            UnknownDecision, Erased: there is nothing to read.
            Unreadable: the stored bytes were changed.
        """
        stored = await repository.get_on(connection, decision_id)
        key, data = opened_bytes(self.keys, stored)
        receipt = read_receipt(data)
        policy = next(digest for slot, digest in receipt.digests.items() if is_policy(slot))
        names = {receipt.digests["definitions"], policy}
        found = await artifacts_async(connection, sorted(names))
        plan = plan_of(found[receipt.digests["definitions"]])
        return Opened(stored, key, receipt, plan, found[policy])

    async def evidence(
        self, connection: asyncpg.Connection, authority: Authority, opened: Opened, at: int
    ) -> tuple[Evidence, Consent | None]:
        """What lies before a reviewer now; that it was read is written into the access log."""
        subject, stored = opened.stored.subject_id, opened.stored
        consent = await consents.get(connection, stored.consent_id)
        about = About(
            consent,
            await self.disputes.of_subject(connection, subject),
            await statements.of_subject(connection, self.keys, subject),
            at,
        )
        await self._log(connection, authority, opened, consent, at)
        in_force = await policy_in_force(connection, opened.receipt.case.asked.product, at)
        bounds = stricter(opened.policy, in_force, opened.receipt, at)
        return evidence_of(opened.receipt, opened.plan, bounds, about), consent

    async def _log(
        self,
        connection: asyncpg.Connection,
        authority: Authority,
        opened: Opened,
        consent: Consent | None,
        at: int,
    ) -> None:
        """Under the consent while it holds; after that as proof of what was lawfully done before."""
        if consent is None:
            return
        live = consent.withdrawn_at is None and consent.is_live(at)
        purpose = Purpose.CREDIT_ASSESSMENT if live else Purpose.AUDIT
        names = {name.partition("@")[0] for name in opened.plan.datasets}
        read = names - {name.partition("@")[0] for name in opened.receipt.case.unavailable}
        access = Access(str(authority.actor.actor_id), purpose, authority.tenant, at, (consent,))
        entry = entry_of(access, consent, [opened.plan.contracts[name] for name in sorted(read)])
        await write_async(connection, [entry])


def opened_bytes(keys: KeyRing, stored: StoredDecision) -> tuple[bytes, bytes]:
    """The subject's data key and the receipt's bytes of a decision.

    Raises:
        Erased: the key is gone.
        Unreadable: the stored bytes were changed.
    """
    if stored.wrapped_key is None:
        raise Erased
    if hashlib.sha256(stored.receipt).digest() != stored.receipt_hash:
        raise Unreadable(f"receipt {stored.decision_id}")
    key = keys.unwrap(stored.wrapped_key)
    return key, open_receipt(stored.receipt, key, str(stored.decision_id))


@lru_cache(maxsize=4)
def plan_of(data: bytes) -> FeaturePlan:
    """Definitions, compiled once."""
    return FeaturePlan.load(data)
