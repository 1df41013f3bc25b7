"""What `yidai quality` does: settings in, values out."""

from __future__ import annotations

from features.contracts.load import BUILTIN, load_contracts
from features.quality.lateness import Delivery, deliveries
from features.terminal import Step
from features.timeline.lake import Lake
from serving.operations import moment_of, prepare
from serving.quality.sources import judge
from serving.settings import Settings


def sources(
    settings: Settings, step: Step | None = None, *, apply: bool = False
) -> tuple[dict[str, Delivery], int]:
    """Every source that can be judged, and the moment as of which; with ``apply`` decisions follow."""
    lake, contracts, now = Lake(settings.lake_root), load_contracts([BUILTIN]), moment_of(settings)
    if apply:
        return judge(prepare(settings), lake, contracts, now, step), now
    return deliveries(lake, contracts, now, step), now
