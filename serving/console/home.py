"""The first page: what waits for whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from serving.console.asking import Visit, visiting
from serving.console.pages import ROOT

router = APIRouter(prefix=ROOT)


@router.get("/")
async def home(visit: Annotated[Visit, Depends(visiting)]) -> Response:
    """The doors that a person's roles open."""
    return visit.page("home.html")
