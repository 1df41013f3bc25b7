"""What a promotion rests on: the inventory of models, the evidence of versions, the gates that were looked at."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    _run("0009_governance.sql")


def downgrade() -> None:
    """Versions in force stay in force; what they rested on is gone."""
    _run("0009_governance_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
