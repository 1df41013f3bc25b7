"""Bytes as they are, and what the store holds of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import httpx

from serving.store.session import owner_transaction
from tests.serving.world import Bank, Client

LIMIT = 65_536
TABLES = ("decision", "consent", "subject_timeline", "audit_log", "budget")


def counts(bank: Bank) -> dict[str, int]:
    """Rows by table, of all tenants."""
    with owner_transaction(bank.database) as owner:
        return {name: int(owner.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in TABLES}


def send(client: Client, body: bytes | Iterator[bytes], path: str = "/v1/decisions") -> httpx.Response:
    """Bytes as they are."""
    headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
    return client.ask("POST", path, content=body, headers=headers)
