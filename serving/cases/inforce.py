"""The policy that is in force now for a product: a case may have waited long enough for its caps to be another's."""

from __future__ import annotations

from functools import lru_cache

import asyncpg
import msgspec

from serving.decisions.live import is_policy
from serving.registry.repository import active_async, artifacts_async


async def policy_in_force(connection: asyncpg.Connection, product: str, at: int) -> bytes | None:
    """The bytes of the policy that would decide an application for a product at a moment (µs); None where none names it."""
    slots = await active_async(connection, at)
    names = [slots[slot] for slot in sorted(filter(is_policy, slots))]
    found = await artifacts_async(connection, sorted(set(names)))
    return next((found[name] for name in names if product in _products(found[name])), None)


@lru_cache(maxsize=16)
def _products(policy: bytes) -> frozenset[str]:
    return frozenset(msgspec.json.decode(policy)["products"])
