"""Who may open the console: passwords, identities of a provider, sessions, and what holds back who guesses."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    _run("0032_console.sql")


def downgrade() -> None:
    _run("0032_console_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
