"""One alert a loan and signal with what was seen of it from point to point, its events, and the borrower's case."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    _run("0024_alerts.sql")


def downgrade() -> None:
    _run("0024_alerts_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
