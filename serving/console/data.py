"""What may be relied on: sources by quality and day, what is late or in quarantine, and the features with their lineage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from starlette.exceptions import HTTPException

from features.quality.scores import Period, PeriodScores
from serving.access.model import Permission
from serving.console.asking import Visit
from serving.console.commands import command
from serving.console.judged import Judgements
from serving.console.models import Reader
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import named
from serving.governance.lineage import Catalogue, catalogue
from serving.quality.operations import refused

router = APIRouter(prefix=f"{ROOT}/data")
A_PAGE = 50
DAYS = 30
"""Rows of the table of a source; the picture has as many."""
Text = Annotated[str, Query(max_length=80)]
Name = Annotated[str, Path(pattern="^[A-Za-z0-9_]{1,120}$")]


@router.get("")
async def data(visit: Reader) -> Response:
    """Every source: late or too poor, its last scores, what is in quarantine; the sources that decisions do without first."""
    found, failed = None, ""
    if _feeds(visit):
        held = _held(visit)
        found, failed = held.newest(Period.DAY), held.failed
    sources = sorted(found.quality.contracts) if found else []
    if found is not None:
        down = found.quality.causes
        sources = [s for s in sources if s in found.quality.assessment.scores or s in down]
        sources.sort(key=lambda name: (name not in down, name))
    return visit.page("data.html", found=found, failed=failed, feeds=_feeds(visit), sources=sources)


@router.get("/sources/{dataset}")
async def source(dataset: Name, visit: Reader) -> Response:
    """One source: its five scores day by day, why rows are in quarantine, and the features that read it."""
    found = _held(visit).newest(Period.DAY) if _feeds(visit) else None
    known = await _catalogue(visit)
    contract = known.contracts.get(dataset) or (found.quality.contracts.get(dataset) if found else None)
    if contract is None:
        raise HTTPException(404)
    scores = found.quality.assessment.scores.get(dataset) if found else None
    days = scores.periods[-DAYS:] if scores else ()
    reasons: Counter[tuple[str, str, str]] = Counter()
    if found is not None and found.quarantined.get(dataset):
        rows = await asyncio.to_thread(refused, visit.services.settings, dataset)
        reasons = Counter((each.field, each.value_class, each.remedy) for each in rows)
    return visit.page(
        "source.html", contract=contract, found=found, feeds=_feeds(visit), days=days[::-1], reasons=reasons.most_common(A_PAGE),
        features=known.of_source(dataset), address=_lines(visit, days) if days else "",
        drift=found.quality.assessment.drift.get(dataset) if found else None,
    )  # fmt: skip


@router.get("/features")
async def features(
    visit: Reader,
    q: Text = "",
    dataset: Text = "",
    slot: Text = "",
    skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """The catalogue of the features in force, searchable by the words of their names, sources and rationale."""
    known = await _catalogue(visit)
    found = known.some(q, dataset, slot)
    slots = sorted({reader.slot for one in known.features.values() for reader in one.readers})
    asked = urlencode({"q": q, "dataset": dataset, "slot": slot})
    return visit.page(
        "features.html", found=found[skip : skip + A_PAGE], count=len(found), whole=len(known.features), q=q, dataset=dataset,
        slot=slot, slots=slots, datasets=sorted({name for one in known.features.values() for name in one.datasets}),
        asked=asked, after=skip + A_PAGE if skip + A_PAGE < len(found) else 0,
    )  # fmt: skip


@router.get("/features/{name}")
async def feature(name: Name, visit: Reader) -> Response:
    """A feature: what it says and why, where it comes from, and what reads it."""
    known = await _catalogue(visit)
    one = known.feature(name)
    return visit.page(
        "feature.html", one=one, contracts=[known.contracts[each] for each in one.datasets if each in known.contracts],
        reason=known.reasons.get(one.column.reason), names=known.features,
    )  # fmt: skip


async def _catalogue(visit: Visit) -> Catalogue:
    return await command(visit, Permission.READ_REGISTRY, catalogue, visit.services.clock())


def _held(visit: Visit) -> Judgements:
    held: Judgements = visit.request.app.state.judgements
    return held


def _feeds(visit: Visit) -> bool:
    """Whether the feeds of this installation are the visitor's bank's."""
    return visit.session.actor.tenant == visit.services.settings.tenant


def _lines(visit: Visit, days: Sequence[PeriodScores]) -> str:
    """Where the picture of a source's scores is."""
    language = language_of(visit.request)
    told: dict[str, list[tuple[str, float]]] = {}
    for day in days:
        for name, score in day.five().items():
            if score.value is not None:
                told.setdefault(named(language, "score", name), []).append((day.period, score.value))
    return picture(visit, Permission.READ_REGISTRY, draw_scores, told, "")


def draw_scores(lines: dict[str, Any], title: str) -> str:
    """Shares by day, a line each."""
    from training.charts import scores_chart  # noqa: PLC0415 - seconds

    return scores_chart(lines, title)
