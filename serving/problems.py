"""Errors to problem+json (RFC 9457), once; and the size of a body, before it is read."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import TooLarge, YidaiError

MEDIA = "application/problem+json"
log = logging.getLogger("yidai")


class BodyTooLarge(TooLarge):
    """A body over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body is larger than {limit} bytes.", remedy="Send less; YIDAI_BODY_LIMIT is the limit."
        )


class BodyLimit:
    """ASGI middleware: a body over the limit is refused, declared or not, before it is in memory."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await problem(BodyTooLarge(self._limit))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise BodyTooLarge(self._limit)
            return message

        await self._app(scope, counted, send)


def problem(error: YidaiError) -> Response:
    """The answer to a refusal."""
    return _response(error.status, error.code, error.message, error.place, error.remedy)


def add_problems(app: FastAPI) -> None:
    """Map every error of the process."""
    app.add_exception_handler(YidaiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, YidaiError)
    held = getattr(request.app.state, "services", None)
    if held is not None:
        held.metrics.refusals.labels(str(error.status), error.code).inc()
    answer = problem(error)
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if error.status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return _response(422, "invalid_request", f"{first['msg']}.", place, "See /docs for what is expected.")


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    return _response(error.status_code, code, f"{error.detail}.", "", "See /docs for the routes.")


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    remedy = "Send it again; if it stays, the log of the process has the details."
    return _response(500, "internal_error", "something of ours failed; nothing was decided.", "", remedy)


def _response(status: int, code: str, message: str, place: str, remedy: str) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:yidai:problem:{code}", "title": code.replace("_", " "), "status": status, "code": code,
        "detail": message,
    }  # fmt: skip
    body |= {"place": place} if place else {}
    body |= {"remedy": remedy} if remedy else {}
    return Response(msgspec.json.encode(body), status, media_type=MEDIA)
