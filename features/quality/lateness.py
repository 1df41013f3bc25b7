"""How long each source may be silent before decisions must not rely on it any more.

A source is judged by its whole feed and never by one subject: that a court says nothing of somebody is no news.
It may be silent for its refresh, its usual lag and the tolerance of ``lateness.yaml``; or, where that is longer, for
``gap_factor`` times the gap that 95 % of the gaps between its days with records do not exceed. A daily source is
not judged before it has ``fewest_gaps``, and a register (``unjudged``) never: nothing may have changed.
A source that never delivered is not judged: its records do not exist, which is not the same as not coming.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from features.calendar import CHINA_OFFSET, DAY
from features.contracts.documents import read_yaml
from features.contracts.model import Contract
from features.terminal import Step
from features.timeline.events import Int64
from features.timeline.lake import Lake
from features.timeline.segments import read_arrays, settled_read

_DAILY = "daily"
_LONG = 95


class Lateness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of ``lateness.yaml``."""

    refresh_days: dict[str, int]
    tolerance_days: int
    fewest_gaps: int
    gap_factor: int
    unjudged: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Delivery:
    """When a source delivered last, and how long it may be silent after that; µs."""

    dataset: str
    last_known: int
    allowed: int

    @property
    def due_by(self) -> int:
        """Until when something has to come."""
        return self.last_known + self.allowed

    def late(self, now: int) -> bool:
        """Whether decisions of this moment do without the source."""
        return self.due_by < now


@cache
def limits() -> Lateness:
    """The limits that Yidai ships."""
    return read_yaml(Path(__file__).with_name("lateness.yaml"), Lateness)


def allowed_silence(contract: Contract, known: Int64, limit: Lateness | None = None) -> int | None:
    """How long a source may be silent, µs; None where it cannot be judged. ``known`` is of all its records."""
    limit = limit or limits()
    refresh = limit.refresh_days.get(contract.refresh)
    if refresh is None or not len(known) or contract.dataset in limit.unjudged:
        return None
    days = refresh + contract.times.known_from.usual_lag_days + limit.tolerance_days
    gaps = np.diff(np.unique((known + CHINA_OFFSET) // DAY))
    if contract.refresh == _DAILY and len(gaps) < limit.fewest_gaps:
        return None
    usual = float(np.percentile(gaps, _LONG, method="inverted_cdf")) if len(gaps) else 0.0
    days = max(days, limit.gap_factor * usual)
    return round(days * DAY)


def delivery(contract: Contract, known: Int64, now: int, limit: Lateness | None = None) -> Delivery | None:
    """What a source promises from the records that were known at ``now``; None where it cannot be judged."""
    seen = known[known <= now]
    allowed = allowed_silence(contract, seen, limit)
    return None if allowed is None else Delivery(contract.dataset, int(seen.max()), allowed)


def deliveries(
    lake: Lake, contracts: Mapping[str, Contract], now: int, step: Step | None = None
) -> dict[str, Delivery]:
    """Every source of the lake that can be judged."""
    found: dict[str, Delivery] = {}
    for done, (name, contract) in enumerate(contracts.items()):
        if step:
            step(name, done, len(contracts))
        each = delivery(contract, arrivals(lake, name), now)
        if each is not None:
            found[name] = each
    return found


def late_sources(sources: Iterable[Delivery], now: int) -> dict[str, Delivery]:
    """Those from which nothing came for longer than they may be silent."""
    return {each.dataset: each for each in sources if each.late(now)}


def arrivals(lake: Lake, dataset: str) -> Int64:
    """When each stored row of a dataset became known, µs, int64 [rows]."""

    def read() -> Int64:
        parts = [read_arrays(path, ["known_from"])["known_from"] for path in lake.segments(dataset)]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    return settled_read(lake.root, read)
