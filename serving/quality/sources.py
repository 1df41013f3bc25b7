"""Until when each source has to deliver, and which are too poor to decide by, kept beside the decisions."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
import msgspec

from features.contracts.model import Contract
from features.quality.lateness import Delivery, deliveries
from features.quality.trust import poor_sources
from features.terminal import Step
from features.timeline.lake import Lake
from serving.store.engine import Database
from serving.store.session import owner_transaction

_DELETE = "DELETE FROM source_delivery WHERE dataset <> ALL (%s)"
_PUT = """
INSERT INTO source_delivery AS d (dataset, last_known, allowed, judged_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (dataset) DO UPDATE SET last_known = GREATEST(d.last_known, excluded.last_known),
    allowed = excluded.allowed, judged_at = excluded.judged_at"""
_TRUST_ALL = "DELETE FROM source_poor"
_POOR = (
    "INSERT INTO source_poor (dataset, score, value, least, rows, judged_at) VALUES (%s, %s, %s, %s, %s, %s)"
)
_ALL = "SELECT dataset, last_known, allowed FROM source_delivery ORDER BY dataset"
_LOCK = "LOCK TABLE source_delivery IN EXCLUSIVE MODE"
_HEARD = "UPDATE source_delivery SET last_known = $2 WHERE dataset = $1 AND last_known < $2"


def judge(
    database: Database, lake: Lake, contracts: Mapping[str, Contract], now: int, step: Step | None = None
) -> dict[str, Delivery]:
    """Look at all feeds anew; the next decision relies on those that are neither late nor poor then.

    ``now`` is the moment as of which decisions are made: a sample is judged at its own. What was heard meanwhile,
    and is not in the lake yet, stays heard.
    """
    found = deliveries(lake, contracts, now, step)
    poor = [(*msgspec.structs.astuple(each), now) for each in poor_sources(lake, contracts).values()]
    with owner_transaction(database) as connection:
        connection.execute(_LOCK)
        connection.execute(_DELETE, (list(found),))
        rows = [(each.dataset, each.last_known, each.allowed, now) for each in found.values()]
        connection.cursor().executemany(_PUT, rows)
        connection.execute(_TRUST_ALL)
        connection.cursor().executemany(_POOR, poor)
        return {row[0]: Delivery(*row) for row in connection.execute(_ALL).fetchall()}


async def heard(connection: asyncpg.Connection, dataset: str, known: int) -> None:
    """A record of this source that became known at this moment was accepted: it is late no longer."""
    await connection.execute(_HEARD, dataset, known)
