"""Whether what a source delivered last is good enough to decide by.

A source is judged by its last files, as many as hold the fewest rows of ``trust.yaml`` together: a few bad lines
condemn nobody, and a corrected file that is sent again mends its source. Records that come one by one are answered
line by line and condemn nobody either: else whoever may send one could silence a department.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from features.contracts.documents import read_yaml
from features.contracts.model import Contract
from features.quality.scores import accuracy, validity
from features.timeline.ingest import FileReport, reports_of
from features.timeline.lake import Lake

Judged = Literal["accuracy", "validity"]


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of ``trust.yaml``."""

    least: dict[Judged, float]
    fewest_rows: int


class Poor(msgspec.Struct, frozen=True):
    """A source that decisions do without, and the lowest score of its last ``rows`` because of which."""

    dataset: str
    score: Judged
    value: float
    least: float
    rows: int


@cache
def limits() -> Trust:
    """The limits that Yidai ships."""
    return read_yaml(Path(__file__).with_name("trust.yaml"), Trust)


def poor_sources(
    lake: Lake, contracts: Mapping[str, Contract], limit: Trust | None = None
) -> dict[str, Poor]:
    """Those whose last files score below the limits, by dataset."""
    found = (poor(name, reports_of(lake, name), limit) for name in contracts)
    return {each.dataset: each for each in found if each is not None}


def poor(dataset: str, reports: Iterable[FileReport], limit: Trust | None = None) -> Poor | None:
    """What speaks against a source's last files, given in the order of loading; None if nothing does."""
    limit = limit or limits()
    last = _last(list(reports), limit.fewest_rows)
    rows = sum(each.rows for each in last)
    if rows < limit.fewest_rows:
        return None
    bad = sum(each.quarantined for each in last)
    within, outside = sum(each.within for each in last), sum(each.outside for each in last)
    scores = {
        "accuracy": accuracy(rows - bad, bad),
        "validity": validity(within, outside, rows),
    }
    below = [
        Poor(dataset, name, value, least, rows)
        for name, least in limit.least.items()
        if (value := scores[name].value) is not None and value < least
    ]
    return min(below, key=lambda each: each.value, default=None)


def _last(reports: list[FileReport], rows: int) -> list[FileReport]:
    """As many of the latest as hold so many rows together, or all."""
    chosen: list[FileReport] = []
    for each in reversed(reports):
        if sum(one.rows for one in chosen) >= rows:
            break
        chosen.append(each)
    return chosen
