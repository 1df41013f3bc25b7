"""What `yidai subjects report`, `yidai disputes decide-again` and `yidai notice` do: settings in, values out."""

from __future__ import annotations

from uuid import UUID

from serving.access.model import Permission
from serving.governance.naming import whole_id
from serving.operations import authority
from serving.rights.again import Again
from serving.rights.notice import Notice
from serving.rights.report import Report
from serving.serve import open_store
from serving.services import with_services
from serving.settings import Settings


def report(settings: Settings, number: str, *, paid: bool = False) -> Report:
    """What is known of a person, as YIDAI_TOKEN's actor."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.EXERCISE_RIGHTS)
    return with_services(settings, database, lambda held: held.rights.report(asker, number, paid=paid))


def decide_again(settings: Settings, dispute: UUID, number: str) -> Again:
    """The application of who disputed, decided once more."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE)
    return with_services(settings, database, lambda held: held.again.again(asker, dispute, number))


def notice(settings: Settings, decision: str) -> Notice:
    """The notice of a decision, by the beginning of its id."""
    database = open_store(settings)
    asker = authority(settings, database, Permission.READ_DECISIONS)
    name = whole_id(database, asker.tenant, "decision", decision)
    return with_services(settings, database, lambda held: held.notices.notice(asker, name))
