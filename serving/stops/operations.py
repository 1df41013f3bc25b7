"""What `yidai approvals` does: settings in, values out."""

from __future__ import annotations

from serving.access.model import Permission
from serving.operations import authority
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings
from serving.stops.model import Scope, Stop


def stop(settings: Settings, scope: Scope, reason: str) -> list[Stop]:
    """Stop approvals; what holds then."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.STOP_APPROVALS)
    return with_services(settings, database, lambda held: held.stops.stop(asker, scope, reason))


def resume(settings: Settings, scope: Scope, reason: str) -> list[Stop]:
    """End a stop; what holds then."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.STOP_APPROVALS)
    return with_services(settings, database, lambda held: held.stops.resume(asker, scope, reason))


def some(settings: Settings, *, ended: bool) -> list[Stop]:
    """What is stopped, or ever was."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_REGISTRY)
    return with_services(settings, database, lambda held: held.stops.some(asker, ended=ended))
