"""Datasets that only a join of everybody's records can tell, derived into the lake."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from features.contracts.model import Contract
from features.derived.conduct import DATASET, READS, conduct_events
from features.timeline.door import Door
from features.timeline.lake import Lake
from serving.watch.book import datasets


def derive(lake: Lake, contracts: Mapping[str, Contract], door: Door, now: int) -> int:
    """Store the events of ``conduct_event`` that are proved by ``now`` and not stored yet; returns how many.

    Again it stores nothing; where later records prove more, the event corrects itself.

    Raises:
        LakeBusy: somebody else writes; nothing was stored.
        NotAllowed: the bank's own records may not be read for this purpose.
    """
    if DATASET not in contracts:
        return 0
    needed = (*datasets(contracts), *READS)
    tables = door.whole(contracts, needed, needed=needed).tables
    with lake.writing():
        raw = conduct_events(tables, now, lake.next_version())
        return lake.append(DATASET, raw, np.zeros(len(raw.subject), dtype=bool))
