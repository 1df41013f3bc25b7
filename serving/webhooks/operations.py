"""What `yidai webhooks` and the worker do: settings in, values out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from serving.access.model import Authority, Permission
from serving.operations import authority
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.webhooks.model import Delivery, DeliveryState, Endpoint
from serving.webhooks.service import WebhookService

_Result = TypeVar("_Result")


def add(settings: Settings, url: str, kinds: Sequence[str]) -> Endpoint:
    """Register an endpoint."""
    return _asked(settings, lambda service, asker: service.add(asker, url, kinds))


def some(settings: Settings) -> list[Endpoint]:
    """The tenant's endpoints."""
    return _asked(settings, lambda service, asker: service.some(asker))


def rotate(settings: Settings, name: UUID) -> Endpoint:
    """A new secret."""
    return _asked(settings, lambda service, asker: service.rotate(asker, name))


def remove(settings: Settings, name: UUID) -> None:
    """It is told nothing any more."""
    _asked(settings, lambda service, asker: service.remove(asker, name))


def try_out(settings: Settings, name: UUID) -> Delivery:
    """Something to be sent."""
    return _asked(settings, lambda service, asker: service.try_out(asker, name))


def deliveries(settings: Settings, name: UUID, state: DeliveryState | None, most: int) -> list[Delivery]:
    """The latest of an endpoint."""
    return _asked(settings, lambda service, asker: service.deliveries(asker, name, state, most))


def replay(settings: Settings, name: UUID, delivery: UUID | None) -> int:
    """Send a delivery once more, or whatever is dead; returns how many."""
    if delivery is None:
        return _asked(settings, lambda service, asker: service.replay_dead(asker, name))
    _asked(settings, lambda service, asker: service.replay(asker, name, delivery))
    return 1


def _asked(settings: Settings, use: Callable[[WebhookService, Authority], Awaitable[_Result]]) -> _Result:
    database = open_store(settings)
    asker = authority(settings, database, Permission.MANAGE_WEBHOOKS)
    return with_services(settings, database, lambda held: use(held.webhooks, asker))
