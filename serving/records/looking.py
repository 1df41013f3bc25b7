"""One subject looked at by a person: the lake, and with a store its tail and the open disputes."""

from __future__ import annotations

import msgspec

from features.consent import Access, Purpose
from features.definitions.plan import FeaturePlan
from features.showing import ShownFeature, features_of
from features.timeline.door import Door, FileLog
from features.timeline.lake import Lake
from serving.records.tail import CommandTail
from serving.store.access_log import CommandLog
from serving.store.engine import Database
from serving.store.session import owner_transaction

_WHO = "yidai features show"
_TAIL = "SELECT count(*) FROM record_tail WHERE subject_id = %s"
_DISPUTED = """
SELECT DISTINCT dataset FROM dispute WHERE tenant_id = %s AND subject_id = %s AND verdict IS NULL ORDER BY dataset"""


class Shown(msgspec.Struct, frozen=True):
    """What was ``read``, in words; the datasets with a disputed record; and every column."""

    read: str
    disputed: tuple[str, ...]
    features: list[ShownFeature]

    def disputes(self, feature: ShownFeature) -> bool:
        """Whether a column comes from a dataset with a record that its subject disputes."""
        sources = {name.partition("@")[0] for name in feature.sources.split("+")}
        return not sources.isdisjoint(self.disputed)


def alone(plan: FeaturePlan, lake: Lake, subject: int, as_of: int, now: int) -> Shown:
    """The lake and nothing else; the read is written down beside it."""
    access = Access(_WHO, Purpose.MODEL_DEVELOPMENT, "", now)
    door = Door(lake, access, FileLog(lake.root))
    return Shown("the lake alone", (), features_of(plan, door, subject, as_of))


def with_store(
    plan: FeaturePlan, lake: Lake, database: Database, tenant: str, subject: int, as_of: int, now: int
) -> Shown:
    """The lake with the tail, and the tenant's disputes; the read is written down in the store."""
    access = Access(_WHO, Purpose.MODEL_DEVELOPMENT, tenant, now)
    with owner_transaction(database) as connection:
        door = Door(Lake(lake.root, CommandTail(connection)), access, CommandLog(connection, tenant))
        features = features_of(plan, door, subject, as_of)
        row = connection.execute(_TAIL, (subject,)).fetchone()
        disputed = [one[0] for one in connection.execute(_DISPUTED, (tenant, subject)).fetchall()]
    waiting = row[0] if row else 0
    return Shown(
        f"the lake, {waiting} records of the tail, {len(disputed)} disputes", tuple(disputed), features
    )
