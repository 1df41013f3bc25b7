"""What the audit log tells an auditor: who did what to which object."""

from __future__ import annotations

from features.calendar import NEVER, instant
from features.errors import Invalid
from serving.access.model import Authority, Permission
from serving.operations import authority
from serving.serve import open_store
from serving.settings import Settings
from serving.store.audit import Deed, WantedDeeds, deeds
from serving.store.engine import Database
from serving.store.session import tenant_transaction


def asked(who: str, action: str, since: str, until: str, after: int | None, most: int) -> WantedDeeds:
    """The question as it was typed.

    Raises:
        Invalid: an instant that is none, or a text that none can be.
    """
    if "\0" in who + action:
        raise Invalid("no name holds a NUL.", place="who", remedy="Leave it out.")
    begins = instant(since) if since else 0
    ends = instant(until) if until else NEVER
    return WantedDeeds(who or None, action or None, begins, ends, after, most)


def done(settings: Settings, wanted: WantedDeeds) -> list[Deed]:
    """`yidai audit deeds` as YIDAI_TOKEN's actor, newest first.

    Raises:
        NotPermitted: only who audits may ask.
    """
    database = open_store(settings)
    return told(database, authority(settings, database, Permission.READ_ACCESS_LOG), wanted)


def told(database: Database, asker: Authority, wanted: WantedDeeds) -> list[Deed]:
    """As ``done``, for whoever is asking."""
    asker.holds(Permission.READ_ACCESS_LOG)
    with tenant_transaction(database, asker.tenant) as connection:
        return deeds(connection, wanted)
