"""Whether a decision could be made now, told as it is; and an end that loses nothing."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from types import FrameType
from typing import Any

import asyncpg

from features.errors import Unavailable, YidaiError
from serving.registry.repository import active_async
from serving.services import Services
from serving.settings import WrongSetting
from serving.store.migrate import head
from serving.store.session import store_errors, tenant_connection

log = logging.getLogger("yidai")
_STORE = "SELECT schema_version(), current_setting('transaction_read_only')::boolean"
"""A standby lets only reading transactions begin, as does a server that was told to."""


class Stopping(Unavailable):
    """The process was told to end: it answers what it has, and is sent no more."""

    def __init__(self) -> None:
        super().__init__("this process is about to end.", remedy="Send new requests to another one.")


class OtherSchema(Unavailable):
    """The database has another schema than this code."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(
            f"the database is at migration {found}, this code at {expected}.",
            place="schema",
            remedy="Start the newer code: it migrates when it starts.",
        )


class ReadsOnly(Unavailable):
    """The database takes no writes, so that no decision could be stored."""

    def __init__(self) -> None:
        super().__init__(
            "the store takes no writes.",
            place="store",
            remedy="Let YIDAI_DATABASE_URL lead to the primary, and see that its default_transaction_read_only is off.",
        )


@dataclass(slots=True)
class Readiness:
    """Of one process; ``stopping`` once it was told to end."""

    held: Services
    stopping: bool = False

    async def check(self) -> dict[str, str]:
        """What is in force for the tenant of this process, loaded and compiled.

        Raises:
            Stopping, OtherSchema, ReadsOnly, StoreUnavailable, NothingActive, WrongSetting: what keeps it from deciding.
        """
        try:
            found = await self._check()
        except YidaiError:
            self.held.metrics.ready.set(0)
            raise
        self.held.metrics.ready.set(1)
        return found

    async def _check(self) -> dict[str, str]:
        if self.stopping:
            raise Stopping
        held, tenant = self.held, self.held.settings.tenant
        async with store_errors(), tenant_connection(held.pool, tenant) as connection:
            await _check_store(connection)
            slots = await active_async(connection, held.clock())
        live = await held.lives.get(tenant, slots)
        for name in held.settings.sources_down:
            if name not in live.plan.contracts:
                raise WrongSetting("YIDAI_SOURCES_DOWN", name, "a dataset of the active definitions")
        return dict(live.slots)

    async def warm(self) -> None:
        """Load and compile what is in force before the first request; that nothing is, is no reason not to start."""
        began = perf_counter()
        try:
            await self.check()
        except YidaiError as error:
            log.warning("not ready: %s", error)
        self.held.metrics.compiled.set(perf_counter() - began)

    def end_slowly(self, seconds: float) -> None:
        """On SIGTERM tell for ``seconds`` that this process is not ready, and answer on; then end as the server does.

        Whoever spreads requests over processes has that long to see it.
        """
        if threading.current_thread() is not threading.main_thread():
            return  # a server inside of another program, which has the signals
        before, loop = signal.getsignal(signal.SIGTERM), asyncio.get_running_loop()

        def told(number: int, frame: FrameType | None) -> None:
            self.stopping = True
            self.held.metrics.ready.set(0)
            end = _once(before, number, frame)
            if seconds:
                loop.call_soon_threadsafe(lambda: loop.call_later(seconds, end))
            else:
                end()

        signal.signal(signal.SIGTERM, told)


def _once(before: Any, number: int, frame: FrameType | None) -> Callable[[], None]:
    def end() -> None:
        if callable(before):
            before(number, frame)

    return end


async def _check_store(connection: asyncpg.Connection) -> None:
    expected = head()
    try:
        found, reads_only = await connection.fetchrow(_STORE)
    except asyncpg.UndefinedFunctionError:
        raise OtherSchema("an older one", expected) from None
    if found != expected:
        raise OtherSchema(str(found), expected)
    if reads_only:
        raise ReadsOnly
