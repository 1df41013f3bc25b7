"""What a tenant looks with just now."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from features.definitions.plan import FeaturePlan
from serving.decisions.live import NothingActive
from serving.registry import repository as registry_rows
from serving.registry import service as registry
from serving.store.session import Connection
from serving.watch.asked import models_in_force
from serving.watch.models import SLOTS
from serving.watch.signals import SignalsDocument, check_signals
from serving.watch.values import Reading


@dataclass(frozen=True, slots=True)
class InForce:
    """Definitions and signals with what these and the models in force read; ``digests`` are of all, the signals' the second."""

    plan: FeaturePlan
    signals: SignalsDocument
    reading: Reading
    digests: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the signals."""
        return self.digests[1]


def in_force(connection: Connection, now: int, known: InForce | None = None) -> InForce:
    """What is in force at a moment, in a tenant's transaction; ``known`` again where it is that.

    Raises:
        NothingActive: no definitions or no signals are.
        BrokenBundle, NoYear: a model cannot be asked.
        BrokenSignal: a signal reads a feature that the definitions do not have.
    """
    slots = registry_rows.active(connection, now)
    for slot in ("definitions", "signals"):
        if slot not in slots:
            raise NothingActive(slot)
    digests = tuple(slots.get(slot, "") for slot in ("definitions", "signals", *SLOTS))
    if known is not None and known.digests == digests:
        return known
    plan = FeaturePlan.load(registry.artifact(connection, digests[0]).data)
    signals = msgspec.json.decode(registry.artifact(connection, digests[1]).data, type=SignalsDocument)
    check_signals(signals, (column.name for column in plan.columns))
    models = models_in_force(connection, slots, plan)
    return InForce(plan, signals, Reading.of(plan, signals, models), digests)
