"""Limits that several decisions share: reserved with the decision, and who shares a household's with whom."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _run("0012_limits.sql")


def downgrade() -> None:
    _run("0012_limits_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
