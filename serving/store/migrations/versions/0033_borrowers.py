"""The reason that a person gave for a look at what is hidden, and all alerts of a borrower."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    _run("0033_borrowers.sql")


def downgrade() -> None:
    _run("0033_borrowers_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
