"""One attempt at a receiver, over after a time that nothing it does can lengthen."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import httpx

from features.errors import YidaiError
from serving.webhooks.address import Target, look_up
from serving.webhooks.model import SECOND, Due, Sent
from serving.webhooks.signature import headers

SECONDS = 5.0
"""How long an attempt may last in all, from the look-up of the name to the status; more is a failure."""
_AGENT = "yidai-webhooks/1"


def client() -> httpx.AsyncClient:
    """Waits for no other's connection, and keeps none: one that was opened for a name is not used for another."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncClient(timeout=SECONDS, limits=limits, follow_redirects=False, trust_env=False)


async def send(http: httpx.AsyncClient, due: Due, now: int, *, private: bool) -> Sent:
    """One attempt: any 2xx is taken, anything else is not. Of an answer nothing is read but its status."""
    try:
        async with asyncio.timeout(SECONDS):
            status = await _called(http, await _looked_up(due.url, private=private), due, now)
    except YidaiError as error:
        return Sent(error=error.message)
    except TimeoutError:
        return Sent(error=f"the receiver did not answer within {SECONDS:.0f} seconds.")
    except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
        return Sent(error=f"{type(error).__name__}: the receiver did not answer.")
    return Sent(status, "" if 200 <= status < 300 else f"the receiver answered {status}.")


async def _called(http: httpx.AsyncClient, target: Target, due: Due, now: int) -> int:
    signed = headers(str(due.delivery_id), now // SECOND, due.payload, due.secrets)
    told = {"Host": target.authority, "Content-Type": "application/json", "User-Agent": _AGENT, **signed}
    # the name that a certificate is checked for, since the call goes to an address
    names = {"sni_hostname": target.host}
    async with http.stream("POST", target.url, content=due.payload, headers=told, extensions=names) as answer:
        return answer.status_code


async def _looked_up(url: str, *, private: bool) -> Target:
    """In a thread of its own that is left behind at the deadline: a name server can be as slow as a receiver, and in a
    pool the slow ones would hold the place of others.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Target] = loop.create_future()

    def settle(target: Target | None, error: Exception | None) -> None:
        if found.done():
            return
        if target is not None:
            found.set_result(target)
        elif error is not None:
            found.set_exception(error)

    def look() -> None:
        target, failed = None, None
        try:
            target = look_up(url, private=private)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the run is over, nobody waits
            loop.call_soon_threadsafe(settle, target, failed)

    threading.Thread(target=look, daemon=True).start()
    return await found
