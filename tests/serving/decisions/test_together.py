"""Applications that are decided together: one that cannot be decided costs the others nothing, and each gets its own."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import msgspec

from serving.access.model import Permission
from serving.access.repository import actor_of
from serving.services import close_services, open_services
from serving.store.session import owner_transaction
from tests.serving.world import GOOD, LATE, MIDDLE, POOR, YOUNG, Bank, Client, application


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
