"""Errors to problem+json (RFC 9457), once; and the size of a body, before it is read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from traceback import format_exception
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import Invalid, TooLarge, YidaiError
from serving.process import seen
from serving.process.telling import tellable

MEDIA = "application/problem+json"
log = logging.getLogger("yidai")


class BodyTooLarge(TooLarge):
    """A body over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the body is larger than {limit} bytes.",
            remedy="Send less; YIDAI_BODY_LIMIT and YIDAI_RECORDS_LIMIT are the limits.",
        )


class NotJson(Invalid):
    """A body that is not JSON text."""

    def __init__(self) -> None:
        super().__init__(
            "the body is not JSON.", place="body", remedy="Send UTF-8 JSON.", code="invalid_request"
        )


class BodyLimit:
    """ASGI middleware: a body over the limit is refused, declared or not; paths may have a ``larger`` one.

    A body is read here, up to the limit, and handed on whole: routes that parse it would turn an error
    raised from within their reading into one of their own.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await problem(BodyTooLarge(limit))(scope, receive, send)
            return
        body = await self._read(receive, limit)
        if body is None:
            await problem(BodyTooLarge(limit))(scope, receive, send)
            return
        held = [body]

        async def replayed() -> Message:
            return held.pop() if held else await receive()

        await self._app(scope, replayed, send)

    def _limit_of(self, path: str) -> int:
        return next((size for start, size in self._larger.items() if path.startswith(start)), self._limit)

    async def _read(self, receive: Receive, limit: int) -> Message | None:
        """The whole body as one message; None if it is too large."""
        parts: list[bytes] = []
        seen = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
            seen += len(parts[-1])
            if seen > limit:
                return None
            if not message.get("more_body", False):
                return {"type": "http.request", "body": b"".join(parts), "more_body": False}


class LastResort:
    """ASGI middleware: what nobody foresaw becomes a problem, and one entry of the log.

    The framework's own handler would hand the error on to the server, which logs it again, with
    whatever number of a person its message quotes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless an answer has begun."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            await _unexpected(Request(scope), error)(scope, receive, send)


def _unexpected(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "an unknown route")
    told = tellable("".join(format_exception(error)))
    log.error("%s %s failed\n%s", request.method, route, told)
    _count(request, 500, "internal_error")
    remedy = "Send it again; if it stays, the log of the process has the details."
    return _response(500, "internal_error", "something of ours failed; nothing was decided.", "", remedy)


def problem(error: YidaiError) -> Response:
    """The answer to a refusal."""
    return _response(error.status, error.code, error.message, error.place, error.remedy)


def add_problems(app: FastAPI) -> None:
    """Map every error of the process."""
    app.add_exception_handler(YidaiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(LastResort)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, YidaiError)
    _count(request, error.status, error.code)
    answer = problem(error)
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return await _refused(request, NotJson())
    _count(request, 422, "invalid_request")
    place = ".".join(str(part) for part in first["loc"][1:]) or "body"
    return _response(422, "invalid_request", f"{first['msg']}.", place, "See /docs for what is expected.")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # the framework could not even decode the body
        return await _refused(request, NotJson())
    code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "http_error")
    _count(request, error.status_code, code)
    answer = _response(error.status_code, code, f"{error.detail}.", "", "See /docs for the routes.")
    answer.headers.update(error.headers or {})
    return answer


def _count(request: Request, status: int, code: str) -> None:
    held = getattr(request.app.state, "services", None)
    if held is not None:
        held.metrics.refusals.labels(str(status), code).inc()


def _response(status: int, code: str, message: str, place: str, remedy: str) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:yidai:problem:{code}", "title": code.replace("_", " "), "status": status, "code": code,
        "detail": message,
    }  # fmt: skip
    body |= {"place": place} if place else {}
    body |= {"remedy": remedy} if remedy else {}
    found = seen.now()
    body |= {"request_id": found.request_id} if found is not None else {}
    text = msgspec.json.encode(
        {name: tellable(value) if isinstance(value, str) else value for name, value in body.items()}
    )
    return Response(text, status, media_type=MEDIA)
