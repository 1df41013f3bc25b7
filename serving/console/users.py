"""The administrator's pages: people, their roles, passwords, identities, sessions and keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response

from features.calendar import DAY
from serving.access import repository, sessions, tokens, users
from serving.access.accounts import new_password, set_password
from serving.access.model import GRANTED, Permission, Role, Scope
from serving.access.provider import Provider, link
from serving.access.repository import UnknownActor
from serving.console.asking import Sent, Visit, WrongField, go, lasting, opening, sending
from serving.console.forms import choice
from serving.console.pages import ROOT

router = APIRouter(prefix=f"{ROOT}/users")
Administrator = Annotated[Visit, Depends(opening(Permission.ADMINISTER))]
Order = Annotated[Sent, Depends(sending(Permission.ADMINISTER))]
_Found = TypeVar("_Found")


@router.get("")
async def people(visit: Administrator) -> Response:
    """Everybody of the tenant, and the sessions that are open."""
    held, tenant = visit.services, visit.session.actor.tenant
    now = held.clock()
    found = await _done(visit, users.users_of, tenant, now)
    live = await _done(visit, sessions.sessions_of, tenant, now, lasting(held.settings))
    return visit.page("users.html", users=found, sessions=live, roles=tuple(Role), tenant=tenant)


@router.post("")
async def create(sent: Order) -> Response:
    """A new person with a first password, which is shown once."""
    visit, name = sent.visit, sent.text("name", users.MOST_NAME)
    roles, tenant, now = _roles(sent), visit.session.actor.tenant, visit.services.clock()
    by = visit.session.actor.actor_id
    await _done(visit, users.create_user, tenant, name, roles, now, by)
    if sent.text("password", 8, needed=False) != "yes":
        return go(_address(name))
    return await _first_password(sent, name)


@router.get("/{name}")
async def person(name: str, visit: Administrator) -> Response:
    """One person."""
    held, tenant = visit.services, visit.session.actor.tenant
    now = held.clock()
    found = next((one for one in await _done(visit, users.users_of, tenant, now) if one.name == name), None)
    if found is None:
        raise UnknownActor(tenant, name)
    keys = [key for key in await _done(visit, tokens.keys_of, tenant, now) if key.name == name]
    live = await _done(visit, sessions.sessions_of, tenant, now, lasting(held.settings))
    able = {role: sorted(GRANTED[role]) for role in Role}
    return visit.page(
        "user.html", user=found, keys=keys, sessions=[one for one in live if one.name == name], roles=tuple(Role),
        able=able, provider=_provider(visit.request) is not None, permissions=tuple(Permission),
        oneself=name == visit.session.actor.name, system=users.SYSTEMS.issuperset(found.roles),
    )  # fmt: skip


@router.post("/{name}/{deed}")
async def change(name: str, deed: str, sent: Order) -> Response:
    """What is done about a person; what shows a secret shows it once, everything else leads back to the person's page."""
    shown = _SHOWING.get(deed)
    if shown is not None:
        return await shown(sent, name)
    done = _DEEDS.get(deed)
    if done is None:
        raise WrongField("deed", "there is no such button.")
    await done(sent, name)
    return go(_address(name))


async def _change_roles(sent: Sent, name: str) -> None:
    visit = sent.visit
    await _done(
        visit, users.set_roles, *_about(visit, name), _roles(sent), visit.services.clock(), _by(visit)
    )


async def _end(sent: Sent, name: str) -> None:
    visit = sent.visit
    await _done(visit, users.end_user, *_about(visit, name), visit.services.clock(), _by(visit))


async def _end_sessions(sent: Sent, name: str) -> None:
    visit, key = sent.visit, sent.text("key", 64, needed=False)
    await _done(visit, sessions.end_sessions, *_about(visit, name), visit.services.clock(), key, _by(visit))


async def _link(sent: Sent, name: str) -> None:
    visit, provider = sent.visit, _provider(sent.visit.request)
    if provider is None:
        raise WrongField("subject", "there is no identity provider: see YIDAI_OIDC_ISSUER.")
    subject, now = sent.text("subject", 255), visit.services.clock()
    await _done(visit, link, *_about(visit, name), provider.issuer, subject, now, _by(visit))


async def _revoke(sent: Sent, name: str) -> None:
    visit = sent.visit
    key, now = sent.text("key", 64), visit.services.clock()
    await _done(visit, repository.revoke_tokens, *_about(visit, name), now, key, _by(visit))


async def _first_password(sent: Sent, name: str) -> Response:
    visit, made, now = sent.visit, new_password(name), sent.visit.services.clock()

    def give(database: Any) -> None:
        set_password(database, *_about(visit, name), made, now, must_change=True, by=_by(visit))

    await _done(visit, give)
    return visit.page("secret.html", name=name, secret=made, kind="password")


async def _new_key(sent: Sent, name: str) -> Response:
    """A key for a system: with one for a person, an administrator could be that person unnoticed."""
    visit, days = sent.visit, sent.text("days", 4)
    if not days.isdecimal() or not 1 <= int(days) <= 3_650:
        raise WrongField("days", "1 to 3650 are possible.")
    only = [choice(Permission, each, "permission") for each in sent.texts("permission")]
    now, tenant = visit.services.clock(), visit.session.actor.tenant

    def make(database: Any) -> str:
        roles = {one.name: one.roles for one in users.users_of(database, tenant, now) if one.ended_at is None}
        if name not in roles:
            raise UnknownActor(tenant, name)
        if not users.SYSTEMS.issuperset(roles[name]):
            raise users.KeyOfPerson(name)
        ends, scope = now + int(days) * DAY, Scope.of(only, ())
        return repository.create_token(
            database, tenant, name, roles[name], now, expires_at=ends, scope=scope, by=_by(visit)
        )

    return visit.page("secret.html", name=name, secret=await _done(visit, make), kind="key")


_DEEDS = {"roles": _change_roles, "end": _end, "sessions": _end_sessions, "link": _link, "revoke": _revoke}
_SHOWING = {"password": _first_password, "key": _new_key}


async def _done(visit: Visit, what: Callable[..., _Found], *values: Any) -> _Found:
    """What the owner's role does, outside of the loop that answers requests."""
    return await asyncio.to_thread(what, visit.request.app.state.database, *values)


def _about(visit: Visit, name: str) -> tuple[str, str]:
    return visit.session.actor.tenant, name


def _by(visit: Visit) -> Any:
    return visit.session.actor.actor_id


def _roles(sent: Sent) -> list[Role]:
    return [choice(Role, each, "role") for each in sent.texts("role")]


def _provider(request: Request) -> Provider | None:
    found: Provider | None = request.app.state.provider
    return found


def _address(name: str) -> str:
    return f"{ROOT}/users/{quote(name, safe='')}"
