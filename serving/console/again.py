"""The page from which a refused form came, asked for again with what was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.types import Message, Scope

from serving.console.asking import Sent, local_target
from serving.console.pages import SHOWN
from serving.console.refill import NEVER, CameBack
from serving.process.telling import tellable

_OF_A_FORM = frozenset({b"content-type", b"content-length", b"transfer-encoding", b"accept"})


async def page_again(request: Request, sent: Sent, back: CameBack) -> Response | None:
    """The page on which a form stood, as its own route makes it for the same person, with the form as it was sent.

    None where that page is not there any more, or may not be seen. The page's read is logged as any other.
    """
    came = urlsplit(local_target(str(sent.form.get("page", "")) or request.url.path))
    scope = _opened(request.scope, came.path, came.query)
    state: dict[str, object] = {"back": replace(back, address=request.url.path, typed=typed_of(sent))}
    scope["state"] = state
    parts: list[bytes] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}  # what would stream without end stops at once

    async def kept(message: Message) -> None:
        if message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    with suppress(HTTPException):
        await request.app.router(scope, gone, kept)
    if SHOWN not in state:
        return None
    return HTMLResponse(b"".join(parts), back.status)


def typed_of(sent: Sent) -> Mapping[str, Sequence[str]]:
    """What was typed, without secrets and without numbers of people."""
    names = [name for name in dict.fromkeys(sent.form.keys()) if name not in NEVER]
    return {name: [_shown(text) for text in sent.texts(name)] for name in names}


def _shown(text: str) -> str:
    return tellable(text.encode(errors="replace").decode()).replace("\0", "")


def _opened(scope: Scope, path: str, query: str) -> Scope:
    """The request of a page, by the browser that sent a form."""
    headers = [each for each in scope["headers"] if each[0] not in _OF_A_FORM]
    return dict(scope) | {
        "method": "GET", "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "headers": headers,
    }  # fmt: skip
