"""The access log: who read whose records, what of them, when and why (REG-CR-10); kept for good.

A decision writes no second entry: its own row, stored in the one statement of the group, says who, when, whom
and under which consent, and the query tells both kinds as one list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from features.calendar import NEVER
from features.consent import Access, Consent, stated_basis
from features.contracts.model import Contract
from features.timeline.door import Door, Entry, MemoryLog
from features.timeline.lake import Lake
from serving.records.tail import live_lake
from serving.store.engine import Database
from serving.store.session import Connection, tenant_transaction

INSERT = """
INSERT INTO access_log (tenant_id, at, actor, purpose, datasets, categories, bases, consents, left_out, subjects, reason)
VALUES"""
ENTRIES = """
SELECT at, coalesce(name_of_actor(actor), actor) AS who, tenant_id, purpose, datasets, categories, bases, consents,
       left_out, subjects, reason
FROM (
    SELECT at, actor, tenant_id, purpose, datasets, categories, bases, consents, left_out, subjects, reason FROM access_log
    UNION ALL
    SELECT d.decided_at, d.actor_id::text, d.tenant_id, c.purpose, '{}', c.categories, '{consent}',
           ARRAY[d.consent_id], '{}', ARRAY[d.subject_id], ''
    FROM decision d JOIN consent c USING (tenant_id, consent_id)
) read
WHERE at >= %(since)s AND at < %(until)s
  AND (%(subject)s::bigint IS NULL OR subjects IS NULL OR %(subject)s = ANY (subjects))
  AND (%(purpose)s::text IS NULL OR purpose = %(purpose)s)
  AND (%(actor)s::text IS NULL OR coalesce(name_of_actor(actor), actor) = %(actor)s)
"""
_OLDEST = "ORDER BY at, who LIMIT %(most)s"
_NEWEST = "ORDER BY at DESC, who, purpose, datasets, subjects LIMIT %(most)s"
"""Reads of one moment always in one order, so that pages meet without gap."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an auditor asks for; None asks for all. Instants in µs, ``until`` excluded; ``newest`` first, or the oldest."""

    subject: int | None = None
    actor: str | None = None
    purpose: str | None = None
    since: int = 0
    until: int = NEVER
    most: int = 1_000
    newest: bool = False


def entries(connection: Connection, wanted: Wanted) -> list[Entry]:
    """Reads of the tenant, in the order that is wanted; reads of everybody's records are of each subject too."""
    asked = {
        name: getattr(wanted, name) for name in ("subject", "actor", "purpose", "since", "until", "most")
    }
    order = _NEWEST if wanted.newest else _OLDEST
    rows = connection.execute(ENTRIES + order, asked).fetchall()
    return [_entry(row) for row in rows]


@dataclass(frozen=True, slots=True)
class CommandLog:
    """Entries in a command's own transaction: what is rolled back was not read."""

    connection: Connection
    tenant: str

    def write(self, entry: Entry) -> None:
        """See ``AccessLog.write``."""
        self.connection.execute("SELECT set_config('yidai.tenant', %s, true)", (self.tenant,))
        self.connection.execute(f"{INSERT} ({', '.join(['%s'] * 11)})", _row(self.tenant, entry))


@dataclass(frozen=True, slots=True)
class StoreLog:
    """Entries in transactions of their own, for a use that holds no connection."""

    tenant: str
    database: Callable[[], Database]

    def write(self, entry: Entry) -> None:
        """See ``AccessLog.write``."""
        with tenant_transaction(self.database(), self.tenant) as connection:
            CommandLog(connection, self.tenant).write(entry)


@asynccontextmanager
async def live_door(
    lake: Lake, connection: asyncpg.Connection, access: Access, subject: int | None = None
) -> AsyncIterator[Door]:
    """A request's door to the lake and its tail, used in threads that the coroutine waits for.

    What was read is written down at the end, in the connection's transaction.
    """
    log = MemoryLog()
    yield Door(await live_lake(lake, connection, subject), access, log)
    await write_async(connection, log.entries)


async def write_async(connection: asyncpg.Connection, read: Iterable[Entry]) -> None:
    """Keep entries of the connection's tenant; those of one use are one."""
    rows = [_row(entry.recipient, entry) for entry in merged(read)]
    if rows:
        await connection.executemany(f"{INSERT} ({', '.join(f'${n}' for n in range(1, 12))})", rows)


def entry_of(access: Access, consent: Consent, contracts: Iterable[Contract]) -> Entry:
    """The entry of a read of one subject's online row, under a consent and the bank's own contract."""
    read = list(contracts)
    given = any(contract.consent_category in consent.categories for contract in read)
    stated = {stated_basis(contract, access.purpose) for contract in read} - {""}
    return Entry(
        access.at, access.actor, access.recipient, access.purpose.value,
        tuple(sorted(contract.dataset for contract in read)),
        tuple(sorted({contract.consent_category for contract in read})),
        tuple(sorted(stated | ({"consent"} if given else set()))), (consent.consent_id,) if given else (), (),
        (consent.subject_id,),
    )  # fmt: skip


def merged(read: Iterable[Entry]) -> list[Entry]:
    """One entry for all reads of the same subjects at the same moment for the same purpose by the same actor."""
    found: dict[Any, Entry] = {}
    for entry in read:
        key = (entry.at, entry.actor, entry.recipient, entry.purpose, entry.subjects, entry.reason)
        found[key] = _joined(found[key], entry) if key in found else entry
    return list(found.values())


def _joined(one: Entry, other: Entry) -> Entry:
    def both(name: str) -> tuple[Any, ...]:
        return tuple(sorted({*getattr(one, name), *getattr(other, name)}))

    read = both("datasets")
    left_out = tuple(name for name in both("left_out") if name not in read)
    return Entry(
        one.at, one.actor, one.recipient, one.purpose, read, both("categories"), both("bases"), both("consents"),
        left_out, one.subjects, one.reason,
    )  # fmt: skip


def _entry(row: tuple[Any, ...]) -> Entry:
    datasets, categories, bases, consents, left_out = (tuple(each) for each in row[4:9])
    subjects = None if row[9] is None else tuple(row[9])
    return Entry(
        row[0], row[1], row[2], row[3], datasets, categories, bases, consents, left_out, subjects, row[10]
    )


def _row(tenant: str, entry: Entry) -> tuple[Any, ...]:
    lists = (entry.datasets, entry.categories, entry.bases, entry.consents, entry.left_out)
    subjects = None if entry.subjects is None else list(entry.subjects)
    return (
        tenant,
        entry.at,
        entry.actor,
        entry.purpose,
        *(list(each) for each in lists),
        subjects,
        entry.reason,
    )
