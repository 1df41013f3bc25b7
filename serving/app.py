"""The decision API."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import PlainTextResponse
from fastapi_offline import FastAPIOffline

from features.errors import YidaiError
from serving.alerts import api as alerts
from serving.analytics import api as analytics
from serving.batch import api as batch
from serving.cases import api as cases
from serving.classes import api as classes
from serving.clock import Clock, wall_clock
from serving.consents import api as consents
from serving.decisions import api as decisions
from serving.loans import api as loans
from serving.log import api as sealed_log
from serving.offers import api as offers
from serving.process import logs
from serving.process.described import describe
from serving.process.figures import Figures, note, sample
from serving.process.metrics import forget_dead
from serving.process.observing import Observed
from serving.process.problems import BodyLimit, add_problems
from serving.process.readiness import Readiness
from serving.process.tracing import close_tracing, open_tracing
from serving.records import api as records
from serving.records import life_api as life
from serving.rights import api as rights
from serving.services import Services, close_services, open_services, services
from serving.settings import Settings
from serving.stops import api as stops
from serving.store.engine import Database, open_database
from serving.webhooks import api as webhooks

log = logging.getLogger("yidai")
TITLE, VERSION = "Yidai", "0.1.0"


def create_app(settings: Settings, database: Database, clock: Clock = wall_clock) -> FastAPI:
    """The application over a migrated database."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        held = await open_services(settings, database, clock)
        app.state.services = held
        app.state.readiness, app.state.figures = Readiness(held), Figures(held)
        forget_dead()
        await app.state.readiness.warm()
        app.state.readiness.end_slowly(settings.drain_seconds)
        beside = [asyncio.create_task(_sweep(held)), asyncio.create_task(sample(held))]
        yield
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await close_services(held)
        close_tracing()

    app: FastAPI = FastAPIOffline(title=TITLE, version=VERSION, lifespan=lifespan, redoc_url=None)
    app.add_middleware(BodyLimit, limit=settings.body_limit, larger=_larger(settings))
    add_problems(app)
    app.add_middleware(Observed)
    app.router.routes.insert(0, decisions.Deciding().route)
    app.include_router(decisions.router)
    app.include_router(batch.router)
    app.include_router(consents.router)
    app.include_router(records.router)
    app.include_router(life.router)
    app.include_router(cases.router)
    app.include_router(alerts.router)
    app.include_router(rights.router)
    app.include_router(offers.router)
    app.include_router(loans.router)
    app.include_router(classes.router)
    app.include_router(analytics.router)
    app.include_router(stops.router)
    app.include_router(sealed_log.router)
    app.include_router(webhooks.router)
    _add_health(app)
    open_tracing(app)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _larger(settings: Settings) -> dict[str, int]:
    """The paths whose bodies are many lines, and how large these may be."""
    return dict.fromkeys(("/v1/records/", "/v1/decisions:batch"), settings.records_limit)


def of_environment() -> FastAPI:
    """The application of one of several processes, which reads the settings that the first one read."""
    settings = Settings.load()
    logs.configure(settings)
    return create_app(settings, open_database(settings))


def _add_health(app: FastAPI) -> None:
    @app.get("/health/live", tags=["health"], summary="The process answers")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", tags=["health"], summary="A decision could be made now")
    async def ready(request: Request) -> dict[str, Any]:
        readiness: Readiness = request.app.state.readiness
        return {"status": "ready", "active": await readiness.check()}

    @app.get("/metrics", tags=["health"], summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics(request: Request) -> Response:
        held = services(request)
        note(held)
        found = await request.app.state.figures.found()
        return Response(held.metrics.text(found), media_type="text/plain; version=0.0.4")


async def _sweep(held: Services) -> None:
    while True:
        await asyncio.sleep(held.settings.sweep_seconds)
        try:
            await held.consents.sweep(held.settings.tenant)
        except YidaiError as error:
            log.warning("consents were not swept: %s", error)
        except Exception:
            log.exception("consents were not swept")


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=TITLE, version=VERSION, routes=app.routes)
        schema.setdefault("components", {}).setdefault("schemas", {}).update(
            decisions.COMPONENTS
            | batch.COMPONENTS
            | records.COMPONENTS
            | loans.COMPONENTS
            | classes.COMPONENTS
            | analytics.COMPONENTS
        )
        describe(schema)
        app.openapi_schema = schema
    return app.openapi_schema
