"""A household's cap: taken in the decision's own transaction, so that two at once never both take the last of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from features.canonical import canonical_bytes
from serving.access.model import Permission
from serving.access.repository import new_id
from serving.decisions.budgets import HOUSEHOLD, RANDOM_COUNT, Full, Reservation
from serving.decisions.replay import ReplayStatus, replay
from serving.decisions.repository import Taken
from serving.decisions.writer import GroupWriter
from serving.registry.model import Kind
from serving.registry.repository import active
from serving.services import Services, close_services, open_services
from serving.store.session import StoreUnavailable, open_pool, owner_transaction, tenant_transaction
from tests.serving.consents.test_relatives import REGISTER
from tests.serving.decisions.test_writer import row
from tests.serving.feeding import ingest, subject_of
from tests.serving.policy.documents import plain
from tests.serving.world import GOOD, MIDDLE, POOR, Bank, Client, application, policy_with

CAP, EACH = 10_000_000, 3_000_000
"""Fen: of a household, and of an application: three whole ones and one of what is left."""


@pytest.fixture(scope="module", autouse=True)
def household(bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> None:
    """GOOD and POOR share a household and its cap; MIDDLE moved out of it."""
    rows = [
        [GOOD, "H1", "head", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"],
        [POOR, "H1", "spouse", "1985-06-12", "", "", "", "V1", "2020-01-01", "", "2020-01-05T09:00:00"],
        [MIDDLE, "H1", "child", "1985-06-12", "", "", "", "V1", "2020-01-01", "2023-01-01", "2020-01-05T09:00:00"],
    ]  # fmt: skip
    ingest(bank, tmp_path_factory.mktemp("register"), "population_register", REGISTER, rows)
    caps = [{"id": "small", "effective_from": "2020-07-17", "source": "house:test", "value": CAP}]
    tables = plain()["tables"] | {"exposure_caps": caps}
    bank.approved("policy", Kind.POLICY, policy_with(tables=tables, random_approval=None))


def policy_of(bank: Bank) -> bytes:
    """The one in force."""
    with tenant_transaction(bank.database, "city") as connection:
        digest = active(connection, bank.clock())["policy"]
        found = connection.execute("SELECT bytes FROM artifact WHERE digest = %s", (digest,)).fetchone()
    assert found is not None
    return bytes(found[0])


@pytest.fixture
def fresh(bank: Bank) -> None:
    """Nothing is promised to anybody."""
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE budget SET used = 0")


def promised(bank: Bank, name: str = HOUSEHOLD) -> dict[str, int]:
    """Fen by holder, or what of another budget is used by period."""
    with owner_transaction(bank.database) as owner:
        asked = "SELECT period, used FROM budget WHERE name = %s AND used > 0"
        return dict(owner.execute(asked, (name,)).fetchall())


def holder_of(bank: Bank, number: str) -> int | None:
    """Who shares the cap of somebody who is online."""
    with owner_transaction(bank.database) as owner:
        asked = "SELECT household FROM subject_timeline WHERE subject_id = %s"
        found = owner.execute(asked, (subject_of(bank, number),)).fetchone()
    return None if found is None else found[0]


@asynccontextmanager
async def instances(bank: Bank, count: int) -> AsyncIterator[list[Services]]:
    """Processes of the API, each with its own pool and writer."""
    held = [await open_services(bank.settings, bank.database, bank.clock) for _ in range(count)]
    try:
        yield held
    finally:
        for each in held:
            await close_services(each)


def crowd(bank: Bank, people: dict[str, str], count: int, key: str = "") -> list[dict[str, Any]]:
    """So many applications at once over two instances, everybody in turn; or all under one key."""
    names = sorted(people)

    async def run() -> list[bytes]:
        async with instances(bank, 2) as held:
            asker = bank.authority("integration_engineer", Permission.DECIDE)

            async def one(k: int) -> bytes:
                number = names[k % len(names)]
                body = application(number, people[number], amount_fen=EACH, amount_yuan=...)
                named = key or f"{people[number]}{k}"
                return (await held[k % 2].decisions.decide(asker, named, msgspec.json.encode(body))).body

            return await asyncio.gather(*(one(k) for k in range(count)))

    return [msgspec.json.decode(answer) for answer in asyncio.run(run())]


def limits(answers: list[dict[str, Any]]) -> list[int]:
    """Of those that were approved, falling."""
    return sorted((a["limit_fen"] for a in answers if a["outcome"] == "approve"), reverse=True)


@pytest.mark.usefixtures("fresh")
def test_a_crowd_of_one_household_is_promised_its_cap_and_no_fen_more(client: Client, bank: Bank) -> None:
    answers = crowd(bank, {GOOD: client.consent_id(GOOD)}, 24)
    assert limits(answers) == [EACH, EACH, EACH, CAP - 3 * EACH]
    (smaller,) = [a for a in answers if a["limit_fen"] == CAP - 3 * EACH]
    assert (smaller["offer"]["counter_offer"], smaller["offer"]["bound_by"]) == (True, "exposure")
    assert {a["reasons"][0]["code"] for a in answers if a["outcome"] == "decline"} == {"LIMIT_BY_HOUSEHOLD"}
    assert promised(bank) == {str(holder_of(bank, GOOD)): CAP}
    auditor = bank.authority("auditor", Permission.REPLAY)
    found = {r.decision_id: r for r in replay(bank.settings, bank.database, auditor)}
    for answer in answers:
        assert found[UUID(answer["decision_id"])].status is ReplayStatus.SAME


@pytest.mark.usefixtures("fresh")
def test_members_of_a_household_share_its_cap_and_who_left_has_an_own_one(client: Client, bank: Bank) -> None:
    people = {number: client.consent_id(number) for number in (GOOD, POOR, MIDDLE)}
    assert holder_of(bank, GOOD) == holder_of(bank, POOR) is not None
    assert holder_of(bank, MIDDLE) is None
    first = client.decide(GOOD, people[GOOD], amount_yuan="30000").json()
    receipt = client.as_("auditor").ask("GET", f"/v1/decisions/{first['decision_id']}/receipt").json()
    assert receipt["case"]["household"] == {"holder": holder_of(bank, GOOD), "promised_fen": 0}
    for number, known in ((POOR, 3_000_000), (MIDDLE, 0)):
        name = client.decide(number, people[number]).json()["decision_id"]
        case = client.as_("auditor").ask("GET", f"/v1/decisions/{name}/receipt").json()["case"]
        assert case["household"]["promised_fen"] == known
    assert case["household"]["holder"] == subject_of(bank, MIDDLE)


@pytest.mark.usefixtures("fresh")
def test_who_withholds_the_register_shares_the_cap_all_the_same(client: Client, bank: Bank) -> None:
    client.decide(GOOD, client.consent_id(GOOD), amount_yuan="30000")
    (holder,) = promised(bank)
    with owner_transaction(bank.database) as owner:
        owner.execute("UPDATE consent SET withdrawn_at = 1 WHERE subject_id = %s", (subject_of(bank, POOR),))
    client.consent_id(POOR, categories=["bank", "bureau", "court"])
    assert holder_of(bank, POOR) == int(holder)


@pytest.mark.usefixtures("fresh")
def test_two_instances_never_overdraw_the_random_stream_nor_the_cap_by_it(client: Client, bank: Bank) -> None:
    stream = {"share_ppm": 1_000_000, "first": 8, "last": 9, "max_limit_fen": 1_000_000, "rate_ppm": 180_000}
    document = msgspec.json.decode(policy_of(bank))
    random = document | {"random_approval": stream | {"monthly_budget": 7}}
    bank.approved("policy", Kind.POLICY, canonical_bytes(random))
    answers = crowd(bank, {MIDDLE: client.consent_id(MIDDLE)}, 20)
    assert [a["stream"] for a in answers].count("random") == 7
    assert list(promised(bank, RANDOM_COUNT).values()) == [7]
    assert promised(bank) == {str(subject_of(bank, MIDDLE)): 7_000_000}
    bank.approved(
        "policy", Kind.POLICY, canonical_bytes(document | {"title": {"zh": "原政策", "en": "As before"}})
    )


@pytest.mark.usefixtures("fresh")
def test_a_crowd_under_one_key_takes_of_the_cap_once(client: Client, bank: Bank) -> None:
    answers = crowd(bank, {GOOD: client.consent_id(GOOD)}, 16, key=f"one{new_id()}")
    assert len({answer["decision_id"] for answer in answers}) == 1
    assert list(promised(bank).values()) == [EACH]


def reserving(key: str, amount: int, *periods: str) -> Any:
    """A decision that takes of the caps of these holders, 10 each."""
    taken = tuple(Reservation(HOUSEHOLD, period, amount, 10) for period in periods)
    return replace(row(key), reservations=taken)


async def test_a_decision_takes_all_that_it_reserves_or_is_not_stored(bank: Bank) -> None:
    pool = await open_pool(bank.database, 2)
    writer = GroupWriter(pool, 64, lambda _: None)
    writer.start()
    rows = [
        reserving("all", 7, "a", "b"), reserving("part", 4, "b", "c"), reserving("rest", 3, "a"),
        reserving("all", 7, "a", "b"), row("free"),
    ]  # fmt: skip
    told = await asyncio.gather(*(writer.put(each) for each in rows))
    assert told[:3] == [None, Full((HOUSEHOLD,)), None]
    assert isinstance(told[3], Taken)
    assert told[4] is None
    assert isinstance(await writer.put(reserving("rest", 1, "c")), Taken), (
        "a key that was taken takes nothing"
    )
    await writer.stop()
    await pool.close()
    found = promised(bank)
    assert {name: found.get(name, 0) for name in "abc"} == {"a": 10, "b": 7, "c": 0}


async def test_what_was_not_committed_is_not_reserved(bank: Bank) -> None:
    before = promised(bank)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'yidai_app' AND wait_event_type = 'Lock'"
    pool = await open_pool(bank.database, 2)
    writer = GroupWriter(pool, 64, lambda _: None)
    writer.start()
    with psycopg.connect(bank.database.admin_url) as owner:
        owner.execute("LOCK TABLE decision IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(writer.put(reserving("crash", 5, "x", "y")))
        await asyncio.sleep(0.2)
        assert owner.execute(kill).fetchall() == [(True,)], "after it has reserved, before it is stored"
        with pytest.raises(StoreUnavailable):
            await waiting
        owner.rollback()
    assert promised(bank) == before
    assert await writer.put(reserving("crash", 5, "x", "y")) is None
    await writer.stop()
    await pool.close()


async def test_many_who_reserve_the_same_limits_in_any_order_never_wait_in_a_circle(bank: Bank) -> None:
    pools = [await open_pool(bank.database, 2) for _ in range(3)]
    writers = [GroupWriter(pool, 4, lambda _: None) for pool in pools]
    for writer in writers:
        writer.start()
    orders = (("p", "q", "r"), ("r", "q", "p"), ("q", "r", "p"))
    rows = [reserving(f"circle{k}", 1, *orders[k % 3]) for k in range(60)]
    told = await asyncio.gather(*(writers[k % 3].put(each) for k, each in enumerate(rows)))
    for writer, pool in zip(writers, pools, strict=True):
        await writer.stop()
        await pool.close()
    assert sum(each is None for each in told) == 10
    assert {str(each) for each in told if each is not None} == {str(Full((HOUSEHOLD,) * 3))}
    found = promised(bank)
    assert [found[name] for name in "pqr"] == [10, 10, 10]
