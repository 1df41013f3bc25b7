"""A tenant with decisions that nobody made: the log asks only for their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.access.model import Permission, Role
from serving.access.repository import actor_of, create_tenant, create_token
from serving.log.checkpoint import Checkpoint, Signer
from serving.log.model import Verification
from serving.log.sealing import seal
from serving.log.verify import verify
from serving.store.engine import Database
from serving.store.session import Connection, owner_transaction

NOW = 1_750_000_000_000_000
ROWS = """
INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id, decided_at,
                      outcome, answer, receipt, receipt_hash)
SELECT %(tenant)s::text, md5(%(tenant)s::text || n)::uuid, sha256(n::text::bytea), 'd', n, gen_random_uuid(), gen_random_uuid(),
       %(now)s::bigint + n, 'approve', ('{"n":' || n || '}')::bytea, r.receipt, sha256(r.receipt)
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n,
     LATERAL (SELECT decode(repeat(md5(n::text), %(size)s::int), 'hex') AS receipt) r"""


KEYS = """
INSERT INTO decision_key SELECT tenant_id, key_hash, decision_id FROM decision WHERE tenant_id = %(tenant)s
ON CONFLICT DO NOTHING"""


@dataclass
class Ledger:
    """A tenant's log. ``key`` is the file of its signing key."""

    database: Database
    tenant: str
    key: Path
    origin: str = "yidai/test"
    made: int = 0

    def decides(self, count: int, size: int = 4) -> None:
        """So many more decisions, whose receipts have ``size`` times 16 bytes."""
        with owner_transaction(self.database) as owner:
            self.insert(owner, count, size)

    def insert(self, connection: Connection, count: int, size: int = 4) -> None:
        """So many more in somebody's transaction."""
        first, self.made = self.made + 1, self.made + count
        given = {"tenant": self.tenant, "now": NOW, "first": first, "last": self.made, "size": size}
        connection.execute(ROWS, given)
        if connection.execute("SELECT to_regclass('decision_key')").fetchone() != (None,):
            connection.execute(KEYS, given)

    def seal(self, batch: int = 4096) -> int:
        """Everything that waits."""
        return seal(self.database, self.tenant, Signer.open(self.key), self.origin, NOW, batch)

    def verify(self, kept: Sequence[tuple[str, Checkpoint]] = (), token: str = "") -> Verification:
        """As an auditor of the tenant."""
        token = token or create_token(self.database, self.tenant, "auditor", [Role.AUDITOR], NOW)
        authority = actor_of(self.database, token, NOW).allowed(Permission.READ_LOG)
        return verify(self.database, authority, kept, lambda *_: None, NOW + 60_000_000)


def new_ledger(database: Database, tenant: str, folder: Path) -> Ledger:
    """One without decisions."""
    create_tenant(database, tenant, tenant, NOW)
    return Ledger(database, tenant, folder / f"{tenant}.key")
