"""What an analyst and a risk officer do so that a sample city's models decide."""

from __future__ import annotations

from collections.abc import Sequence

from serving import operations
from serving.governance import inventory
from serving.governance.analyst import TrainedModel, versions_of
from serving.governance.promotion import GatesMissed, Promoted
from serving.registry.governance import ModelEntry
from serving.settings import Settings
from training.promotion import NEVER_WAIVED

REASON = "A sample city: too small for some figures, and its test of fairness is left to the reader."
_PURPOSE = {
    "bundle.rating": "Scorecard of household loans, the simple model beside the booster.",
    "bundle.risk": "PD of household loans within 12 months, which grades, limits and prices rest on.",
}
_LIMITS = "Made on a synthetic city: no real applicant, no firms, no loan over 36 months."


def put_in_force(
    analyst: Settings, officer: Settings, portfolio: str, models: Sequence[TrainedModel], note: str = ""
) -> Promoted:
    """Register, submit with evidence, approve and promote everything in one transaction. Gates about figures that
    a small city misses are waived, with ``REASON``.

    Raises:
        GatesMissed: one about integrity.
    """
    beside = {model.slot: operations.evidence_beside(model.path) for model in models}
    wanted = {}
    for slot, kind, data in versions_of(portfolio, models):
        if slot in _PURPOSE:
            inventory.register(analyst, ModelEntry(slot, 1, "analyst", _PURPOSE[slot], _LIMITS))
        wanted[slot] = operations.submit(
            analyst, kind, data, note, beside.get(slot) if slot in _PURPOSE else None
        )
        operations.approve(officer, wanted[slot], reason=note)
    first, *_ = wanted
    try:
        return operations.promote(officer, first, wanted[first], beside=wanted)
    except GatesMissed as refusal:
        gates = {one.gate for standings in refusal.missed.values() for one in standings} - NEVER_WAIVED
        return operations.promote(officer, first, wanted[first], beside=wanted, waived=gates, reason=REASON)
