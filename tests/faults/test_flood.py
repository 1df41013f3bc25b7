"""Far more at once than can be answered: the newest is told so quickly, nobody else is lost, and it is over by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from features.calendar import iso
from tests.faults.load import SERVE, Api, free_port, wait_until
from tests.serving.world import GOOD, LATE, MIDDLE, Bank, Client, application, problem

GROUP, WAITING, POOL, FLOOD = 4, 16, 4, 150
QUICKLY = 10.0
"""Seconds within which an answer says that it is too much, while the store stands still; 150 clients that connect take a part of them."""


@dataclass
class SmallApi(Api):
    """One that few may wait in."""

    def start(self) -> None:
        """Start and wait until it could decide."""
        settings = self.bank.settings
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("YIDAI_")} | {
            "YIDAI_HOME": str(settings.home), "YIDAI_DATABASE_NAME": settings.database_name,
            "YIDAI_PORT": str(self.port), "YIDAI_AS_OF": iso(settings.as_of or 0), "YIDAI_TENANT": settings.tenant,
            "YIDAI_GROUP_SIZE": str(GROUP), "YIDAI_MOST_WAITING": str(WAITING), "YIDAI_POOL_SIZE": str(POOL),
            "YIDAI_POOL_WAIT_SECONDS": "0.5",
        }  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE], env=environment, stdout=log, stderr=log
            )
        wait_until(lambda: httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200, self.process)


@pytest.fixture(scope="module")
def api(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallApi]:
    """It runs, and ends without a traceback."""
    found = SmallApi(bank, Path(tmp_path_factory.mktemp("log")) / "serve.log")
    found.start()
    yield found
    found.stop()
    assert "Traceback" not in found.log.read_text()


@pytest.fixture(scope="module")
def people(bank: Bank, api: SmallApi) -> list[tuple[str, str]]:
    """Applicants with consents."""
    with httpx.Client(base_url=api.url, timeout=30) as http:
        client = Client(http, bank)
        return [(n, client.consent_id(n, valid_to="2190-01-01")) for n in (GOOD, LATE, MIDDLE)]


@contextmanager
def standing_still(bank: Bank, table: str) -> Iterator[None]:
    """The store answers nothing about a table."""
    with psycopg.connect(bank.database.admin_url) as owner:
        owner.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@asynccontextmanager
async def many(bank: Bank, api: SmallApi) -> AsyncIterator[httpx.AsyncClient]:
    """A client of many connections."""
    headers = {"Authorization": f"Bearer {bank.tokens['integration_engineer']}"}
    limits = httpx.Limits(max_connections=FLOOD + 10)
    async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=30, limits=limits) as http:
        yield http


async def timed(asked: Any) -> tuple[float, httpx.Response]:
    """An answer, and how many seconds it took."""
    began = time.monotonic()
    got = await asked
    return time.monotonic() - began, got


def stored(bank: Bank) -> int:
    """Decisions of the store."""
    with psycopg.connect(bank.database.admin_url) as owner:
        return int(owner.execute("SELECT count(*) FROM decision").fetchone()[0])


async def flooded(
    bank: Bank, http: httpx.AsyncClient, asked: list[Any], table: str
) -> tuple[list[tuple[float, httpx.Response]], list[tuple[float, httpx.Response]]]:
    """Ask all at once while the store stands still; who was answered meanwhile, and who afterwards."""
    with standing_still(bank, table):
        tasks = [asyncio.create_task(timed(each)) for each in asked]
        await asyncio.sleep(QUICKLY + 1)
        assert (await http.get("/health/live")).status_code == 200
        early = [task for task in tasks if task.done()]
    late = [await task for task in tasks if task not in early]
    return [task.result() for task in early], late


@pytest.mark.campaign
def test_a_flood_of_applications_is_shed_quickly_and_every_one_admitted_is_decided_once(
    bank: Bank, api: SmallApi, people: list[tuple[str, str]]
) -> None:
    bodies = {f"flood {k}": application(*people[k % len(people)]) for k in range(FLOOD)}
    before = stored(bank)

    async def story() -> dict[str, bytes]:
        async with many(bank, api) as http:

            def ask(key: str) -> Any:
                return http.post("/v1/decisions", json=bodies[key], headers={"Idempotency-Key": key})

            await http.get("/v1/approvals")  # the door knows who is asking
            early, late = await flooded(bank, http, [ask(key) for key in bodies], "decision")
            assert len(late) in range(WAITING + 1, WAITING + 2 * GROUP + 1)
            assert len(early) == FLOOD - len(late)
            for took, got in early:
                problem(got, 503, "overloaded")
                assert int(got.headers["Retry-After"]) >= 1
                assert took < QUICKLY
            assert {got.status_code for _, got in late} == {201}
            answers = {got.request.headers["Idempotency-Key"]: got.content for _, got in late}
            for key in bodies:  # what was shed is sent again; what was decided is repeated
                again = await ask(key)
                assert again.status_code == (200 if key in answers else 201)
                assert answers.setdefault(key, again.content) == again.content
            return answers

    answers = asyncio.run(story())
    assert len(set(answers.values())) == FLOOD
    assert stored(bank) == before + FLOOD


@pytest.mark.campaign
def test_who_finds_no_connection_is_told_soon_and_it_is_over_by_itself(
    bank: Bank, api: SmallApi, people: list[tuple[str, str]]
) -> None:
    path = f"/v1/consents/{people[0][1]}"

    async def story() -> None:
        async with many(bank, api) as http:
            assert (await http.get(path)).status_code == 200
            early, late = await flooded(bank, http, [http.get(path) for _ in range(60)], "consent")
            assert len(late) == POOL
            for took, got in early:
                problem(got, 503, "store_unavailable")
                assert got.headers["Retry-After"] == "1"
                assert took < QUICKLY
            assert {got.status_code for _, got in late} == {200}
            assert [(await http.get(path)).status_code for _ in range(20)] == [200] * 20

    asyncio.run(story())
