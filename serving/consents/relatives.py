"""A household's records, for one of its members: only what every member seen in them allows to be read."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

from features.consent import Purpose
from features.definitions.plan import FeaturePlan
from features.timeline.door import Door
from features.timeline.events import Pin
from features.timeline.life import standing
from features.timeline.views import Seen
from serving.consents import repository
from serving.decisions.case import is_authorised


def read(door: Door, plan: FeaturePlan, subject: int, pin: Pin, at: int) -> dict[str, Seen]:
    """What the subject would see through the links that the definitions use, from the moment ``at`` on."""
    return door.seen(plan.contracts, subject, plan.datasets, pin=pin, at=at)


def household_of(door: Door, plan: FeaturePlan, subject: int, pin: Pin, at: int) -> int | None:
    """The household in which a subject lives at a moment, by the links of the views that the definitions use.

    Of several the one that it joined last; None where there is none.
    """
    used = [view for name, view in plan.views.items() if view.relatives and name in plan.datasets]
    found: list[tuple[int, int]] = []
    for source, field in sorted({(view.source, view.field) for view in used}):
        contract = plan.contracts[source]
        rows = standing(contract, door.rows(contract, [subject]), pin)
        holds = (
            (rows.valid_from <= at) & (at < rows.valid_to) & (rows.known_from <= at) & (at < rows.known_to)
        )
        household = rows.columns[field]
        holds &= household >= 0
        found += zip(rows.valid_from[holds].tolist(), household[holds].tolist(), strict=True)
    return max(found)[1] if found else None


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
