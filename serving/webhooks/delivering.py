"""The worker's side: what is due is sent, signed, until the receiver takes it.

A delivery that somebody sends is locked by that process's transaction. When the process dies, its lock goes with its
connection, and another sends it again under the same id: at least once, never lost. Order is not promised.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic

import httpx

from features.errors import YidaiError
from serving.access.repository import tenants
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.keys import KeyRing, unseal
from serving.store.session import Connection, tenant_transaction
from serving.webhooks import repository
from serving.webhooks.address import look_up
from serving.webhooks.model import MOST_ATTEMPTS, SECOND, Due, Sent, back_off
from serving.webhooks.service import SECRET
from serving.webhooks.signature import headers

_SECONDS = 5.0
"""How long a receiver may take to answer; more is a failure."""
_EACH, _AT_ONCE = 16, 16
_ROUND_SECONDS = 15.0
"""After so long the worker turns to its other jobs; what is left is due at once."""
_AGENT = "yidai-webhooks/1"


@dataclass(frozen=True, slots=True)
class Told:
    """What one run did; attempts."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    def __add__(self, other: Told) -> Told:
        return Told(self.delivered + other.delivered, self.failed + other.failed, self.dead + other.dead)


def deliver_all(settings: Settings, database: Database, clock: Callable[[], int]) -> Told:
    """Send what is due, of every tenant, until nothing is or the time of one run is over."""
    key = KeyRing.open(settings.key_file).derived(SECRET)
    until, told = monotonic() + _ROUND_SECONDS, Told()
    with httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False) as http:
        for tenant in tenants(database):
            while monotonic() < until:
                found = _one_round(settings, database, tenant, key, http, clock)
                if found is None:
                    break
                told += found
    return told


def forget_all(database: Database, before: int) -> int:
    """Drop what was delivered before a moment, µs, of every tenant; what is dead stays until somebody looked."""
    gone = 0
    for tenant in tenants(database):
        with tenant_transaction(database, tenant) as connection:
            gone += repository.forget(connection, before)
    return gone


def _one_round(
    settings: Settings,
    database: Database,
    tenant: str,
    key: bytes,
    http: httpx.Client,
    clock: Callable[[], int],
) -> Told | None:
    with tenant_transaction(database, tenant) as connection:
        found = [_due(taken, key) for taken in repository.take(connection, clock(), _EACH)]
        if not found:
            return None
        with ThreadPoolExecutor(min(_AT_ONCE, len(found))) as threads:
            sent = list(threads.map(lambda due: send(http, settings, due, clock()), found))
        return _noted(connection, found, sent, clock())


def _due(taken: repository.Taken, key: bytes) -> Due:
    delivery, endpoint, url, payload, attempts, secret, old = taken
    keys = [unseal(key, bytes(each), endpoint.bytes) for each in (secret, old) if each is not None]
    return Due(delivery, url, payload.encode(), attempts, keys)


def send(http: httpx.Client, settings: Settings, due: Due, now: int) -> Sent:
    """One attempt: any 2xx is taken, anything else is not. Of an answer nothing is read but its status."""
    try:
        target = look_up(due.url, private=settings.webhooks_private)
        signed = headers(str(due.delivery_id), now // SECOND, due.payload, due.secrets)
        told = {"Host": target.authority, "Content-Type": "application/json", "User-Agent": _AGENT, **signed}
        request = http.build_request(
            "POST", target.url, content=due.payload, headers=told, extensions=_name_of(target.host)
        )
        answer = http.send(request, stream=True)
        answer.close()
    except YidaiError as error:
        return Sent(error=error.message)
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        return Sent(error=f"{type(error).__name__}: the receiver did not answer.")
    if answer.is_success:
        return Sent(answer.status_code)
    return Sent(answer.status_code, f"the receiver answered {answer.status_code}.")


def _name_of(host: str) -> dict[str, str]:
    """The name that a certificate is checked for, since the call goes to an address."""
    return {"sni_hostname": host}


def _noted(connection: Connection, found: Sequence[Due], sent: Sequence[Sent], now: int) -> Told:
    told = Told()
    for due, each in zip(found, sent, strict=True):
        if not each.error:
            repository.delivered(connection, due, each, now)
            told += Told(delivered=1)
        elif due.attempts + 1 >= MOST_ATTEMPTS:
            repository.die(connection, due, each, now)
            told += Told(dead=1)
        else:
            wait = back_off(due.attempts + 1, random.random())  # noqa: S311 - spreads what failed together
            repository.later(connection, due, each, now + wait)
            told += Told(failed=1)
    return told
