"""Lists of subjects as approved documents, and versions that are to begin on a later day, until they are called off."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    _run("0011_policies.sql")


def downgrade() -> None:
    """Lists and activations that never began stay, and keep the old constraints from coming back for them."""
    _run("0011_policies_back.sql")


def _run(name: str) -> None:
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(Path(__file__).with_name(name).read_text(encoding="utf-8"))
