"""The models that the watch asks, as the registry has them in force."""

from __future__ import annotations

from collections.abc import Mapping

from features.definitions.plan import FeaturePlan
from serving.registry import service as registry
from serving.store.session import Connection
from serving.watch.models import SLOTS, Models


def models_in_force(connection: Connection, slots: Mapping[str, str], plan: FeaturePlan) -> Models:
    """Those of the slots (digest by name) that the watch asks, in a tenant's transaction.

    Raises:
        BrokenBundle, NoYear: one cannot be asked.
    """
    held = {slot: registry.artifact(connection, slots[slot]).data for slot in SLOTS if slot in slots}
    return Models.of(held, plan.reasons)
