"""What has to be done beside answering."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _run("0008_jobs.sql")


def downgrade() -> None:
    """The workers of this code fill it again."""
    _run("0008_jobs_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
