"""Signing in and out, with a password or at an identity provider."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response

from serving.access import accounts, browsers, sessions
from serving.access.accounts import Attempt
from serving.access.provider import Provider, SignInLost
from serving.console.asking import (
    ForeignForm,
    Sent,
    Visit,
    arriving,
    cookie_name,
    go,
    lasting,
    local_target,
    request_origin,
    sending_any,
)
from serving.console.pages import LANGUAGE_COOKIE, ROOT, page
from serving.console.words import Language
from serving.services import Services, services
from serving.settings import Settings

router = APIRouter(prefix=ROOT)
Held = Annotated[Services, Depends(services)]
_DAYS_KNOWN = 180
_BACK = f"{ROOT}/sign-in/provider/back"
_YEAR = 365 * 24 * 3600


def provider_of(settings: Settings) -> Provider | None:
    """The identity provider of the settings; None where there is none."""
    if not settings.oidc_issuer:
        return None
    ours = settings.console_url or f"http://{settings.host}:{settings.console_port}"
    return Provider(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret, f"{ours}{_BACK}"
    )


@router.get("/sign-in")
async def sign_in_page(
    request: Request, held: Held, target: Annotated[str, Query(max_length=2_000)] = "", over: str = ""
) -> Response:
    """The form; ``over`` says that a session has just ended."""
    return page(
        request, "sign_in.html", target=local_target(target), over=bool(over), tenant=held.settings.tenant,
        provider=request.app.state.provider is not None,
    )  # fmt: skip


@router.post("/sign-in")
async def sign_in(
    request: Request,
    held: Held,
    tenant: Annotated[str, Form(max_length=64)],
    name: Annotated[str, Form(max_length=200)],
    password: Annotated[str, Form(max_length=1_000)],
    target: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """A new session by name and password; the one that the browser had ends."""
    _ours(request)
    attempt = _attempt(request, tenant.strip(), name.strip(), password)
    database, now = request.app.state.database, held.clock()
    secret = await asyncio.to_thread(accounts.sign_in, database, attempt, now, lasting(held.settings))
    await _end_held(request, held)
    answer = _begun(go(local_target(target)), held.settings, secret)
    if not attempt.browser:
        _remember(answer, request, attempt)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, sent: Annotated[Sent, Depends(sending_any)]) -> Response:
    """End the session, in the store and in the browser."""
    held, name = sent.visit.services, cookie_name(sent.visit.services.settings)
    await _end_held(request, held)
    answer = go(f"{ROOT}/sign-in")
    _drop(answer, held.settings, name)
    return answer


@router.post("/sign-in/provider")
async def to_provider(
    request: Request, held: Held, target: Annotated[str, Form(max_length=2_000)] = ""
) -> Response:
    """On to the identity provider, by a page of its own: browsers let a form lead nowhere else, by whatever steps."""
    _ours(request)
    provider = _provider(request)
    url, state = await asyncio.to_thread(
        provider.start, request.app.state.database, local_target(target), held.clock()
    )
    answer = page(request, "leaving.html", url=url)
    _keep(answer, held.settings, _named(held.settings, "yidai_sign_in"), state, 600)
    return answer


@router.get("/sign-in/provider/back")
async def from_provider(request: Request, held: Held) -> Response:
    """Back from the identity provider, with what proves who it is.

    The page that follows is reached by a step of its own: browsers send no cookie that was set on the way from elsewhere.
    """
    cookie = _named(held.settings, "yidai_sign_in")
    state = request.cookies.get(cookie, "")
    if not state:
        raise SignInLost
    provider, returned = _provider(request), f"{request_origin(request)}{_BACK}?{request.url.query}"
    secret, target = await asyncio.to_thread(
        provider.finish, request.app.state.database, returned, state, _agent(request), held.clock(),
        lasting(held.settings),
    )  # fmt: skip
    await _end_held(request, held)
    answer = _begun(go(target), held.settings, secret)
    _drop(answer, held.settings, cookie)
    return answer


@router.get("/password")
async def password_page(visit: Annotated[Visit, Depends(arriving)]) -> Response:
    """The form in which one changes one's own password."""
    return visit.page("password.html", shortest=accounts.SHORTEST, longest=accounts.LONGEST)


@router.post("/password")
async def change_password(request: Request, sent: Annotated[Sent, Depends(sending_any)]) -> Response:
    """Put a new password in place of the old one; all other sessions end."""
    visit, held = sent.visit, sent.visit.services
    old, new = (str(sent.form.get(name, "")) for name in ("old", "new"))
    actor = visit.session.actor
    attempt = _attempt(request, actor.tenant, actor.name, old)
    secret = await asyncio.to_thread(
        accounts.change_password,
        request.app.state.database,
        attempt,
        new,
        held.clock(),
        lasting(held.settings),
    )
    return _begun(go(f"{ROOT}/"), held.settings, secret)


@router.post("/language")
async def language(
    request: Request,
    to: Annotated[Language, Form()],
    target: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Pages in the other language from now on."""
    _ours(request)
    answer = go(local_target(target))
    _keep(answer, services(request).settings, LANGUAGE_COOKIE, to.value, _YEAR, path=ROOT)
    return answer


async def _end_held(request: Request, held: Services) -> None:
    """End the session whose cookie came with a request: nobody could end it any more once another is in its place."""
    secret = request.cookies.get(cookie_name(held.settings))
    if secret:
        await asyncio.to_thread(sessions.end, request.app.state.database, secret, held.clock())


def _begun(answer: Response, settings: Settings, secret: str) -> Response:
    _keep(answer, settings, cookie_name(settings), secret, settings.console_session_hours * 3600)
    return answer


def _attempt(request: Request, tenant: str, name: str, password: str) -> Attempt:
    given = request.cookies.get(_named(services(request).settings, "yidai_browser"), "")
    browser = browsers.known(request.app.state.browsers, given, tenant, name)
    return Attempt(tenant, name, password, _address(request), _agent(request), browser)


def _remember(answer: Response, request: Request, attempt: Attempt) -> None:
    """Tell this browser from others from now on: it is nobody's proof, and opens nothing."""
    settings, key = services(request).settings, request.app.state.browsers
    made = browsers.mark(key, attempt.tenant, attempt.name)
    _keep(
        answer, settings, _named(settings, "yidai_browser"), made, _DAYS_KNOWN * 24 * 3600, samesite="strict"
    )


def _keep(
    answer: Response, settings: Settings, name: str, value: str, seconds: int, *, path: str = "/",
    samesite: Literal["lax", "strict"] = "lax",
) -> None:  # fmt: skip
    """Let the browser keep a cookie that no script reads, over https only where the console is opened by it."""
    answer.set_cookie(
        name, value, max_age=seconds, path=path, secure=_secure(settings), httponly=True, samesite=samesite
    )


def _drop(answer: Response, settings: Settings, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=_secure(settings), httponly=True, samesite="lax")


def _named(settings: Settings, name: str) -> str:
    """A cookie's name; over https no other host and no path can set it."""
    return f"__Host-{name}" if _secure(settings) else name


def _ours(request: Request) -> None:
    """Refuse a form of another site, where there is no session yet that it could be made for."""
    ours = request_origin(request)
    if request.headers.get("origin", ours) != ours or request.headers.get("sec-fetch-site") == "cross-site":
        raise ForeignForm


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.provider
    if provider is None:
        raise SignInLost
    return provider


def _secure(settings: Settings) -> bool:
    return settings.console_url.startswith("https://")


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
