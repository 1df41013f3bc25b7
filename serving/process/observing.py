"""Around every request: its id, its place in the metrics, its line in the log."""

from __future__ import annotations

import logging
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.process import seen
from serving.services import Services

log = logging.getLogger("yidai.request")
HEADER = b"x-request-id"
NO_ROUTE = "none"
_QUIET = frozenset({"/health/live", "/health/ready", "/metrics"})


class Observed:
    """ASGI middleware, the outermost: sees the status that is sent, whoever sent it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, under an id that the answer tells too."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == HEADER), b"")
        asked = seen.begin(given.decode("latin-1"))
        status, began = 0, perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, asked.request_id.encode())]
            await send(message)

        held: Services | None = getattr(scope["app"].state, "services", None)
        if held is not None:
            held.metrics.under_way.inc()
        try:
            await self._app(scope, receive, told)
        finally:
            if held is not None:
                held.metrics.under_way.dec()
                _note(held, scope, status, perf_counter() - began)


def _note(held: Services, scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", NO_ROUTE)
    method = scope["method"] if route != NO_ROUTE else NO_ROUTE  # a label is never a client's own word
    held.metrics.requests.labels(method, route, str(status)).observe(seconds)
    if route in _QUIET or not log.isEnabledFor(logging.INFO):
        return
    fields = {"method": method, "route": route, "status": status, "ms": round(seconds * 1_000, 2)}
    log.info("request", extra={"fields": fields})
