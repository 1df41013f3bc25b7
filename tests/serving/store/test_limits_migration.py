"""Shared limits and offers come to a store that is in use: who is online is filled again, with the household."""

from __future__ import annotations

import psycopg
import pytest

from serving.access.repository import create_tenant
from serving.store.engine import Database
from serving.store.migrate import migrate
from tests.serving.store.test_rights_migration import down_to

READ = """
SELECT holder, promised FROM read_decisions(
    'city', 'person', ARRAY['k'::bytea], ARRAY['n'::bytea], ARRAY[gen_random_uuid()], ARRAY[1::bigint], 1)"""


@pytest.fixture(scope="module")
def database(store) -> Database:
    """With a tenant."""
    create_tenant(store[1], "city", "City bank", 1)
    return store[1]


def test_what_was_online_is_filled_again_and_what_was_used_of_a_budget_stays(database: Database) -> None:
    down_to(database, "0011")
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("INSERT INTO subject_timeline VALUES ('city', 1, 1, 'x', 1)")
        owner.execute("INSERT INTO budget VALUES ('city', 'random_approval', '2025-01', 3)")
        read = "SELECT holder, promised FROM read_decision('city', 'k', 'person', 'n', gen_random_uuid(), 1)"
        with pytest.raises(psycopg.errors.UndefinedColumn), owner.transaction():
            owner.execute(read)
    migrate(database)
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute("SELECT count(*) FROM subject_timeline").fetchone() == (0,)
        assert owner.execute("SELECT used FROM budget").fetchall() == [(3,)]
        assert owner.execute(READ).fetchall() == [(None, 0)]
    down_to(database, "0011")
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute("SELECT to_regclass('offer'), to_regproc('reserve_budgets')").fetchone() == (
            None,
            None,
        )
    migrate(database)
