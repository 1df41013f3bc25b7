"""The console: pages for the risk officer, the analyst, the auditor and the administrator, a process of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from features.errors import YidaiError
from serving.access.browsers import PURPOSE
from serving.access.sessions import SessionOver
from serving.clock import Clock, wall_clock
from serving.console import (
    alerts,
    audit,
    borrowers,
    cases,
    data,
    disputes,
    home,
    inbox,
    models,
    monitoring,
    pictures,
    policy,
    portfolio,
    signing,
    users,
    villages,
)
from serving.console.again import page_again, typed_of
from serving.console.asking import PasswordFirst, Sent, cookie_name, request_origin
from serving.console.guard import Guarded
from serving.console.judged import Judgements
from serving.console.live import Inboxes
from serving.console.pages import ROOT, page, static_address, statics
from serving.console.refill import CameBack, words_of
from serving.console.trials import Trials
from serving.process import seen
from serving.process.observing import Observed
from serving.process.problems import BodyLimit, LastResort
from serving.process.telling import tellable
from serving.process.tracing import close_tracing, open_tracing
from serving.services import close_services, open_services
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing

ROUTERS = (
    signing.router,
    home.router,
    inbox.router,
    alerts.router,
    cases.router,
    disputes.router,
    users.router,
    audit.router,
    pictures.router,
    portfolio.router,
    models.router,
    borrowers.router,
    villages.router,
    policy.router,
    data.router,
    monitoring.router,
)
LARGEST_FORM = 1_048_576
log = logging.getLogger("yidai")


def create_console(settings: Settings, database: Database, clock: Clock = wall_clock) -> FastAPI:
    """The application over a migrated database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = await open_services(settings, database, clock)
        app.state.database = database
        app.state.inboxes = Inboxes(clock)
        app.state.pictures = pictures.Pictures()
        app.state.borrowers = borrowers.service_of(app.state.services, database)
        app.state.trials = Trials()
        app.state.judgements = Judgements(settings, clock)
        app.state.provider = signing.provider_of(settings)
        app.state.browsers = KeyRing.open(settings.key_file).derived(PURPOSE)
        yield
        await close_services(app.state.services)
        close_tracing()

    app = FastAPI(
        title="Yidai console",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(BodyLimit, limit=LARGEST_FORM)
    app.add_middleware(LastResort)
    app.add_middleware(Guarded, settings=settings)
    app.add_middleware(Observed)
    app.add_exception_handler(YidaiError, _refused)
    app.add_exception_handler(RequestValidationError, _no_page)
    app.add_exception_handler(HTTPException, _no_page)
    for router in ROUTERS:
        app.include_router(router)
    app.state.pages = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
    _add_files(app)
    open_tracing(app)
    return app


def _add_files(app: FastAPI) -> None:
    @app.get("/")
    @app.get(ROOT)
    async def root() -> Response:
        return RedirectResponse(f"{ROOT}/", 303)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get(f"{ROOT}/static/{{digest}}/{{name}}")
    async def static(digest: str, name: str) -> Response:
        if name not in statics() or static_address(name) != f"{ROOT}/static/{digest}/{name}":
            raise HTTPException(404)
        media = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.rpartition(".")[2]]
        kept = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(statics()[name], media_type=media, headers=kept)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, YidaiError)
    if isinstance(error, SessionOver):
        return _to_sign_in(request)
    if isinstance(error, PasswordFirst):
        return RedirectResponse(f"{ROOT}/password", 303)
    place, remedy = tellable(error.place), tellable(error.remedy)
    sent: Sent | None = getattr(request.state, "sent", None)
    lost: Sequence[str] = ()
    if sent is not None:
        back = CameBack(error.status, error.code, place, f"{tellable(error.message)} {remedy}".strip())
        answer = await page_again(request, sent, back)
        if answer is not None:
            return _later(answer, error.retry_after)
        lost = words_of(typed_of(sent))
    return _told(
        request, error.status, error.code, tellable(error.message), place, remedy, error.retry_after, lost
    )


async def _no_page(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError) and request.method != "GET":
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        return _told(request, 422, "invalid_request", f"{first['msg']}.", place, "", 0)
    if isinstance(error, RequestValidationError) and error.errors()[0]["loc"][0] == "query":
        first = error.errors()[0]
        return _told(request, 422, "wrong_filter", "", str(first["loc"][1]), "", 0)
    status = error.status_code if isinstance(error, HTTPException) else 404
    code = {404: "no_such_page", 405: "method_not_allowed"}.get(status, "http_error")
    return _told(request, status, code, "", "", "", 0)


def _told(
    request: Request,
    status: int,
    code: str,
    message: str,
    place: str,
    remedy: str,
    retry: int,
    lost: Sequence[str] = (),
) -> Response:
    found = seen.now()
    answer = page(
        request, "problem.html", status, code=code, message=message, place=place, remedy=remedy,
        leads=_back(request), back=CameBack(lost=lost), request_id="" if found is None else found.request_id,
    )  # fmt: skip
    return _later(answer, retry)


def _later(answer: Response, retry: int) -> Response:
    if retry:
        answer.headers["Retry-After"] = str(retry)
    return answer


def _to_sign_in(request: Request) -> Response:
    """The sign-in page, from which the person comes back to where it was; a form that was sent is to be sent again."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET":
        target = _back(request)
    held = request.app.state.services.settings
    over = "&over=1" if request.cookies.get(cookie_name(held)) else ""
    if request.headers.get("accept", "") == "text/event-stream":
        return Response(status_code=401)
    return RedirectResponse(f"{ROOT}/sign-in?target={quote(target)}{over}", 303)


def _back(request: Request) -> str:
    """The page from which a request came, if it is one of ours."""
    came, ours = request.headers.get("referer", ""), request_origin(request)
    return came.removeprefix(ours) if came.startswith(f"{ours}{ROOT}/") else f"{ROOT}/"
