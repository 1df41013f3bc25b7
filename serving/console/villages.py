"""One village: its alerts and borrowers, classes and arrears, beside the whole book."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from serving.access.model import Permission
from serving.alerts.repository import Wanted
from serving.analytics import charts
from serving.analytics.answers import NoReport
from serving.analytics.model import PortfolioView
from serving.console.asking import Visit, opening
from serving.console.borrowers import borrowers
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import say

router = APIRouter(prefix=f"{ROOT}/villages")
Officer = Annotated[Visit, Depends(opening(Permission.HANDLE_ALERTS))]
A_PAGE, MONTHS = 50, 12


@router.get("/{village}")
async def village(village: Annotated[str, Path(min_length=1, max_length=64)], visit: Officer) -> Response:
    """What the village's alerts come to, and its part of the book where the night worked it out."""
    authority = visit.authority(Permission.HANDLE_ALERTS)
    found = await borrowers(visit.request).village(authority, village)
    alerts = await visit.services.alerts.some(authority, Wanted(village=village, most=A_PAGE))
    here, whole = await _book(visit, village), await _book(visit, "")
    return visit.page(
        "village.html", found=found, alerts=alerts, here=None if here is None else here.months[-1],
        whole=None if whole is None else whole.months[-1], more=len(alerts) == A_PAGE, npl=_picture(visit, village, here, whole),
    )  # fmt: skip


async def _book(visit: Visit, village: str) -> PortfolioView | None:
    """The part of the book that is in a village, or all of it; None where nobody worked it out, or the person may not see."""
    if visit.may(Permission.READ_LOANS):
        with suppress(NoReport):
            authority = visit.authority(Permission.READ_LOANS)
            return (await visit.services.analytics.portfolio(authority, MONTHS, "", village)).portfolio
    return None


def _picture(visit: Visit, name: str, here: PortfolioView | None, whole: PortfolioView | None) -> str:
    if here is None or whole is None:
        return ""
    language = language_of(visit.request)
    lines = {name: here, say(language, "portfolio.whole"): whole}
    return picture(visit, Permission.READ_LOANS, charts.npl_chart, lines, say(language, "portfolio.npl"))
