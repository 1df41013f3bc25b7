"""What an applicant may ask for: a person's look, a linked second decision, reports, statements, answers in writing."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    _run("0010_rights.sql")


def downgrade() -> None:
    """Decisions that a person made stay as rows; that they follow others is gone."""
    _run("0010_rights_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
