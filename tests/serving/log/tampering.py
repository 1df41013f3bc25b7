"""An owner of the database who goes past its guards."""

from __future__ import annotations

from uuid import UUID

from serving.log.model import Verification
from serving.store.session import owner_transaction
from tests.serving.log.ledger import Ledger

TABLES = (
    "decision",
    "decision_link",
    "receipt_unsealed",
    "log_leaf",
    "log_tile",
    "log_key",
    "log_checkpoint",
)
NAME = UUID("00000000-0000-7000-8000-000000000000")


def tampered(ledger: Ledger, *statements: str) -> None:
    """As the owner, past triggers and constraints."""
    with owner_transaction(ledger.database) as owner:
        owner.execute("SET session_replication_role = replica")
        for statement in statements:
            done = owner.execute(statement)
            assert done.rowcount, statement


def named(found: Verification) -> set[tuple[str, str]]:
    return {(one.part.value, one.place) for one in found.findings}


def sealed_at(ledger: Ledger, place: int) -> UUID:
    with owner_transaction(ledger.database) as owner:
        row = owner.execute("SELECT decision_id FROM log_leaf WHERE place = %s", (place,)).fetchone()
    assert row is not None
    return row[0]
