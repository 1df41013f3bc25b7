"""Webhooks and operators' figures come to a store that is in use, and go again without touching what it holds."""

from __future__ import annotations

import psycopg
import pytest

from serving.store.engine import Database
from serving.store.migrate import _config, _revisions, head, is_current, known, migrate
from tests.serving.log.ledger import Ledger, new_ledger
from tests.serving.store.test_rights_migration import down_to

HELD = "SELECT count(*), md5(string_agg(receipt_hash::text, '' ORDER BY decision_id)) FROM decision"


@pytest.fixture(scope="module")
def ledger(store, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """With decisions, sealed."""
    made = new_ledger(store[1], "city", tmp_path_factory.mktemp("key"))
    made.decides(20)
    made.seal()
    return made


def held(database: Database) -> tuple:
    with psycopg.connect(database.admin_url) as owner:
        return owner.execute(HELD).fetchone()


def test_back_and_forth_keeps_every_decision_and_the_sealed_log(ledger: Ledger) -> None:
    database, before = ledger.database, held(ledger.database)
    down_to(database, "0019")
    assert not is_current(database)
    assert held(database) == before
    ledger.decides(3)
    with psycopg.connect(database.admin_url) as owner:
        names = "SELECT to_regclass('webhook_delivery'), to_regproc('operating_figures'), to_regproc('tell_webhooks')"
        assert owner.execute(names).fetchone() == (None, None, None)
    migrate(database)
    assert is_current(database)
    assert held(database)[0] == before[0] + 3
    ledger.seal()
    assert ledger.verify().findings == ()
    with psycopg.connect(database.admin_url) as owner:
        assert owner.execute("SELECT schema_version()").fetchone() == (head(),)


def test_the_files_are_one_line_of_numbers_as_alembic_reads_them() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_config())
    assert script.get_heads() == [head()]
    assert {each.revision for each in script.walk_revisions()} == _revisions()


def test_a_revision_is_known_or_not() -> None:
    assert known(head())
    assert known("0001")
    assert not known("9999")
