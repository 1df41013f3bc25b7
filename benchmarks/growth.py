"""Whether decisions take longer the more of them are stored: latency under an open load over a small and a large table.

The stored ones are rows of the same tenant with the keys and ids of real ones (random keys, ids by time) and short
bodies, written by the database itself; what is measured are whole decisions over HTTP, as ``benchmarks.serve`` makes them.

    python -m benchmarks.growth [--quick] [--home FOLDER] [--json]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import msgspec

from benchmarks.common import finish
from benchmarks.load import Load, loaded
from benchmarks.serve import plan_of
from benchmarks.serving_bank import consents, prepare, promise_nothing, served
from serving.access.model import Role
from serving.settings import Settings
from serving.store.engine import open_database, stop_embedded
from serving.store.session import owner_transaction

RATE = 100.0
"""Requests a second: little enough that none waits for another."""
_FILL = """
INSERT INTO decision (tenant_id, decision_id, key_hash, request_digest, subject_id, consent_id, actor_id, decided_at,
                      outcome, answer, receipt, receipt_hash)
SELECT %(tenant)s, uuidv7(), sha256(uuid_send(gen_random_uuid())), sha256(''), n %% 200000, gen_random_uuid(),
       gen_random_uuid(), 1700000000000000 + n, 'approve', 'filled', 'filled', sha256('filled')
FROM generate_series(1, %(count)s) n"""
_KEYS = """
INSERT INTO decision_key SELECT tenant_id, key_hash, decision_id FROM decision
WHERE answer = 'filled' ON CONFLICT DO NOTHING"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="10,000 and 200,000 stored ones, shorter loads")
    parser.add_argument("--home", type=Path, help="a folder that keeps the prepared bank for the next run")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    stored, seconds = ((10_000, 200_000), 6.0) if options.quick else ((100_000, 5_000_000), 20.0)
    with tempfile.TemporaryDirectory(prefix="yidai-bench-") as scratch:
        settings, tokens, numbers = prepare(options.home or Path(scratch), 1_000)
        try:
            found = [
                measured(
                    settings, tokens[Role.INTEGRATION_ENGINEER], numbers[:400], count, seconds, Path(scratch)
                )
                for count in stored
            ]
        finally:
            stop_embedded(settings)
    small, large = found
    figures = {
        f"{name}.p{share * 100:g}_ms": load.quantile(share)
        for name, load in (("small", small), ("large", large))
        for share in (0.5, 0.9, 0.99)
    }
    ratios = {f"p{share * 100:g}": large.quantile(share) / small.quantile(share) for share in (0.5, 0.99)}
    sizes = {"small": stored[0], "large": stored[1], "rate": RATE, "seconds": seconds}
    finish("growth", sizes, figures, ratios, as_json=options.json)


def measured(
    settings: Settings, token: str, numbers: list[str], count: int, seconds: float, scratch: Path
) -> Load:
    """A load on a store that holds so many decisions."""
    fill(settings, count)
    with served(settings, token) as (api, _):
        plan = plan_of(api, consents(api, settings.tenant, numbers), seconds)
        loaded(msgspec.structs.replace(plan, seconds=3.0, rate=RATE), scratch)
        promise_nothing(settings)
        return loaded(msgspec.structs.replace(plan, rate=RATE), scratch)


def fill(settings: Settings, count: int) -> None:
    """Bring the decisions of the tenant to so many."""
    with owner_transaction(open_database(settings)) as owner:
        row = owner.execute("SELECT count(*) FROM decision").fetchone()
        assert row is not None
        owner.execute("SET LOCAL session_replication_role = replica")  # no case and no place in the log
        if count > row[0]:
            owner.execute(_FILL, {"tenant": settings.tenant, "count": count - row[0]})
            owner.execute(_KEYS)
    with owner_transaction(open_database(settings)) as owner:
        owner.execute("ANALYZE decision, decision_key")


if __name__ == "__main__":
    main()
