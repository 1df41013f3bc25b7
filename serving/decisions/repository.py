"""Statements of decisions: one function to read, one to write, under row-level security."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import msgspec

from features.errors import NotFound
from serving.decisions.budgets import Full, Reservation, give_back, reserve
from serving.decisions.linking import Link, Referral, complete
from serving.offers.model import NewOffer
from serving.offers.repository import open_offers
from serving.store.session import Connection, store_errors, tenant_connection

READ = "SELECT * FROM read_decisions($1, $2, $3, $4, $5, $6, $7)"
STORE = "SELECT * FROM store_decisions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
GET = """
SELECT decision_id, subject_id, decided_at, outcome, consent_id, actor_id, answer, receipt, receipt_hash,
       key_of_subject(subject_id) AS wrapped_key, kind, parent_id
FROM decision LEFT JOIN decision_link USING (tenant_id, decision_id)"""


class UnknownDecision(NotFound):
    """No decision with this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such decision.", remedy="Compare the id with the answer that named it.")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What one round trip reads; absent parts are None. ``promised`` is what of its cap the ``holder`` was promised."""

    stored_digest: bytes | None
    stored_answer: bytes | None
    subject_id: int | None
    wrapped_key: bytes | None
    consent_subject: int | None
    categories: list[str] | None
    purpose: str | None
    valid_from: int | None
    valid_to: int | None
    withdrawn_at: int | None
    version: int | None
    packed: bytes | None
    slots: list[str] | None
    digests: list[str] | None
    holder: int | None
    promised: int
    late: list[str] | None
    poor: list[str] | None
    stops: str | None = None

    @property
    def active(self) -> dict[str, str]:
        """Digest by slot, at the moment of the decision."""
        return dict(zip(self.slots or [], self.digests or [], strict=True))

    @property
    def stopped(self) -> dict[str, str]:
        """The operator's reason by what is stopped."""
        return {} if self.stops is None else msgspec.json.decode(self.stops, type=dict[str, str])

    def down(self, stated: Iterable[str]) -> dict[str, str]:
        """Why each source that decisions do without is down: ``operator`` took it out of service, it is ``late``,
        or the score that is too low.
        """
        poor = dict(each.split(":") for each in self.poor or ())
        return poor | dict.fromkeys(self.late or (), "late") | dict.fromkeys(stated, "operator")


@dataclass(frozen=True, slots=True)
class NewDecision:
    """One row to write."""

    tenant: str
    decision_id: UUID
    key_hash: bytes
    request_digest: bytes
    subject_id: int
    consent_id: UUID
    actor_id: UUID
    decided_at: int
    outcome: str
    answer: bytes
    receipt: bytes
    receipt_hash: bytes
    referral: Referral | None = None
    link: Link | None = None
    reservations: tuple[Reservation, ...] = ()
    offer: NewOffer | None = None


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One row as it is kept; ``wrapped_key`` is None when the subject was erased.

    ``kind`` and ``parent_id`` are those of its link, where it follows another decision.
    """

    decision_id: UUID
    subject_id: int
    decided_at: int
    outcome: str
    consent_id: UUID
    actor_id: UUID
    answer: bytes
    receipt: bytes
    receipt_hash: bytes
    wrapped_key: bytes | None
    kind: str | None = None
    parent_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What is stored under a key that was used before."""

    request_digest: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an application names; versions are in force at ``now``, sources are late as of ``seen_at``.

    Of what is read together the earliest ``seen_at`` holds for all.
    """

    tenant: str
    key_hash: bytes
    number_hash: bytes
    consent: UUID
    now: int
    seen_at: int


async def read_many(pool: asyncpg.Pool, wanted: Sequence[Wanted]) -> list[Inputs]:
    """Everything that decisions of persons read, in order, in one round trip a tenant."""
    found: dict[int, Inputs] = {}
    for tenant in {each.tenant for each in wanted}:
        places = [at for at, each in enumerate(wanted) if each.tenant == tenant]
        rows = await _read(pool, tenant, [wanted[at] for at in places])
        found |= zip(places, rows, strict=True)
    return [found[at] for at in range(len(wanted))]


async def _read(pool: asyncpg.Pool, tenant: str, wanted: Sequence[Wanted]) -> list[Inputs]:
    columns = (
        [each.key_hash for each in wanted], [each.number_hash for each in wanted],
        [each.consent for each in wanted], [each.now for each in wanted], min(each.seen_at for each in wanted),
    )  # fmt: skip
    async with store_errors():
        rows = await pool.fetch(READ, tenant, "person", *columns)
    return [Inputs(*row.values()) for row in rows]


async def store(
    connection: asyncpg.Connection, tenant: str, rows: list[NewDecision]
) -> dict[bytes, Taken | Full]:
    """Write the decisions of one tenant inside the caller's transaction, with what they reserve.

    Returns, by key, what is not written: the key was taken, or a budget is full.
    """
    reserved = await reserve(connection, tenant, rows)
    rows = [row for row in rows if row.key_hash not in reserved.full]
    columns = (
        [row.decision_id for row in rows], [row.key_hash for row in rows], [row.request_digest for row in rows],
        [row.subject_id for row in rows], [row.consent_id for row in rows], [row.actor_id for row in rows],
        [row.decided_at for row in rows], [row.outcome for row in rows], [row.answer for row in rows],
        [row.receipt for row in rows], [row.receipt_hash for row in rows],
    )  # fmt: skip
    found = await connection.fetch(STORE, tenant, *columns)
    taken = {row["key_hash"]: Taken(row["request_digest"], row["answer"]) for row in found}
    written = [row for row in rows if row.key_hash not in taken]
    await complete(connection, written)
    await open_offers(connection, written)
    for key in taken.keys() & reserved.took.keys():  # by another process, since they were reserved
        await give_back(connection, reserved.took[key])
    return taken | reserved.full


async def get(pool: asyncpg.Pool, tenant: str, decision_id: UUID) -> StoredDecision:
    """One decision.

    Raises:
        UnknownDecision: none of this tenant.
    """
    async with tenant_connection(pool, tenant) as connection:
        return await get_on(connection, decision_id)


async def get_on(connection: asyncpg.Connection, decision_id: UUID) -> StoredDecision:
    """One decision, in the caller's transaction; see ``get``."""
    row = await connection.fetchrow(f"{GET} WHERE decision_id = $1", decision_id)
    if row is None:
        raise UnknownDecision
    return StoredDecision(*row.values())


def get_sync(connection: Connection, decision_id: UUID) -> StoredDecision:
    """One decision, for commands; see ``get``."""
    row = connection.execute(f"{GET} WHERE decision_id = %s", (decision_id,)).fetchone()
    if row is None:
        raise UnknownDecision
    return StoredDecision(*row)


def each(connection: Connection) -> Iterator[StoredDecision]:
    """All decisions of the tenant, oldest first, a few hundred at a time."""
    with connection.cursor(name="decisions") as cursor:
        cursor.itersize = 200
        cursor.execute(f"{GET} ORDER BY decision_id")
        for row in cursor:
            yield StoredDecision(*row)
