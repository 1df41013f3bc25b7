"""Which sources are too poor to decide by."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _run("0007_trust.sql")


def downgrade() -> None:
    """`yidai quality --apply` fills it again."""
    _run("0007_trust_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
