"""Bring the schema to the version of this code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from serving.store.engine import Database
from serving.store.session import StoreUnavailable

_LOCK = 7420002


def migrate(database: Database) -> None:
    """Apply every migration that is missing; safe to run at once from several processes.

    Raises:
        StoreUnavailable: no connection, or it was lost; nothing or all was applied.
    """
    engine = create_engine(database.sqlalchemy_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError:
        raise StoreUnavailable from None
    finally:
        engine.dispose()


@cache
def head() -> str:
    """The last migration of this code."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def known(revision: str) -> bool:
    """Whether this code has that migration."""
    return revision in {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def is_current(database: Database) -> bool:
    """Whether no migration is missing."""
    engine = create_engine(database.sqlalchemy_url)
    try:
        with engine.connect() as connection:
            here = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    return here == head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config
