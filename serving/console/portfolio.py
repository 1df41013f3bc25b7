"""The loan book: months, parts and pictures as the night worked them out; classes that wait for a person; issues of models."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from features.canonical import digest
from features.errors import Conflict, Forbidden, Invalid, NotFound
from serving.access.model import Permission
from serving.analytics import charts
from serving.analytics.answers import MONTHS, NoReport, PortfolioPage
from serving.analytics.issues import MOST, MOST_REASON
from serving.analytics.model import VINTAGE_DAYS
from serving.analytics.page import month_lines, part_lines, roll_lines
from serving.classes.document import RiskClass
from serving.classes.model import MOST_REASON as MOST_WHY
from serving.classes.model import ClassPage, ClassRow, NoMonth, Ruling
from serving.classes.movement import Provisions
from serving.console.asking import Sent, Visit, WrongField, go, opening, sending
from serving.console.forms import choice
from serving.console.pages import ROOT, language_of
from serving.console.pictures import picture
from serving.console.words import say
from serving.process.telling import tellable

router = APIRouter(prefix=f"{ROOT}/portfolio")
Reader = Annotated[Visit, Depends(opening(Permission.READ_LOANS))]
Knower = Annotated[Visit, Depends(opening(Permission.READ_REGISTRY))]
Text = Annotated[str, Query(max_length=64)]
A_PAGE, YEAR = 50, 12
MOST_DIGITS, MOST_LOAN = 12, 64


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
    asked = urlencode({"risk_class": risk_class, "whole": str(whole).lower()})
    if after and found is not None and not found.classes:  # the last page, all of which was confirmed
        return go(f"{ROOT}/portfolio/classes?{asked}")
    return visit.page(
        "classes.html", found=found, tiers=tuple(RiskClass), chosen=risk_class, whole=whole, most_reason=MOST_WHY,
        asked=asked, me=visit.session.actor.name,
        here=visit.request.url.query, plain=[] if found is None else [one for one in found.classes if _plain(one)],
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
    return go(_same_list(sent))


@router.post("/classes/shown")
async def confirm_shown(sent: Annotated[Sent, Depends(sending(Permission.CLASSIFY_LOANS))]) -> Response:
    """Confirm what a page shows, each as it was proposed; who is refused is told why, and the others are confirmed."""
    rows, month = [_row_of(text) for text in sent.texts("row")[:A_PAGE]], sent.text("month", 7)
    if not rows:
        raise WrongField("row", "no class is named.")
    authority, key, refused = sent.visit.authority(Permission.CLASSIFY_LOANS), sent.key, []
    for loan, version, proposed in rows:
        ruling, name = Ruling(proposed, "", month, version), digest(f"{key} {loan}".encode())
        try:
            await sent.visit.services.classes.confirm(authority, loan, ruling, name)
        except (Conflict, Forbidden, Invalid, NotFound) as refusal:
            refused.append((loan, refusal.code, tellable(refusal.message)))
    if not refused:
        return go(_same_list(sent))
    return sent.visit.page(
        "classes_done.html", done=len(rows) - len(refused), refused=refused, leads=_same_list(sent)
    )


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


def _same_list(sent: Sent) -> str:
    """The list from which a form came, with its filter and its place."""
    query = sent.visit.request.url.query
    return f"{ROOT}/portfolio/classes{'?' if query else ''}{query}"


def _plain(one: ClassRow) -> bool:
    """Whether one person confirms it as proposed without undoing what another has proposed."""
    return not (one.confirmed or one.left_by or one.pending)


def _row_of(text: str) -> tuple[str, int, RiskClass]:
    version, _, rest = text.partition(":")
    proposed, _, loan = rest.partition(":")
    if (
        "\0" in text
        or not version.isdecimal()
        or len(version) > MOST_DIGITS
        or not 0 < len(loan) <= MOST_LOAN
    ):
        raise WrongField("row", "open the list again.")
    return loan, int(version), choice(RiskClass, proposed, "row")


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
            visit, may, charts.vintages_chart, found, over, say(language, "portfolio.ever", days=over),
            say(language, "portfolio.on_book"),
        )
        for over in VINTAGE_DAYS
        if any(one.over == over for one in found.vintages)
    }  # fmt: skip
    return {
        "month_rows": month_lines(found)[::-1], "rolls": roll_lines(found.rolls[-YEAR:]),
        "to": found.rolls[-1].to if found.rolls else (), "parts": {k: part_lines(v) for k, v in found.parts.items()},
        "last": found.months[-1], "vintages": sorted(found.vintages, key=lambda one: (one.over, one.month))[::-1],
        "bands_picture": picture(visit, may, charts.bands_chart, found, late),
        "npl_picture": picture(visit, may, charts.npl_chart, {whole: found}, whole),
        "curves": curves,
        "cured": sum(roll.cured for roll in found.rolls[-YEAR:]), "late": sum(roll.late for roll in found.rolls[-YEAR:]),
    }  # fmt: skip
