"""A sealed log, and all of its rows again after whatever was done to them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving.log import repository
from serving.log.checkpoint import Checkpoint
from serving.store.session import owner_transaction, tenant_transaction
from tests.serving.log.ledger import Ledger, new_ledger
from tests.serving.log.tampering import TABLES


@pytest.fixture(scope="module")
def sealed_ledger(store, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """700 receipts, sealed by a hundred, five that wait, one decision that follows another; and a copy of all of it."""
    made = new_ledger(store[1], "city", tmp_path_factory.mktemp("key"))
    made.decides(700)
    with owner_transaction(made.database) as owner:
        owner.execute(
            "INSERT INTO decision_link (tenant_id, decision_id, parent_id, kind, about) SELECT 'city',"
            " min(decision_id::text)::uuid, max(decision_id::text)::uuid, 'person', gen_random_uuid() FROM decision"
        )
    assert made.seal(100) == 700
    made.decides(5)
    with owner_transaction(made.database) as owner:
        for table in TABLES:
            owner.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
    return made


@pytest.fixture
def kept(sealed_ledger: Ledger) -> Iterator[list[tuple[str, Checkpoint]]]:
    """What an outsider holds; after the test all rows are as they were."""
    with tenant_transaction(sealed_ledger.database, "city") as connection:
        found = repository.checkpoints(connection)
    yield [("kept.txt", found[-1])]
    with owner_transaction(sealed_ledger.database) as owner:
        owner.execute("SET session_replication_role = replica")
        for table in TABLES:
            owner.execute(f"DELETE FROM {table}")
            owner.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
