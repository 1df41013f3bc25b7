"""Applications that are decided together: one that cannot be decided costs the others nothing, and each gets its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from serving.access.model import Permission
from serving.access.repository import actor_of
from serving.decisions.together import by_versions, told_apart
from serving.registry.model import Kind
from serving.services import close_services, open_services
from serving.store.session import owner_transaction
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, YOUNG, Bank, Client, application, policy_with


def together(bank: Bank, asked: list[tuple[str, str]]) -> list[Any]:
    """The answers, or what was raised, of applications that are sent at the same time."""
    token = bank.tokens["integration_engineer"]

    async def run() -> list[Any]:
        held = await open_services(bank.settings, bank.database, bank.clock)
        authority = actor_of(bank.database, token, bank.clock()).allowed(Permission.DECIDE)
        try:
            work = [
                held.decisions.decide(
                    authority, uuid4().hex, msgspec.json.encode(application(number, consent))
                )
                for number, consent in asked
            ]
            return await asyncio.gather(*work, return_exceptions=True)
        finally:
            await close_services(held)

    return asyncio.run(run())


def test_a_timeline_that_cannot_be_read_stops_its_own_decision_only(client: Client, bank: Bank) -> None:
    bank.approved("policy", Kind.POLICY, policy_with(random_approval=None))
    people = [GOOD, LATE, MIDDLE, POOR, YOUNG]
    asked = [(number, client.consent_id(number)) for number in people]
    alone = [client.decide(number, consent).json() for number, consent in asked]
    hurt = alone[1]["decision_id"]
    where = f"WHERE subject_id = (SELECT subject_id FROM decision WHERE decision_id = '{hurt}')"
    with owner_transaction(bank.database) as owner:
        packed = owner.execute(f"SELECT packed FROM subject_timeline {where}").fetchone()[0]
        owner.execute(f"UPDATE subject_timeline SET packed = '\\x00ff' {where}")
    try:
        found = together(bank, asked * 3)
    finally:
        with owner_transaction(bank.database) as owner:
            owner.execute(f"UPDATE subject_timeline SET packed = %s {where}", (packed,))
    for at, each in enumerate(found):
        place = at % len(people)
        if place == 1:
            assert getattr(each, "code", "") == "integrity"
        else:
            got = msgspec.json.decode(each.body)
            assert (got["outcome"], got["grade"]) == (alone[place]["outcome"], alone[place]["grade"])
    ids = {msgspec.json.decode(each.body)["decision_id"] for each in found if not isinstance(each, Exception)}
    assert len(ids) == 12


@dataclass(frozen=True)
class Part:
    """Something under the versions ``live``."""

    number: int
    live: Any = None


@given(st.lists(st.integers(-3, 3)))
def test_where_all_fail_together_each_is_told_its_own(numbers: list[int]) -> None:
    asked: list[list[int]] = []

    def inverted(parts: list[Part]) -> list[float]:
        asked.append([part.number for part in parts])
        return [1 / part.number for part in parts]

    found = told_apart(inverted, [Part(number) for number in numbers])
    told = ["none" if isinstance(each, ZeroDivisionError) else each for each in found]
    assert told == ["none" if number == 0 else 1 / number for number in numbers]
    assert len(asked) == (1 if 0 not in numbers or len(numbers) == 1 else 1 + len(numbers))


def test_those_under_the_same_versions_go_together_and_others_are_left_out() -> None:
    one, other = object(), object()
    parts = [Part(0, one), "answered", Part(2, other), Part(3, one), ValueError("refused")]
    assert list(by_versions(parts, Part)) == [
        ([0, 3], [Part(0, one), Part(3, one)]),
        ([2], [Part(2, other)]),
    ]
