"""Personal texts, records without a number, and what is said of them."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    _run("0003_identity.sql")


def downgrade() -> None:
    """Held records that are not linked are lost: resolve before."""
    _run("0003_identity_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
