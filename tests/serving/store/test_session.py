"""What the database does not take just now is told as such, whatever it calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from serving.store.session import StoreUnavailable, open_pool, owner_transaction, tenant_transaction
from serving.store.session import tenant_connection as connected
from tests.serving.world import GOOD, Bank, Client, problem

RAISE = "DO $$ BEGIN RAISE EXCEPTION 'tried' USING ERRCODE = '{}'; END $$"
CODES = {"deadlock": "40P01", "serialization": "40001", "read-only": "25006", "shutdown": "57P01"}


@pytest.fixture
def reading_only(bank: Bank) -> Iterator[None]:
    """The store takes no writes, as a standby does after a failover; the API's connections are new ones."""
    role = sql.Identifier(conninfo_to_dict(bank.database.app_url)["user"])
    base = sql.Identifier(conninfo_to_dict(bank.database.app_url)["dbname"])
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND datname = current_database()"

    def turn(change: str) -> None:
        with owner_transaction(bank.database) as owner:
            statement = sql.SQL("ALTER ROLE {} IN DATABASE {} " + change)
            owner.execute(statement.format(role, base))
        with owner_transaction(bank.database) as owner:
            owner.execute(ended, (role.as_string().strip('"'),))

    turn("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        turn("RESET default_transaction_read_only")


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_what_may_succeed_when_it_is_done_again_is_no_error_of_the_code(bank: Bank, code: str) -> None:
    async def ask() -> None:
        pool = await open_pool(bank.database, 1)
        try:
            async with connected(pool, "city") as connection:
                await connection.execute(RAISE.format(code))
        finally:
            await pool.close()

    with pytest.raises(StoreUnavailable):
        asyncio.run(ask())
    for opened in (tenant_transaction(bank.database, "city"), owner_transaction(bank.database)):
        with pytest.raises(StoreUnavailable), opened as connection:
            connection.execute(RAISE.format(code))


def test_what_is_wrong_in_a_statement_stays_an_error_of_the_code(bank: Bank) -> None:
    with pytest.raises(psycopg.DataError), tenant_transaction(bank.database, "city") as connection:
        connection.execute(RAISE.format("22000"))


@pytest.mark.usefixtures("reading_only")
def test_a_store_that_only_reads_is_told_where_one_decides_and_to_the_balancer(
    client: Client, consent: str
) -> None:
    for _ in range(9):  # a pool finds out by asking which of its connections are gone
        told = problem(client.http.get("/health/ready"), 503)
        if told["code"] == "reads_only":
            break
    assert (told["code"], told["place"]) == ("reads_only", "store")
    got = client.decide(GOOD, consent, key="after a failover")
    problem(got, 503, "store_unavailable")
    assert got.headers["retry-after"] == "1"


def test_and_once_it_writes_again_the_same_key_is_decided(client: Client, consent: str) -> None:
    for _ in range(
        5
    ):  # as balancers and clients do: a pool finds out by asking which of its connections are gone
        ready = client.http.get("/health/ready").status_code
        if ready == httpx.codes.OK:
            break
    assert ready == httpx.codes.OK
    for _ in range(5):
        got = client.decide(GOOD, consent, key="after a failover")
        if got.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    assert got.status_code == httpx.codes.CREATED
