"""What `yidai alerts` does: settings in, values out."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from serving.access.model import Authority, Permission
from serving.alerts.model import Action, AlertRow
from serving.alerts.repository import Wanted
from serving.alerts.service import AlertView, Precision
from serving.governance.naming import whole_id
from serving.operations import authority
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings
from serving.store.engine import Database


def some(settings: Settings, wanted: Wanted, *, mine: bool = False) -> list[AlertRow]:
    """The inbox, the first due first; ``mine`` are those of YIDAI_TOKEN's actor."""
    database, asker = _opened(settings)
    if mine:
        wanted = replace(wanted, assignee=asker.actor.name)
    return with_services(settings, database, lambda held: held.alerts.some(asker, wanted))


def show(settings: Settings, alert: str) -> AlertView:
    """One alert with its story."""
    database, asker = _opened(settings)
    alert_id = whole_id(database, asker.tenant, "alert", alert)
    return with_services(settings, database, lambda held: held.alerts.view(asker, alert_id))


def act(settings: Settings, alert: str, action: Action, version: int | None = None) -> AlertRow:
    """Do something about an alert as YIDAI_TOKEN's actor: as it is now, or as it was at a version."""
    database, asker = _opened(settings)
    alert_id = whole_id(database, asker.tenant, "alert", alert)

    async def run(held: Services) -> AlertRow:
        return await held.alerts.act(asker, alert_id, action, version, str(uuid4()))

    return with_services(settings, database, run)


def precision(settings: Settings) -> list[Precision]:
    """What alerts were worth, by signal and level."""
    database, asker = _opened(settings)
    return with_services(settings, database, lambda held: held.alerts.precision(asker))


def _opened(settings: Settings) -> tuple[Database, Authority]:
    database = open_store(settings)
    return database, authority(settings, database, Permission.HANDLE_ALERTS)
