"""The rights' tables come to a store that has decisions and disputes already, and go again without them."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine

from serving.access.repository import create_tenant, new_id
from serving.store.engine import Database
from serving.store.migrate import _config, migrate


@pytest.fixture(scope="module")
def database(store) -> Database:
    """With a tenant."""
    create_tenant(store[1], "city", "City bank", 1)
    return store[1]


def down_to(database: Database, revision: str) -> None:
    """Take migrations back."""
    engine = create_engine(database.sqlalchemy_url)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)
    engine.dispose()


def test_what_was_referred_before_gets_its_case_and_a_verdict_its_word(database: Database) -> None:
    down_to(database, "0009")
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("SELECT set_config('yidai.tenant', 'city', true)")
        for outcome, key in (("refer", b"a"), ("approve", b"b")):
            owner.execute(
                "INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id,"
                " decided_at, outcome, answer, receipt, receipt_hash)"
                " VALUES ('city', %s, %s, 'd', 1, %s, %s, 5, %s, '{}', 'r', sha256('r'))",
                (new_id(), key, new_id(), new_id(), outcome),
            )
        owner.execute(
            "INSERT INTO dispute VALUES ('city', %s, 1, 'court_case', 1, 'g', %s, 1, 2, 'confirmed', %s, 3)",
            (new_id(), new_id(), new_id()),
        )
    migrate(database)
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("SELECT set_config('yidai.tenant', 'city', true)")
        assert owner.execute("SELECT verdict FROM dispute").fetchall() == [("upheld",)]
        cases = owner.execute("SELECT origin, state, due_at FROM review_case").fetchall()
    assert cases == [("refer", "open", 5 + 15 * 86_400_000_000)]
    down_to(database, "0009")
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute("SELECT verdict FROM dispute").fetchall() == [("confirmed",)]
        assert owner.execute("SELECT to_regclass('review_case')").fetchone() == (None,)
    migrate(database)
