"""Use cases of commands, asked for by a page: they wait for the store, so they run beside the loop that answers requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from serving.access.model import Permission
from serving.console.asking import Visit

_Found = TypeVar("_Found")


async def command(
    visit: Visit, permission: Permission, what: Callable[..., _Found], *values: Any, **more: Any
) -> _Found:
    """What a use case of the store gives to the person of a visit; it is called with the store and the authority first.

    Raises:
        NotPermitted, and what the use case raises.
    """
    return await asyncio.to_thread(
        what, visit.request.app.state.database, visit.authority(permission), *values, **more
    )
