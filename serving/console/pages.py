"""Pages: one environment of templates, one set of headers, numbers and moments as people read them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from features.contracts.model import Text
from serving.access.model import Permission
from serving.console.names import fact, product_name, reason_name, signal_name
from serving.console.refill import FRESH, CameBack, refilled
from serving.console.words import Language, named, preferred, say
from serving.services import services

ROOT = "/console"
LANGUAGE_COOKIE = "yidai_language"
SHOWN = "came_back"
"""What a request's state holds once its page has shown a form that came back."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""What each answer carries that says nothing else (``serving.console.guard``): a page runs and shows what is ours only, is not
framed, and no cache keeps it.
"""
_HERE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Door:
    """A page of the first line: its address under the root, the key of its name, and who may open it."""

    address: str
    key: str
    permission: Permission


DOORS = (
    Door("/inbox", "inbox", Permission.HANDLE_ALERTS),
    Door("/cases", "cases", Permission.READ_CASES),
    Door("/disputes", "disputes", Permission.HANDLE_DISPUTES),
    Door("/portfolio", "portfolio", Permission.READ_LOANS),
    Door("/models", "models", Permission.READ_REGISTRY),
    Door("/policy", "policy", Permission.READ_REGISTRY),
    Door("/data", "data", Permission.READ_REGISTRY),
    Door("/audit", "audit", Permission.READ_ACCESS_LOG),
    Door("/users", "users", Permission.ADMINISTER),
)


def doors(request: Request) -> list[Door]:
    """The first line's pages that this console has."""
    return [door for door in DOORS if f"{ROOT}{door.address}" in request.app.state.pages]


def language_of(request: Request) -> Language:
    """The language that the person chose, or the browser's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in set(Language):
        return Language(chosen)
    return preferred(request.headers.get("accept-language", ""))


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page in the person's language; the session's own values (``visit``) are None where nobody has signed in.

    ``today`` is a sample's moment, by which ages are told; what is due is due by ``now``.
    """
    language, held = language_of(request), services(request)
    now = held.clock()
    shown = {
        "visit": None, "language": language, "t": partial(say, language), "named": partial(named, language),
        "signal": partial(signal_name, language), "now": now, "today": held.settings.seen_at(now),
        "form_key": partial(secrets.token_urlsafe, 16),
        "doors": doors(request), "root": ROOT, "path": request.url.path, "query": request.url.query, "static": static_address,
    }  # fmt: skip
    back = getattr(request.state, "back", FRESH) if status == 200 else FRESH
    made = environment().get_template(template)
    text = made.render({"back": back} | shown | values)
    if back is not FRESH:
        setattr(request.state, SHOWN, True)
        text = _with_what_was_typed(
            text, request.url.path, back, lambda it: made.render(shown | values | {"back": it})
        )
    return HTMLResponse(text, back.status if status == 200 else status)


def _with_what_was_typed(text: str, path: str, back: CameBack, render: Callable[[CameBack], str]) -> str:
    """The page with its form as it was sent; words that no form takes any more stand above it."""
    full, lost = refilled(text, path, back)
    return refilled(render(replace(back, lost=lost)), path, back)[0] if lost else full


@cache
def environment() -> Environment:
    """Templates that escape what is put into them, and refuse a name that nobody gave."""
    made = Environment(
        loader=PackageLoader("serving.console", "templates"), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "yuan": yuan,
        "percent": percent,
        "day": day,
        "moment": moment,
        "short": short,
        "fact": fact,
        "reason_name": reason_name,
        "product_name": product_name,
        "text": text,
    }
    return made


def yuan(fen: int | None) -> str:
    """Fen as yuan; a dash where there is none."""
    return "–" if fen is None else f"{fen / 100:,.2f}"


def percent(share: float | None, digits: int = 2) -> str:
    """A share; a dash where there is none."""
    return "–" if share is None else f"{share:.{digits}%}"


def moment(at: int | None) -> str:
    """A moment (µs) by the clock of Shanghai, to the minute."""
    return "–" if at is None else f"{_local(at):%Y-%m-%d %H:%M}"


def text(both: Text, language: Language) -> str:
    """A text of ours in the page's language, in the other where that is empty."""
    return getattr(both, language.value) or both.zh or both.en


def day(at: int | None) -> str:
    """The day of a moment (µs) in Shanghai."""
    return "–" if at is None else f"{_local(at):%Y-%m-%d}"


def short(identity: object) -> str:
    """The end of an id, which is what differs between two of one minute; the beginning of a digest."""
    text = str(identity)
    return text[-8:] if "-" in text else text[:12]


@cache
def statics() -> Mapping[str, bytes]:
    """Our style and script by name."""
    return {each.name: each.read_bytes() for each in (files("serving.console") / "static").iterdir()}


@cache
def static_address(name: str) -> str:
    """Where a file of ours is served: its digest is in the address, so that browsers may keep it."""
    return f"{ROOT}/static/{hashlib.sha256(statics()[name]).hexdigest()[:12]}/{name}"


def _local(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1_000_000, UTC).astimezone(_HERE)
