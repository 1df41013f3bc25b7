"""The sealed log: leaves, tiles, checkpoints and their keys, and which receipts wait to be sealed."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    _run("0015_log.sql")


def downgrade() -> None:
    _run("0015_log_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
