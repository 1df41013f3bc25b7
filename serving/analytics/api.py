"""/v1/portfolio, the monitoring of a model, and /v1/issues."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from serving.access.bearer import asking
from serving.access.model import Authority, Permission
from serving.analytics.answers import MONTHS, MonitoringView, PortfolioPage
from serving.analytics.issues import MOST, MOST_REASON, IssuePage, IssueView
from serving.loans.bodies import moment
from serving.services import Services, services

router = APIRouter(prefix="/v1", tags=["portfolio"])
Reader = Annotated[Authority, Depends(asking(Permission.READ_LOANS))]
Knower = Annotated[Authority, Depends(asking(Permission.READ_REGISTRY))]
Closer = Annotated[Authority, Depends(asking(Permission.SUBMIT))]
Held = Annotated[Services, Depends(services)]
AsOf = Annotated[
    str | None, Query(max_length=40, description="Such as 2026-10-01; what was kept last without it.")
]
Text = Annotated[str, Query(max_length=64)]
JSON = "application/json"

(_portfolio, _monitoring, _issues, _issue), COMPONENTS = msgspec.json.schema_components(
    (PortfolioPage, MonitoringView, IssuePage, IssueView), ref_template="#/components/schemas/{name}"
)


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    return {"responses": {"200": {"description": "Done.", "content": {JSON: {"schema": schema}}}}}


class ClosingBody(BaseModel):
    """Why an issue is closed: what was found and what will be done."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Annotated[str, StringConstraints(max_length=MOST_REASON)]


@router.get("/portfolio", summary="The book month by month", openapi_extra=_told(_portfolio))
async def portfolio(
    authority: Reader, held: Held, *, months: Annotated[int, Query(ge=1, le=MONTHS)] = MONTHS, segment: Text = "",
    village: Text = "", as_of: AsOf = None,
) -> Response:  # fmt: skip
    """Bands, roll rates, cures, vintages, NPL and concentration of the book, or of one of its segments or villages, as the
    night worked them out last at or before a moment.
    """
    at = _moment(as_of)
    return _json(await held.analytics.portfolio(authority, months, segment, village, at))


@router.get("/models/{name}/monitoring", summary="A model in use", openapi_extra=_told(_monitoring))
async def monitoring(
    name: Annotated[str, Path(min_length=1, max_length=64)], authority: Knower, held: Held, *, as_of: AsOf = None
) -> Response:  # fmt: skip
    """Drift, ranking, level, reasons and silent sources by month, as the night looked at it last; `name` such as risk."""
    at = _moment(as_of)
    return _json(await held.analytics.monitoring(authority, name, at))


@router.get("/issues", summary="Issues of models in use", openapi_extra=_told(_issues))
async def issues(
    authority: Knower, held: Held, *, closed: bool = False, most: Annotated[int, Query(ge=1, le=MOST)] = MOST
) -> Response:
    """What the monitoring found past a limit, the first due first; with `closed` those too that people closed."""
    return _json(await held.analytics.issues(authority, most, closed=closed))


@router.post("/issues/{issue_id}/close", summary="Close an issue", openapi_extra=_told(_issue))
async def close(issue_id: UUID, body: ClosingBody, authority: Closer, held: Held) -> Response:
    """With a reason; who comes second is told that it is closed. It stays on record and is not opened again."""
    return _json(await held.analytics.close(authority, issue_id, body.reason))


def _moment(text: str | None) -> int | None:
    return None if text is None else moment(text, "as_of")


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)
