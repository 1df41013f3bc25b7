"""Single records before the lake, disputes, erasures."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _run("0002_records.sql")


def downgrade() -> None:
    """Records that are not in the lake yet are lost: flush before."""
    _run("0002_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
