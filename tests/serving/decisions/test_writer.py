"""The group writer: together in one commit, each told its own, whoever goes away meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

import asyncpg
import psycopg
import pytest

from serving.access.repository import create_tenant, new_id
from serving.decisions.repository import NewDecision
from serving.decisions.writer import GroupWriter
from serving.store.engine import Database
from serving.store.session import StoreUnavailable, open_pool, owner_transaction


def row(key: str, body: str = "body", tenant: str = "city") -> NewDecision:
    """A decision as the service hands it over."""
    return NewDecision(
        tenant=tenant, decision_id=new_id(), key_hash=hashlib.sha256(key.encode()).digest(),
        request_digest=hashlib.sha256(body.encode()).digest(), subject_id=1, consent_id=new_id(), actor_id=new_id(),
        decided_at=1, outcome="refer", answer=f"{key}/{body}".encode(), receipt=b"r",
        receipt_hash=hashlib.sha256(b"r").digest(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def database(store) -> Database:
    """With two tenants."""
    for tenant in ("city", "other"):
        create_tenant(store[1], tenant, tenant, 1)
    return store[1]


@asynccontextmanager
async def writing(database: Database, groups: list[int], most: int = 64) -> AsyncIterator[GroupWriter]:
    """A writer that has begun."""
    pool = await open_pool(database, 4)
    writer = GroupWriter(pool, most, groups.append)
    writer.start()
    try:
        yield writer
    finally:
        await asyncio.wait_for(writer.stop(), 20)
        await pool.close()


def stored(database: Database) -> set[UUID]:
    """The decisions that there are."""
    with owner_transaction(database) as owner:
        return {found for (found,) in owner.execute("SELECT decision_id FROM decision").fetchall()}


async def test_what_is_queued_together_is_committed_together(database: Database) -> None:
    groups: list[int] = []
    rows = [row(f"a{k}", tenant=("city", "other")[k % 2]) for k in range(10)]
    async with writing(database, groups, most=4) as writer:
        assert await asyncio.gather(*(writer.put(each) for each in rows)) == [None] * 10
    assert groups == [4, 4, 2]
    assert {each.decision_id for each in rows} <= stored(database)


async def test_of_one_key_in_one_group_the_first_is_stored_and_the_others_are_told(
    database: Database,
) -> None:
    rows = [row("b"), row("b"), row("b", "another body"), row("b", tenant="other")]
    async with writing(database, []) as writer:
        first, second, third, elsewhere = await asyncio.gather(*(writer.put(each) for each in rows))
        again = await writer.put(row("b"))
    assert (first, elsewhere) == (None, None)
    for taken in (second, third, again):
        assert taken is not None
        assert (taken.answer, taken.request_digest) == (rows[0].answer, rows[0].request_digest)
    assert {each.decision_id for each in rows} & stored(database) == {
        rows[0].decision_id,
        rows[3].decision_id,
    }


async def test_who_goes_away_takes_nobody_along(database: Database) -> None:
    rows = [row(f"c{k}") for k in range(3)]
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("LOCK TABLE decision IN EXCLUSIVE MODE")
        async with writing(database, []) as writer:
            waiting = [asyncio.create_task(writer.put(each)) for each in rows]
            await asyncio.sleep(0.1)
            waiting[0].cancel()
            await asyncio.sleep(0)
            assert not waiting[1].done()
            owner.rollback()
            assert await asyncio.gather(*waiting[1:]) == [None, None]
            assert waiting[0].cancelled()
            assert await writer.put(row("c3")) is None
    assert {each.decision_id for each in rows} <= stored(database)


async def test_stopping_writes_what_is_queued(database: Database) -> None:
    rows = [row(f"d{k}") for k in range(5)]
    async with writing(database, [], most=2) as writer:
        waiting = [asyncio.create_task(writer.put(each)) for each in rows]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [None] * 5
    assert {each.decision_id for each in rows} <= stored(database)


async def test_a_lost_connection_is_told_to_all_who_wait_and_the_next_is_written(database: Database) -> None:
    rows = [row(f"e{k}") for k in range(3)]
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'yidai_app' AND wait_event_type = 'Lock'"
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("LOCK TABLE decision IN EXCLUSIVE MODE")
        async with writing(database, []) as writer:
            waiting = [asyncio.create_task(writer.put(each)) for each in rows]
            await asyncio.sleep(0.2)
            assert owner.execute(kill).fetchall() == [(True,)]
            for found in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(found, StoreUnavailable)
            owner.rollback()
            assert await asyncio.gather(*(writer.put(each) for each in rows)) == [None] * 3


async def test_one_that_cannot_be_written_costs_its_group_nothing(database: Database) -> None:
    rows = [row(f"one of {k}") for k in range(6)]
    rows[2] = replace(rows[2], outcome="perhaps")
    async with writing(database, []) as writer:
        found = await asyncio.gather(*map(writer.put, rows), return_exceptions=True)
        assert await writer.put(row("after")) is None
    assert [at for at, each in enumerate(found) if each is not None] == [2]
    assert isinstance(found[2], asyncpg.CheckViolationError)
    assert {each.decision_id for each in rows} - stored(database) == {rows[2].decision_id}
