"""What `yidai quality` does: settings in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from features.calendar import iso
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import Contract
from features.errors import Invalid
from features.quality.assess import Assessment, assess
from features.quality.drift import Drift
from features.quality.lateness import Delivery, deliveries
from features.quality.scores import Period
from features.quality.trust import Poor, poor_sources
from features.terminal import Step
from features.timeline.feed import Finding
from features.timeline.ingest import quarantine
from features.timeline.lake import Lake
from serving.operations import moment_of
from serving.quality.sources import judge
from serving.serve import open_store
from serving.settings import Settings

RECENT = 3
"""Months whose drift is shown; the document has all."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of the sources as of ``now``, µs."""

    contracts: dict[str, Contract]
    deliveries: dict[str, Delivery]
    poor: dict[str, Poor]
    assessment: Assessment
    by: Period
    now: int

    @property
    def causes(self) -> dict[str, str]:
        """Why each source is ``SOURCE_DOWN`` for decisions, in words."""
        poor = {
            each.dataset: f"{each.score} {each.value:.4f} of its last {each.rows:,} rows, least {each.least}"
            for each in self.poor.values()
        }
        late = {
            each.dataset: f"late: nothing since {iso(each.last_known)[:10]}, due by {iso(each.due_by)[:10]}"
            for each in self.deliveries.values()
            if each.late(self.now)
        }
        return dict(sorted((poor | late).items()))


class UnknownDataset(Invalid):
    """A name that no contract has."""

    def __init__(self, name: str, known: Mapping[str, Contract]) -> None:
        super().__init__(
            "no contract has this dataset.", place=name, remedy=f"Datasets: {', '.join(sorted(known))}."
        )


def refused(settings: Settings, dataset: str = "") -> list[Finding]:
    """Every finding in quarantine, of one dataset or of all.

    Raises:
        UnknownDataset: no contract has it.
    """
    contracts = load_contracts([BUILTIN])
    if dataset and dataset not in contracts:
        raise UnknownDataset(dataset, contracts)
    return quarantine(Lake(settings.lake_root), dataset or None)


def quality_of(
    settings: Settings, by: Period, step: Step | None = None, *, dataset: str = "", apply: bool = False
) -> Quality:
    """Lateness, trust, scores and drift of all sources or of one; with ``apply`` decisions do without what is late
    or poor.

    Raises:
        UnknownDataset: no contract has it.
    """
    lake, contracts, now = Lake(settings.lake_root), load_contracts([BUILTIN]), moment_of(settings)
    if dataset and dataset not in contracts:
        raise UnknownDataset(dataset, contracts)
    chosen = {name: each for name, each in contracts.items() if dataset in {"", name}}
    if apply:
        found = judge(open_store(settings), lake, contracts, now, step)
    else:
        found = deliveries(lake, chosen, now, step)
    promised = {name: each for name, each in found.items() if name in chosen}
    poor = poor_sources(lake, chosen)
    return Quality(chosen, promised, poor, assess(lake, chosen, now, by, step), by, now)


def recent_findings(found: Quality) -> list[Drift]:
    """The drift of the last whole months as of ``now``, the newest and gravest first."""
    every = [each for drift in found.assessment.drift.values() for each in drift.findings]
    months = sorted({month for drift in found.assessment.drift.values() for month in drift.months})[-RECENT:]
    recent = sorted((e for e in every if e.month in months), key=lambda e: (e.level, e.dataset))
    return sorted(recent, key=lambda each: each.month, reverse=True)
