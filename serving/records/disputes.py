"""A subject says that a record of it is wrong: marked, answered within 20 days, told wherever it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import asyncpg
import numpy as np
import pyarrow as pa

from features.calendar import DAY, NEVER
from features.consent import Access, Purpose
from features.contracts.convert import convert_column
from features.contracts.model import Contract, SubjectKind
from features.errors import Conflict, Invalid, NotFound
from features.timeline.events import Int64, mix
from features.timeline.lake import Lake
from features.timeline.life import linked_fields
from serving.access.model import Authority, Permission
from serving.access.repository import new_id
from serving.consents.check import person_number
from serving.consents.online import WorkingSet
from serving.consents.repository import lock_subject
from serving.process.telling import NumberInText, holds_number
from serving.rights.writing import open_text, seal_text
from serving.store.access_log import live_door
from serving.store.audit import record_async
from serving.store.keys import KeyRing
from serving.store.session import tenant_connection
from serving.store.vault import subject_of_async

ANSWER_DAYS = 20
"""Within which a dispute is answered (REG-CR-09)."""
GROUND = 500
_COLUMNS = "dispute_id, subject_id, dataset, ground, raised_at, due_at, verdict, answered_at, answer, level"
_INSERT = """
INSERT INTO dispute (tenant_id, dispute_id, subject_id, dataset, record_key, ground, raised_by, raised_at, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING"""
_ANSWER = """
UPDATE dispute SET verdict = $2, answered_by = $3, answered_at = $4, answer = $5
WHERE dispute_id = $1 AND verdict IS NULL"""
_GET = f"SELECT {_COLUMNS} FROM dispute WHERE dispute_id = $1"  # noqa: S608 - our own columns
_OPEN = f"SELECT {_COLUMNS} FROM dispute WHERE verdict IS NULL AND due_at < $1 ORDER BY due_at, dispute_id"  # noqa: S608
_WAITING = "SELECT count(*), count(*) FILTER (WHERE due_at < $1) FROM dispute WHERE verdict IS NULL"
_OF_SUBJECT = f"SELECT {_COLUMNS} FROM dispute WHERE subject_id = $1 ORDER BY raised_at, dispute_id"  # noqa: S608


class DisputeVerdict(StrEnum):
    """What came of a dispute."""

    CORRECTED = "corrected"
    UPHELD = "upheld"
    """The record is right: it stands, and so does the decision that read it."""
    WITHDRAWN = "withdrawn"

    @classmethod
    def _missing_(cls, value: object) -> DisputeVerdict | None:
        """The earlier word for ``upheld``, which clients may still send."""
        return cls.UPHELD if value == "confirmed" else None


class UnknownDispute(NotFound):
    """No dispute of this id in the tenant."""

    def __init__(self) -> None:
        super().__init__("there is no such dispute.", remedy="Compare the id.")


class UnknownRecord(NotFound):
    """A key under which the subject has no record."""

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"the person has no record under this key in {dataset}.", place="key", remedy="Compare the key."
        )


class WrongKeyOfRecord(Invalid):
    """A key that does not name the key fields of the dataset."""

    def __init__(self, contract: Contract, problem: str) -> None:
        fields = ", ".join(contract.key) or "none: the person has one record at most"
        super().__init__(problem, place="key", remedy=f"Key fields of {contract.dataset}: {fields}.")


class AlreadyDisputed(Conflict):
    """An open dispute about the same record."""

    def __init__(self) -> None:
        super().__init__("this record is disputed already.", remedy="Answer the open dispute first.")


class AlreadyAnswered(Conflict):
    """A dispute that was answered."""

    def __init__(self) -> None:
        super().__init__("this dispute was answered.", remedy="Raise a new one.")


@dataclass(frozen=True, slots=True)
class Dispute:
    """One dispute; instants in µs."""

    dispute_id: UUID
    subject_id: int
    dataset: str
    ground: str
    raised_at: int
    due_at: int
    verdict: str | None
    answered_at: int | None
    answer: str = ""
    """In writing; empty until it is given, and when its subject was erased."""
    level: int = 0
    """1 once it is overdue, 2 a week later."""


class DisputeService:
    """The use cases of /v1/disputes. ``clock`` gives µs of UTC."""

    def __init__(
        self, pool: asyncpg.Pool, keys: KeyRing, online: WorkingSet, lake: Lake, clock: Callable[[], int]
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._online = online
        self._lake = lake
        self._clock = clock

    async def raise_(
        self, authority: Authority, number: str, dataset: str, key: Mapping[str, str], ground: str
    ) -> Dispute:
        """Mark a record of a person as disputed; the next decision that reads its dataset says so.

        Raises:
            WrongNumber, WrongKeyOfRecord, UnknownSubject, UnknownRecord: what is disputed.
            NumberInText: the ground, which is kept as it is written.
            AlreadyDisputed: the same record.
        """
        authority.holds(Permission.HANDLE_DISPUTES)
        if holds_number(ground):
            raise NumberInText("ground")
        now, tenant, actor = self._clock(), authority.tenant, authority.actor.actor_id
        plan = await self._online.plan(tenant, now)
        contract = plan.contracts.get(dataset)
        if contract is None or contract.subject is not SubjectKind.PERSON:
            raise Invalid(
                "no dataset of persons has this name.", place="dataset", remedy="See the contracts."
            )
        subject = await subject_of_async(
            self._pool, self._keys, SubjectKind.PERSON, person_number(number, "id_number")
        )
        hashed = key_of(contract, key, subject)
        async with tenant_connection(self._pool, tenant) as connection:
            await lock_subject(connection, subject)
            access = Access(str(actor), Purpose.SUBJECT_RIGHTS, tenant, now)
            async with live_door(self._lake, connection, access, subject) as door:
                raw = await asyncio.to_thread(door.rows, contract, [subject])
            if not (raw.key == hashed).any():
                raise UnknownRecord(dataset)
            name = new_id()
            due = now + ANSWER_DAYS * DAY
            done = await connection.execute(
                _INSERT, tenant, name, subject, dataset, hashed, ground[:GROUND], actor, now, due
            )
            if done == "INSERT 0 0":
                raise AlreadyDisputed
            await self._online.refresh(connection, tenant, subject, plan, now)
            await record_async(connection, tenant, now, actor, "dispute.raised", str(name), dataset=dataset)
            return await self._told(connection, await connection.fetchrow(_GET, name))

    async def answer(
        self, authority: Authority, dispute_id: UUID, verdict: DisputeVerdict, text: str = ""
    ) -> Dispute:
        """Take the mark away, with what came of it and the answer in writing; a correction itself is sent as a record.

        Raises:
            UnknownDispute, AlreadyAnswered.
        """
        authority.holds(Permission.HANDLE_DISPUTES)
        now, tenant, actor = self._clock(), authority.tenant, authority.actor.actor_id
        plan = await self._online.plan_if_any(tenant, now)
        async with tenant_connection(self._pool, tenant) as connection:
            found = await connection.fetchrow(_GET, dispute_id)
            if found is None:
                raise UnknownDispute
            subject = int(found["subject_id"])
            await lock_subject(connection, subject)
            sealed = await seal_text(connection, self._keys, subject, dispute_id, text)
            if await connection.execute(_ANSWER, dispute_id, verdict.value, actor, now, sealed) == "UPDATE 0":
                raise AlreadyAnswered
            await self._online.refresh(connection, tenant, subject, plan, now)
            what = {"verdict": verdict.value}
            await record_async(connection, tenant, now, actor, "dispute.answered", str(dispute_id), **what)
            return await self._told(connection, await connection.fetchrow(_GET, dispute_id))

    async def open(self, authority: Authority, *, overdue: bool = False) -> list[Dispute]:
        """The disputes that wait for an answer, the most urgent first; or only those whose time is over."""
        authority.holds(Permission.HANDLE_DISPUTES)
        before = self._clock() if overdue else NEVER
        async with tenant_connection(self._pool, authority.tenant) as connection:
            return [await self._told(connection, row) for row in await connection.fetch(_OPEN, before)]

    async def waiting(self, authority: Authority) -> tuple[int, int]:
        """How many wait for an answer, and how many of them are overdue."""
        authority.holds(Permission.HANDLE_DISPUTES)
        async with tenant_connection(self._pool, authority.tenant) as connection:
            whole, late = await connection.fetchrow(_WAITING, self._clock())
        return whole, late

    async def get(self, connection: asyncpg.Connection, dispute_id: UUID) -> Dispute:
        """One dispute of the connection's tenant.

        Raises:
            UnknownDispute: none of this tenant.
        """
        found = await connection.fetchrow(_GET, dispute_id)
        if found is None:
            raise UnknownDispute
        return await self._told(connection, found)

    async def of_subject(self, connection: asyncpg.Connection, subject: int) -> list[Dispute]:
        """All that a subject ever disputed, oldest first."""
        return [await self._told(connection, row) for row in await connection.fetch(_OF_SUBJECT, subject)]

    async def _told(self, connection: asyncpg.Connection, row: asyncpg.Record) -> Dispute:
        values = dict(row)
        sealed = values.pop("answer")
        name, subject = values["dispute_id"], values["subject_id"]
        return Dispute(**values, answer=await open_text(connection, self._keys, subject, name, sealed))


def key_of(contract: Contract, key: Mapping[str, str], subject: int) -> int:
    """The stored key of a record, from the texts of its key fields.

    Raises:
        WrongKeyOfRecord: other fields, or a value that the contract does not allow.
    """
    if set(key) != set(contract.key):
        raise WrongKeyOfRecord(contract, "these are not the fields of the key.")
    columns: list[Int64] = []
    for name in contract.key:
        if name in linked_fields(contract):
            raise WrongKeyOfRecord(contract, f"{name} names somebody else: it cannot be asked for.")
        converted = convert_column(contract.field(name), pa.array([key[name]], pa.string()))
        if converted.problems:
            raise WrongKeyOfRecord(contract, f"{name}: {next(iter(converted.problems))}.")
        columns.append(converted.values)
    return int(mix(columns or [np.array([subject], dtype=np.int64)])[0])
