"""Decisions lie in a table a month: none is lost on the way there and back, and each is found in one part."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from serving.access.repository import create_tenant
from serving.store.engine import Database
from serving.store.migrate import migrate
from serving.store.session import tenant_transaction
from tests.serving.store.test_rights_migration import down_to

MONTHS = (datetime(2025, 11, 30, 15, 59, 59, 999_000, UTC), datetime(2025, 11, 30, 16, 0, tzinfo=UTC),
          datetime(2026, 2, 14, tzinfo=UTC))  # fmt: skip
"""The last millisecond of a month of China, the first of the next, and one later."""
PARTS = ["decision_2025_11", "decision_2025_12", "decision_2026_02"]
INSERT = """
INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id, decided_at,
                      outcome, answer, receipt, receipt_hash)
VALUES (%s, %s, %s, 'd', 1, gen_random_uuid(), gen_random_uuid(), 5, %s, '{}', 'r', sha256('r'))"""
STORE = """
SELECT encode(key_hash, 'escape'), decision_id FROM store_decisions(
    %s, ARRAY[%s]::uuid[], ARRAY[%s]::bytea[], ARRAY['d']::bytea[], ARRAY[1]::bigint[], ARRAY[gen_random_uuid()],
    ARRAY[gen_random_uuid()], ARRAY[5]::bigint[], ARRAY['approve'], ARRAY['{}']::bytea[], ARRAY['r']::bytea[],
    ARRAY[sha256('r')])"""


def id_of(moment: datetime, tail: int) -> UUID:
    """An id of version 7 that was made at a moment."""
    return UUID(int=round(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | tail)


IDS = [id_of(moment, at) for at, moment in enumerate(MONTHS)]


@pytest.fixture(scope="module")
def database(store) -> Database:
    """Two tenants that decided before there were months."""
    database = store[1]
    for name in ("city", "other"):
        create_tenant(database, name, "A bank", 1)
    down_to(database, "0022")
    with psycopg.connect(database.admin_url) as owner:
        for tenant in ("city", "other"):
            owner.execute("SELECT set_config('yidai.tenant', %s, true)", (tenant,))
            for at, name in enumerate(IDS):
                outcome = "refer" if at == 1 else "approve"
                owner.execute(INSERT, (tenant, name, b"key %d" % at, outcome))
    migrate(database)
    return database


def everything(database: Database) -> dict[str, list[tuple]]:
    """All rows of decisions and of what names them."""
    tables = ("decision", "review_case", "receipt_unsealed")
    with psycopg.connect(database.admin_url) as owner:
        return {t: owner.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in tables}


def test_each_lies_in_the_month_of_china_in_which_it_was_made(database: Database) -> None:
    with psycopg.connect(database.admin_url) as owner:
        found = owner.execute(
            "SELECT tableoid::regclass::text FROM decision WHERE tenant_id = 'city' ORDER BY decision_id"
        ).fetchall()
        assert [name for (name,) in found] == PARTS
        keys = owner.execute(
            "SELECT tenant_id, key_hash, decision_id FROM decision_key ORDER BY 1, 2"
        ).fetchall()
    assert keys == [(t, b"key %d" % at, name) for t in ("city", "other") for at, name in enumerate(IDS)]


def test_a_key_is_taken_over_all_months_and_tells_the_decision_that_has_it(database: Database) -> None:
    later = id_of(datetime(2026, 3, 1, tzinfo=UTC), 9)
    with tenant_transaction(database, "city") as connection:
        assert connection.execute(STORE, ("city", later, b"key 0")).fetchall() == [("key 0", IDS[0])]
        assert connection.execute(STORE, ("city", later, b"key 9")).fetchall() == []
        count = connection.execute(
            "SELECT count(*) FROM decision WHERE decision_id = %s", (later,)
        ).fetchone()
        assert count == (1,)
        connection.rollback()


def test_one_decision_is_looked_for_in_one_part(database: Database) -> None:
    with psycopg.connect(database.admin_url) as owner:
        plan = owner.execute(f"EXPLAIN SELECT * FROM decision WHERE decision_id = '{IDS[1]}'").fetchall()
    read = {word for (line,) in plan for word in line.split() if word.startswith("decision_2")}
    assert {name.removesuffix("_pkey") for name in read} == {PARTS[1]}


def test_months_are_added_once_and_one_that_came_too_late_is_left_where_it_is(database: Database) -> None:
    early = id_of(datetime(2031, 5, 5, tzinfo=UTC), 1)
    with tenant_transaction(database, "city") as connection:
        connection.execute(STORE, ("city", early, b"early"))
        add = "SELECT add_decision_months('2031-04-10', 3)"
        assert [connection.execute(add).fetchone() for _ in range(2)] == [(2,), (0,)]
        where = "SELECT tableoid::regclass::text FROM decision WHERE decision_id = %s"
        assert connection.execute(where, (early,)).fetchone() == ("decision_other",)
        connection.rollback()


@pytest.mark.parametrize(
    "change", ["UPDATE decision_key SET decision_id = gen_random_uuid()", "DELETE FROM decision_key"]
)
def test_a_key_is_never_given_to_another(database: Database, change: str) -> None:
    with (
        psycopg.connect(database.admin_url) as owner,
        pytest.raises(psycopg.DatabaseError, match="append-only"),
    ):
        owner.execute(change)


@pytest.mark.parametrize(
    "change", ["UPDATE {} SET outcome = 'approve'", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
@pytest.mark.parametrize("part", [PARTS[0], "decision_other"])
def test_a_part_is_append_only_as_the_whole(database: Database, part: str, change: str) -> None:
    with (
        psycopg.connect(database.admin_url) as owner,
        pytest.raises(psycopg.DatabaseError, match="append-only"),
    ):
        owner.execute(change.format(part))


def test_what_is_written_past_the_whole_waits_to_be_sealed_too(database: Database) -> None:
    name = id_of(datetime(2026, 2, 20, tzinfo=UTC), 77)
    with psycopg.connect(database.admin_url) as owner:
        owner.execute("SELECT set_config('yidai.tenant', 'city', true)")
        owner.execute(INSERT.replace("INTO decision", f"INTO {PARTS[2]}"), ("city", name, b"past", "approve"))
        found = owner.execute(
            "SELECT count(*) FROM receipt_unsealed WHERE decision_id = %s", (name,)
        ).fetchone()
        assert found == (1,)
        owner.rollback()


def test_nobody_reads_a_part_past_the_tenant(database: Database) -> None:
    with tenant_transaction(database, "other") as connection:
        found = connection.execute(
            "SELECT DISTINCT tenant_id FROM decision UNION SELECT tenant_id FROM decision_key"
        )
        assert found.fetchall() == [("other",)]
    for part in (*PARTS, "decision_other"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            tenant_transaction(database, "other") as connection,
        ):
            connection.execute(f"SELECT 1 FROM {part}")


def test_all_come_back_and_go_there_again(database: Database) -> None:
    before = everything(database)
    assert len(before["decision"]) == 6
    assert len(before["review_case"]) == 2
    down_to(database, "0022")
    assert everything(database) == before
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute(
            "SELECT to_regclass('decision_key'), to_regclass('decision_other')"
        ).fetchone() == (None, None)
    migrate(database)
    assert everything(database) == before
