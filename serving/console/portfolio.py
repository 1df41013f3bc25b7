"""The loan book: months, parts and pictures as the night worked them out; classes that wait for a person; issues of models."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from serving.access.model import Permission
from serving.analytics.answers import MONTHS, NoReport, PortfolioPage
from serving.analytics.issues import MOST, MOST_REASON
from serving.analytics.model import VINTAGE_DAYS
from serving.analytics.page import month_lines, part_lines, roll_lines
from serving.classes.document import RiskClass
from serving.classes.model import MOST_REASON as MOST_WHY
from serving.classes.model import ClassPage, NoMonth, Ruling
from serving.classes.movement import Provisions
from serving.console import drawing
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.forms import choice
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import say

router = APIRouter(prefix=f"{ROOT}/portfolio")
Reader = Annotated[Visit, Depends(opening(Permission.READ_LOANS))]
Knower = Annotated[Visit, Depends(opening(Permission.READ_REGISTRY))]
Text = Annotated[str, Query(max_length=64)]
A_PAGE, YEAR = 50, 12


@router.get("")
async def portfolio(
    visit: Reader, segment: Text = "", village: Text = "", months: Annotated[int, Query(ge=1, le=MONTHS)] = YEAR
) -> Response:  # fmt: skip
    """The book, or a segment or a village of it, with what waits for people."""
    authority = visit.authority(Permission.READ_LOANS)
    try:
        found = await visit.services.analytics.portfolio(authority, months, segment, village)
    except NoReport:
        found = None
    return visit.page(
        "portfolio.html", found=found, segment=segment, village=village, months=months, choices=(6, YEAR, MONTHS),
        provisions=await _provisions(visit), **({} if found is None else _shown(visit, found)),
    )  # fmt: skip


@router.get("/classes")
async def classes(
    visit: Reader, after: Text = "", risk_class: RiskClass | Literal[""] = "", *, whole: bool = False
) -> Response:
    """The classes of the last month that was classed, by loan: those that nobody has confirmed, or all."""
    authority = visit.authority(Permission.READ_LOANS)
    found: ClassPage | None = None
    with suppress(NoMonth):
        found = await visit.services.classes.some(
            authority, "", risk_class or None, after, A_PAGE, unconfirmed=not whole
        )
    return visit.page(
        "classes.html", found=found, tiers=tuple(RiskClass), chosen=risk_class, whole=whole, most_reason=MOST_WHY,
        asked=urlencode({"risk_class": risk_class, "whole": str(whole).lower()}), me=visit.session.actor.name,
    )  # fmt: skip


@router.post("/classes")
async def rule(sent: Annotated[Sent, Depends(sending(Permission.CLASSIFY_LOANS))]) -> Response:
    """Confirm a proposal or set another class; a better one than proposed waits for a second person."""
    version = sent.text("version", 12)
    if not version.isdecimal():
        raise WrongField("version", "open the list again.")
    ruling = Ruling(
        choice(RiskClass, sent.text("risk_class", 32), "risk_class"),
        sent.text("reason", MOST_WHY, needed=False), sent.text("month", 7), int(version),
    )  # fmt: skip
    authority = sent.visit.authority(Permission.CLASSIFY_LOANS)
    await sent.visit.services.classes.confirm(authority, sent.text("loan", 64), ruling, sent.key)
    return go(f"{ROOT}/portfolio/classes")


@router.get("/issues")
async def issues(visit: Knower, *, closed: bool = False) -> Response:
    """What the monitoring of models found, with owner and day."""
    authority = visit.authority(Permission.READ_REGISTRY)
    found = await visit.services.analytics.issues(authority, MOST, closed=closed)
    return visit.page("issues.html", issues=found.issues, closed=closed, most_reason=MOST_REASON)


@router.post("/issues/{issue_id}")
async def close(issue_id: UUID, sent: Annotated[Sent, Depends(sending(Permission.SUBMIT))]) -> Response:
    """Close one with a reason; who comes second is told."""
    authority = sent.visit.authority(Permission.SUBMIT)
    await sent.visit.services.analytics.close(authority, issue_id, sent.text("reason", MOST_REASON))
    return go(f"{ROOT}/portfolio/issues")


async def _provisions(visit: Visit) -> Provisions | None:
    try:
        return await visit.services.classes.provisions(visit.authority(Permission.READ_LOANS))
    except NoMonth:
        return None


def _shown(visit: Visit, page: PortfolioPage) -> dict[str, Any]:
    """Tables of a book, and where its pictures are."""
    found, language = page.portfolio, language_of(visit.request)
    may, late = Permission.READ_LOANS, say(language, "portfolio.late_loans")
    whole = say(language, "portfolio.npl")
    curves = {
        over: picture(
            visit, may, drawing.vintages, found, over, say(language, "portfolio.ever", days=over),
            say(language, "portfolio.on_book"),
        )
        for over in VINTAGE_DAYS
        if any(one.over == over for one in found.vintages)
    }  # fmt: skip
    return {
        "month_rows": month_lines(found)[::-1], "rolls": roll_lines(found.rolls[-YEAR:]),
        "to": found.rolls[-1].to if found.rolls else (), "parts": {k: part_lines(v) for k, v in found.parts.items()},
        "last": found.months[-1], "vintages": sorted(found.vintages, key=lambda one: (one.over, one.month))[::-1],
        "bands_picture": picture(visit, may, drawing.bands, found, late),
        "npl_picture": picture(visit, may, drawing.npl, {whole: found}, whole),
        "curves": curves,
        "cured": sum(roll.cured for roll in found.rolls[-YEAR:]), "late": sum(roll.late for roll in found.rolls[-YEAR:]),
    }  # fmt: skip
