"""A desk with alerts: raised as the watch raises them, without a book."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psycopg.rows import namedtuple_row

from features.calendar import instant
from serving.access.model import Role
from serving.access.repository import create_token
from serving.alerts.handling import handling, playbooks
from serving.alerts.machine import Observation, Point, merged, seen
from serving.alerts.recording import Recorded, Recorder, Run, Sighting
from serving.store.session import owner_transaction, tenant_transaction
from serving.watch.signals import Level
from tests.serving.world import NOW, Bank

OFFICER, SECOND = "risk_officer", "second officer"
SAID = {"zh": "依据。", "en": "The evidence.", "action_zh": "致电。", "action_en": "Call."}


def forget_alerts(bank: Bank) -> None:
    """As if none had ever been raised."""
    with owner_transaction(bank.database) as owner:
        owner.execute("ALTER TABLE alert_event DISABLE TRIGGER append_only")
        for table in ("alert_event", "alert_point", "alert", "alert_case"):
            owner.execute(f"DELETE FROM {table}")
        owner.execute("ALTER TABLE alert_event ENABLE TRIGGER append_only")


def sighting(loan: str = "L1", signal: str = "ss_stop", level: Level = Level.ORANGE, **more: Any) -> Sighting:
    """A signal that hits a loan of subject 1, unless changed."""
    return Sighting(**{"about": loan, "subject": 1, "signal": signal, "level": level, "said": SAID, **more})


def raised(
    bank: Bank, hits: Iterable[Sighting], at: int | str = NOW, tenant: str = "city", **more: Any
) -> Recorded:
    """A look that saw these and nothing else."""
    moment = instant(at) if isinstance(at, str) else at
    run = Run(**{"at": moment, "clock": bank.clock(), "digest": "d" * 64, "family": lambda _: True, **more})
    with tenant_transaction(bank.database, tenant) as connection:
        return Recorder(connection, tenant, handling(), playbooks()).record(run, hits)


def stored(bank: Bank, tenant: str = "city") -> dict[tuple[str, str], Any]:
    """All alerts by loan and signal, the newest of each."""
    with tenant_transaction(bank.database, tenant) as connection:
        connection.row_factory = namedtuple_row
        found = connection.execute("SELECT * FROM alert ORDER BY raised_at, alert_id").fetchall()
    return {(row.loan, row.signal): row for row in found}


def name_of(bank: Bank, loan: str = "L1", signal: str = "ss_stop") -> UUID:
    """The id of an alert."""
    found: UUID = stored(bank)[loan, signal].alert_id
    return found


def kinds(bank: Bank, alert: UUID) -> list[str]:
    """The events of an alert, oldest first."""
    asked = "SELECT kind FROM alert_event WHERE alert_id = %s ORDER BY event"
    with tenant_transaction(bank.database, "city") as connection:
        return [kind for (kind,) in connection.execute(asked, (alert,)).fetchall()]


def second_officer(bank: Bank) -> None:
    """Somebody else with the same role, under the name ``SECOND``."""
    if SECOND not in bank.tokens:
        bank.tokens[SECOND] = create_token(bank.database, "city", SECOND, [Role.RISK_OFFICER], NOW)


def points_of(observations: Iterable[Observation]) -> list[Point]:
    """Observations in any order as points in order."""
    found: dict[int, Point] = {}
    for each in map(seen, observations):
        found[each.point] = merged(found.get(each.point, each), each)
    return [found[point] for point in sorted(found)]
