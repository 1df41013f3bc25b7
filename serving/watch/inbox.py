"""The alerts of a month, as a risk officer reads them: the gravest first."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from serving.access.model import Authority, Permission
from serving.store.engine import Database
from serving.store.session import tenant_transaction
from serving.watch.service import point_of
from serving.watch.signals import Level

SELECT = """
SELECT alert_id, loan, subject_id, signal, level, state, points,
       evidence->>'zh', evidence->>'en', evidence->>'action_zh', evidence->>'action_en',
       signals_digest, raised_at, updated_at
FROM alert WHERE point = %(point)s AND (%(loan)s = '' OR loan = %(loan)s)
ORDER BY array_position(ARRAY['red', 'orange', 'yellow'], level), points DESC, loan, signal LIMIT %(most)s"""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert. ``loan`` is the bank's own number of it; ``points`` counts the months in a row; instants in µs."""

    alert_id: UUID
    loan: str
    subject_id: int
    signal: str
    level: Level
    state: str
    points: int
    evidence_zh: str
    evidence_en: str
    action_zh: str
    action_en: str
    signals_digest: str
    raised_at: int
    updated_at: int


def alerts(
    database: Database, authority: Authority, at: int, *, loan: str = "", most: int = 200
) -> list[AlertRow]:
    """The alerts of the month of ``at``, of one loan or of all; at most ``most``."""
    authority.holds(Permission.HANDLE_ALERTS)
    wanted = {"point": point_of(at), "loan": loan, "most": most}
    with tenant_transaction(database, authority.tenant) as connection:
        rows = connection.execute(SELECT, wanted).fetchall()
    return [AlertRow(*(*row[:4], Level(row[4]), *row[5:])) for row in rows]
