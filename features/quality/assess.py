"""All sources of a lake, one after another: no more than one dataset is in memory."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from features.contracts.model import Contract
from features.quality.drift import SourceDrift, drift_of
from features.quality.scores import Period, Refused, SourceScores, limited_fields, scores_of
from features.terminal import Step
from features.timeline.ingest import deliveries_refused
from features.timeline.lake import Lake

_OUTSIDE = {"unknown code", "below the minimum", "above the maximum"}


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
        refused = refused_of(lake, contract)
        if len(raw.subject) or refused.lines:
            found.scores[name] = scores_of(contract, raw, refused, by)
            found.drift[name] = drift_of(contract, raw, now)
    return found


def refused_of(lake: Lake, contract: Contract) -> Refused:
    """What is in quarantine of a source; a line counts once a delivery, however much is wrong with it."""
    limited = set(limited_fields(contract))
    lines = values = 0
    for findings in deliveries_refused(lake, contract.dataset):
        lines += len({each.line for each in findings})
        values += sum(each.field in limited and each.value_class in _OUTSIDE for each in findings)
    return Refused(lines, values)
