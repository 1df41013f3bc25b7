"""Models in use, month by month as the nights look at them: drift, ranking, level, and the issues with owner and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from serving.access.model import Permission
from serving.analytics.answers import MonitoringView, NoReport
from serving.analytics.issues import MOST, MOST_REASON
from serving.console.asking import Visit
from serving.console.commands import command
from serving.console.models import Reader
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import say
from serving.governance.standing import BUNDLE
from serving.registry.overview import periods

router = APIRouter(prefix=f"{ROOT}/monitoring")
MOST_COLUMNS = 8
"""Columns of the picture of what moved."""
Months = Sequence[Mapping[str, Any]]


@router.get("")
async def monitoring(visit: Reader, model: Annotated[str, Query(max_length=64)] = "") -> Response:
    """One model in use; the first that is in force where none is named."""
    may, now = Permission.READ_REGISTRY, visit.services.clock()
    held = await command(visit, may, periods)
    models = sorted(
        {one.slot.removeprefix(BUNDLE) for one in held if one.holds(now) and one.slot.startswith(BUNDLE)}
    )
    chosen = model or ("risk" if "risk" in models else next(iter(models), ""))
    found = await _kept(visit, chosen)
    listed = await visit.services.analytics.issues(visit.authority(may), MOST, closed=True)
    issues = [one for one in listed.issues if one.model == chosen]
    return visit.page(
        "monitoring.html", models=models, chosen=chosen, found=found, issues=issues, most_reason=MOST_REASON,
        months=[] if found is None else found.found["months"][::-1], pictures={} if found is None else _pictures(visit, found),
        overrides=[] if found is None else found.overrides[::-1],
    )  # fmt: skip


async def _kept(visit: Visit, model: str) -> MonitoringView | None:
    try:
        return await visit.services.analytics.monitoring(visit.authority(Permission.READ_REGISTRY), model)
    except NoReport:
        return None


def _pictures(visit: Visit, found: MonitoringView) -> dict[str, str]:
    language, may = language_of(visit.request), Permission.READ_REGISTRY
    months: Months = found.found["months"]
    if not months:
        return {}
    known = [(one["month"], one["auc"]["value"]) for one in months if one["auc"] is not None]
    ranking = {say(language, "monitoring.estimated"): [(m["month"], m["estimated"]["value"]) for m in months]}
    ranking |= {say(language, "monitoring.known"): known} if known else {}
    score = [(one["month"], one["score"]["psi"]) for one in months]
    names = list(dict.fromkeys(f["name"] for m in months for f in m["features"][:MOST_COLUMNS]))[
        :MOST_COLUMNS
    ]
    moved = [(name, [_psi(month, name) for month in months]) for name in names]
    return {
        "ranking": picture(visit, may, draw_ranking, ranking, "AUC"),
        "score_moved": picture(visit, may, draw_score, score),
        "columns_moved": picture(visit, may, draw_columns, [one["month"] for one in months], moved),
    }


def _psi(month: Mapping[str, Any], name: str) -> float:
    return next((float(one["psi"]) for one in month["features"] if one["name"] == name), 0.0)


def draw_ranking(lines: Mapping[str, Sequence[tuple[str, float]]], title: str) -> str:
    """AUC by month: as the PDs promise it, and where outcomes are known."""
    from training.charts import lines_chart  # noqa: PLC0415 - seconds

    return lines_chart(lines, title, form=".2f")


def draw_score(months: Sequence[tuple[str, float]]) -> str:
    """PSI of the score by month with the usual limits."""
    from training.charts import stability_chart  # noqa: PLC0415

    return stability_chart(months)


def draw_columns(months: Sequence[str], moved: Sequence[tuple[str, Sequence[float]]]) -> str:
    """The columns that moved most, by month."""
    from training.charts import drift_chart  # noqa: PLC0415

    return drift_chart(months, moved)
