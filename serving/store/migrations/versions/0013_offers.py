"""Offers with their lines and drawdowns, and the decisions that check them again."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    _run("0013_offers.sql")


def downgrade() -> None:
    """Links of the new kinds stay, and keep the old constraint from coming back for them."""
    _run("0013_offers_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
