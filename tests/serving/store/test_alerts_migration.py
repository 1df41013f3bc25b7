"""Alerts of a row a month become one alert with its points, and rows a month again."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.types.json import Jsonb

from features.calendar import CHINA_OFFSET, DAY, instant
from serving.access.repository import create_tenant, new_id
from serving.store.engine import Database
from serving.store.migrate import migrate
from tests.serving.store.test_rights_migration import down_to

SEPTEMBER, OCTOBER, DECEMBER = (instant(f"2024-{month}-20") for month in ("09", "10", "12"))
ENDS = {SEPTEMBER: instant("2024-10-01"), OCTOBER: instant("2024-11-01"), DECEMBER: instant("2025-01-01")}
ROWS = (
    ("L1", 1, "dpd_open", "yellow", "new", SEPTEMBER, 1),
    ("L1", 1, "dpd_open", "red", "ongoing", OCTOBER, 2),
    ("L1", 1, "dpd_open", "orange", "new", DECEMBER, 1),
    ("L1", 1, "ss_stop", "orange", "new", OCTOBER, 1),
    ("L2", 2, "ss_stop", "yellow", "new", SEPTEMBER, 1),
)
OLD = "SELECT loan, subject_id, signal, level, state, updated_at, points, point, evidence FROM alert ORDER BY signal, loan, point"


@pytest.fixture(scope="module")
def database(store) -> Database:
    """With a tenant."""
    create_tenant(store[1], "city", "City bank", 1)
    return store[1]


def owner(database: Database) -> psycopg.Connection:
    connection = psycopg.connect(database.admin_url)
    connection.execute("SELECT set_config('yidai.tenant', 'city', true)")
    return connection


def test_rows_a_month_become_alerts_with_points_and_again_rows_a_month(database: Database) -> None:
    down_to(database, "0023")
    with owner(database) as connection:
        for loan, subject, signal, level, state, at, points in ROWS:
            connection.execute(
                "INSERT INTO alert (tenant_id, alert_id, loan, subject_id, signal, level, state, point, points, evidence,"
                " signals_digest, raised_at, updated_at) VALUES ('city', %s, %s, %s, %s, %s, %s, %s, %s, %s, 'd', %s, %s)",
                (new_id(), loan, subject, signal, level, state, ENDS[at], points, Jsonb({"en": "e"}), at, at),
            )
        before = connection.execute(OLD).fetchall()
        first = connection.execute("SELECT alert_id FROM alert WHERE point = %s AND loan = 'L1'", (ENDS[SEPTEMBER],)).fetchone()  # fmt: skip
    migrate(database)
    with owner(database) as connection:
        told = connection.execute(
            "SELECT loan, signal, level, state, coverage, points, raised_at, seen_at FROM alert ORDER BY signal, loan"
        ).fetchall()
        assert told == [
            ("L1", "dpd_open", "red", "ongoing", "full", 1, SEPTEMBER, DECEMBER),
            ("L1", "ss_stop", "orange", "new", "partial", 1, OCTOBER, OCTOBER),
            ("L2", "ss_stop", "yellow", "new", "partial", 1, SEPTEMBER, SEPTEMBER),
        ]
        assert connection.execute("SELECT alert_id FROM alert WHERE signal = 'dpd_open'").fetchone() == first
        points = connection.execute(
            "SELECT point, gravest FROM alert_point JOIN alert USING (alert_id) WHERE signal = 'dpd_open' ORDER BY point"
        )
        assert points.fetchall() == [(ENDS[SEPTEMBER], 1), (ENDS[OCTOBER], 3), (ENDS[DECEMBER], 2)]
        assert connection.execute(
            "SELECT count(*), count(DISTINCT case_id), min(owner), min(due_at - updated_at) > 0 FROM alert"
        ).fetchone() == (3, 2, "role:risk_officer", True)
        assert connection.execute("SELECT count(*) FROM alert_event").fetchone() == (3,)
    down_to(database, "0023")
    with owner(database) as connection:
        assert by_day(connection.execute(OLD).fetchall()) == by_day(before)
        assert connection.execute("SELECT to_regclass('alert_case')").fetchone() == (None,)
    migrate(database)


def by_day(rows: list[tuple]) -> list[tuple]:
    """With the day of the last change: its hour is kept of an alert's newest month only."""
    return [(*row[:5], (row[5] + CHINA_OFFSET) // DAY, *row[6:]) for row in rows]
