"""What the commands about consents do."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from serving.access.model import Authority, Permission
from serving.consents.api import answer_of
from serving.operations import authority, prepare
from serving.services import close_services, open_services, wall_clock
from serving.settings import Settings
from serving.store.engine import Database


def known(settings: Settings, number: str, consent_id: UUID) -> dict[str, Any]:
    """`yidai prefill`: the answer of POST /v1/prefill, for YIDAI_TOKEN's actor.

    Raises:
        WrongNumber, UnknownSubject, ConsentRefused, NotHydrated: as the route.
    """
    database = prepare(settings)
    return asyncio.run(
        _known(settings, database, authority(settings, database, Permission.PREFILL), number, consent_id)
    )


async def _known(
    settings: Settings, database: Database, asker: Authority, number: str, consent_id: UUID
) -> dict[str, Any]:
    held = await open_services(settings, database, wall_clock)
    try:
        return answer_of(await held.prefill.known(asker, number, consent_id)).model_dump()
    finally:
        await close_services(held)
