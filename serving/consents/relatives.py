"""A household's records, for one of its members: only what every member seen in them allows to be read."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from features.consent import Purpose
from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.events import Pin
from features.timeline.views import Seen
from serving.consents import repository
from serving.decisions.case import is_authorised


def read(door: Door, plan: FeaturePlan, subject: int, pin: Pin, at: int) -> dict[str, Seen]:
    """What the subject would see through the links that the definitions use, from the moment ``at`` on."""
    return door.seen(plan.contracts, subject, plan.datasets, pin=pin, at=at)


async def consented(
    connection: asyncpg.Connection, views: Mapping[str, Seen], now: int
) -> dict[int, frozenset[str]]:
    """The categories that each person who is seen in them allows the tenant to read to assess a credit."""
    members = {member for seen in views.values() for member in seen.members}
    return await repository.live_categories(connection, sorted(members), Purpose.CREDIT_ASSESSMENT, now)


def readable(
    plan: FeaturePlan, views: Mapping[str, Seen], consented: Mapping[int, frozenset[str]]
) -> dict[str, Seen]:
    """Without the households in which somebody does not allow the dataset; firms and places ask nobody more.

    Without everybody's own consent or a legal basis the whole view is left out: a sum over some members
    would say something of those who are missing.
    """
    return {name: seen for name, seen in views.items() if _allowed(plan, name, seen, consented)}


def _allowed(plan: FeaturePlan, name: str, seen: Seen, consented: Mapping[int, frozenset[str]]) -> bool:
    if not plan.views[name].relatives:
        return True
    contract = plan.contracts[plan.views[name].dataset]
    return all(is_authorised(contract, consented[member]) for member in seen.members)
