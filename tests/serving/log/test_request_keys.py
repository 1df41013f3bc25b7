"""An Idempotency-Key that was taken away or given to another decision is found: a retry would be decided once more."""

from __future__ import annotations

from serving.store.session import owner_transaction
from tests.serving.log.ledger import Ledger
from tests.serving.log.tampering import named, sealed_at, tampered


def test_a_key_that_is_gone_or_anothers_is_found(sealed_ledger: Ledger, kept) -> None:
    gone, moved, other = (sealed_at(sealed_ledger, place) for place in (20, 30, 40))
    with owner_transaction(sealed_ledger.database) as owner:
        before = owner.execute(
            "SELECT * FROM decision_key WHERE tenant_id = %s", (sealed_ledger.tenant,)
        ).fetchall()
    tampered(
        sealed_ledger,
        f"DELETE FROM decision_key WHERE decision_id = '{gone}'",
        f"UPDATE decision_key SET decision_id = '{other}' WHERE decision_id = '{moved}'",
    )
    found = sealed_ledger.verify()
    assert named(found) == {("decision", str(gone)), ("decision", str(moved))}
    assert {
        f"its key is kept for decision {other}",
        "its key is not kept: the same request would be decided again",
    } == {one.problem for one in found.findings}
    with owner_transaction(sealed_ledger.database) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("DELETE FROM decision_key WHERE tenant_id = %s", (sealed_ledger.tenant,))
        owner.cursor().executemany("INSERT INTO decision_key VALUES (%s, %s, %s)", before)
    assert sealed_ledger.verify().findings == ()
