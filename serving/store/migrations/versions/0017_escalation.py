"""Cases and disputes that are late are raised."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    _run("0017_escalation.sql")


def downgrade() -> None:
    _run("0017_escalation_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
