"""From a cookie to an authority, and from a form to what was sent: every page's dependency."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData, UploadFile

from features.errors import Forbidden, Invalid
from serving.access.model import GRANTED, Authority, Permission
from serving.access.sessions import Lasting, Session, SessionOver, session_of
from serving.console.pages import ROOT, page
from serving.process.seen import asked_by
from serving.services import Services, services
from serving.settings import Settings

MOST_FIELDS = 1_100
_MINUTE = 60_000_000


class ForeignForm(Forbidden):
    """A form that was not made for this session."""

    def __init__(self) -> None:
        super().__init__(
            "the form was not made for this session.", remedy="Open the page again and send it from there."
        )


class PasswordFirst(Forbidden):
    """Somebody who was given a password and has not put its own in its place."""

    def __init__(self) -> None:
        super().__init__("the password that you were given must be changed first.", remedy=f"{ROOT}/password")


class WrongField(Invalid):
    """A field that is missing or not of its form."""

    def __init__(self, name: str, problem: str = "it is missing.") -> None:
        super().__init__(problem, place=name, remedy="Fill in the field and send the form again.")


@dataclass(frozen=True, slots=True)
class Visit:
    """A person with an open session who asks for a page."""

    request: Request
    session: Session
    services: Services

    def may(self, permission: Permission | str) -> bool:
        """Whether a role grants it: what the person may not do is not offered, and refused all the same."""
        return any(Permission(permission) in GRANTED[role] for role in self.session.actor.roles)

    def authority(self, permission: Permission) -> Authority:
        """The authority for a use case.

        Raises:
            NotPermitted.
        """
        return self.session.actor.allowed(permission)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of this person's."""
        return page(self.request, template, status, visit=self, **values)


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of this session."""

    visit: Visit
    form: FormData

    def text(self, name: str, most: int = 4_000, *, needed: bool = True) -> str:
        """A field's text without spaces at its ends.

        Raises:
            WrongField: missing, or too long.
        """
        value = self.form.get(name, "")
        if isinstance(value, UploadFile):
            raise WrongField(name, "a text is expected, not a file.")
        text = value.strip().replace("\r\n", "\n")
        if "\0" in text:
            raise WrongField(name, "it holds a NUL, which no text has.")
        if needed and not text:
            raise WrongField(name)
        if len(text) > most:
            raise WrongField(name, f"it has {len(text)} characters; {most} are the most.")
        return text

    @property
    def key(self) -> str:
        """What makes a form that is sent twice act once; a form without one acts each time."""
        return self.text("key", 64, needed=False) or secrets.token_urlsafe(16)

    def texts(self, name: str) -> list[str]:
        """A field that may come several times."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]


def cookie_name(settings: Settings) -> str:
    """The session's cookie; over https no other host and no path can set it."""
    return "__Host-yidai" if settings.console_url.startswith("https://") else "yidai_session"


def lasting(settings: Settings) -> Lasting:
    """How long sessions last by the settings."""
    return Lasting(settings.console_idle_minutes * _MINUTE, settings.console_session_hours * 60 * _MINUTE)


async def visiting(request: Request) -> Visit:
    """Who asks, whatever it may do.

    Raises:
        SessionOver: nobody is signed in.
        PasswordFirst: only the page of the password opens.
    """
    visit = await arriving(request)
    if visit.session.must_change:
        raise PasswordFirst
    return visit


async def arriving(request: Request) -> Visit:
    """As ``visiting``, also for somebody whose password must be changed first."""
    held = services(request)
    secret = request.cookies.get(cookie_name(held.settings))
    if not secret:
        raise SessionOver
    session = await session_of(held.pool, secret, held.clock(), lasting(held.settings).idle)
    asked_by(session.actor.tenant, session.actor.name)
    return Visit(request, session, held)


def opening(permission: Permission) -> Callable[[Request], Awaitable[Visit]]:
    """A dependency: a person who may do this."""

    async def visit(request: Request) -> Visit:
        found = await visiting(request)
        found.authority(permission)
        return found

    return visit


def sending(permission: Permission) -> Callable[[Request], Awaitable[Sent]]:
    """A dependency: a form of a person who may do this, made for its session."""

    async def sent(request: Request) -> Sent:
        found = await form_of(await visiting(request))
        found.visit.authority(permission)
        return found

    return sent


async def sending_any(request: Request) -> Sent:
    """A dependency: a form of whoever is signed in."""
    return await form_of(await arriving(request))


async def form_of(visit: Visit) -> Sent:
    """The form that came with a request; once it is known to be the session's own, a refusal brings it back to its page.

    Raises:
        ForeignForm: it does not hold the session's own token, or comes from another site.
        WrongField: something in it is no text.
    """
    origin, request = request_origin(visit.request), visit.request
    if request.headers.get("origin", origin) != origin:
        raise ForeignForm
    form = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=1_048_576)
    given = form.get("csrf", "")
    told = given.encode(errors="replace") if isinstance(given, str) else b""
    if not hmac.compare_digest(told, visit.session.csrf.encode()):
        raise ForeignForm
    sent = Sent(visit, form)
    request.state.sent = sent
    for name, value in form.multi_items():
        if not _storable(name) or (isinstance(value, str) and not _storable(value)):
            raise WrongField(name, "it holds half a character, which no text has.")
    return sent


def _storable(text: str) -> bool:
    """Whether a text is one in UTF-8: a form of another charset may carry halves of surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def request_origin(request: Request) -> str:
    """The address at which people open the console."""
    settings = services(request).settings
    return settings.console_url or f"{request.url.scheme}://{request.headers.get('host', '')}"


def local_target(text: str) -> str:
    """A page of the console to go to, or its first one: nobody is sent to another site."""
    plain = text.startswith(f"{ROOT}/") and text.isprintable() and "\\" not in text and "//" not in text
    return text if plain else f"{ROOT}/"


def go(target: str) -> RedirectResponse:
    """The page to be shown after a form was taken."""
    return RedirectResponse(target, 303)
