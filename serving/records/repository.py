"""Statements of accepted records."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from features.contracts.model import Contract
from features.timeline.events import Int64
from features.timeline.lake import Batch, row_hash
from serving.records.tail import encode, links_of

LOCK_COUNTER = "SELECT last FROM record_counter FOR UPDATE"
TAKE_NUMBERS = "UPDATE record_counter SET last = last + $1 RETURNING last"
ANY_ERASED = "SELECT EXISTS (SELECT 1 FROM unnest($1::bigint[]) s WHERE key_of_subject(s) IS NULL)"
HELD = "SELECT row_hash FROM record_tail WHERE dataset = $1 AND row_hash = ANY($2::bigint[])"
_COLUMNS = (
    "seq", "dataset", "subject_id", "row_hash", "links", "fields", "data", "sent_by", "sent_at",
)  # fmt: skip


async def lock_counter(connection: asyncpg.Connection) -> int:
    """Until the commit no other call takes a number: numbers are seen in their order. Before any subject's lock."""
    return int(await connection.fetchval(LOCK_COUNTER))


async def any_erased(connection: asyncpg.Connection, subjects: list[int]) -> bool:
    """Whether one of them was erased since it was looked up."""
    return bool(await connection.fetchval(ANY_ERASED, subjects))


async def held(connection: asyncpg.Connection, dataset: str, hashes: Int64) -> set[int]:
    """Which of these rows wait in the tail already."""
    return {int(row[0]) for row in await connection.fetch(HELD, dataset, hashes.tolist())}


async def insert(
    connection: asyncpg.Connection, contract: Contract, batch: Batch, actor: UUID, now: int
) -> int:
    """Store rows under the next numbers; returns the last one."""
    count = len(batch.raw.subject)
    last = int(await connection.fetchval(TAKE_NUMBERS, count))
    fields = list(contract.names)
    columns = zip(
        range(last - count + 1, last + 1), batch.raw.subject.tolist(), row_hash(batch.raw).tolist(),
        links_of(contract, batch.raw), encode(batch), strict=True,
    )  # fmt: skip
    rows = [
        (seq, contract.dataset, subject, hashed, links, fields, data, actor, now)
        for seq, subject, hashed, links, data in columns
    ]
    await connection.copy_records_to_table("record_tail", records=rows, columns=_COLUMNS)
    return last
