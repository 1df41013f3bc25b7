"""All sources of a lake, one after another: no more than one dataset is in memory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from features.calendar import NULL
from features.contracts.model import Contract
from features.quality.drift import SourceDrift, drift_of
from features.quality.scores import Period, Refused, SourceScores, scores_of
from features.terminal import Step
from features.timeline.feed import Finding
from features.timeline.ingest import deliveries_refused, outside_limits
from features.timeline.lake import Lake


class Assessment(msgspec.Struct, frozen=True):
    """Scores and drift of the sources that have rows or refused lines, by dataset."""

    scores: dict[str, SourceScores]
    drift: dict[str, SourceDrift]


def assess(
    lake: Lake, contracts: Mapping[str, Contract], now: int, by: Period, step: Step | None = None
) -> Assessment:
    """The quality of every source from what was known at ``now``."""
    found = Assessment({}, {})
    for done, (name, contract) in enumerate(contracts.items()):
        if step:
            step(name, done, len(contracts))
        raw = lake.raw(contract, None)
        known = raw.known_from <= now
        raw = raw if known.all() else raw.take(known)
        refused = refused_of(lake, contract, now)
        if len(raw.subject) or refused.count:
            found.scores[name] = scores_of(contract, raw, refused, by)
            found.drift[name] = drift_of(contract, raw, now)
    return found


def refused_of(lake: Lake, contract: Contract, now: int) -> Refused:
    """What is in quarantine of a source and was known at ``now``, µs; a line counts once a delivery, however much
    is wrong with it.
    """
    lines: list[int] = []
    values: list[int] = []
    for findings in deliveries_refused(lake, contract.dataset):
        known = [each for each in findings if each.known is None or each.known <= now]
        lines += [_moment(each) for each in {each.line: each for each in known}.values()]
        values += [_moment(each) for each in known if outside_limits(contract, each)]
    return Refused(np.array(lines, dtype=np.int64), np.array(values, dtype=np.int64))


def _moment(finding: Finding) -> int:
    return NULL if finding.known is None else finding.known
