"""Bring the schema to the version of this code. Where it is there already, alembic is not even loaded: it takes a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from serving.store.engine import Database
from serving.store.session import owner_transaction

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 7420002
_FOLDER = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Apply every migration that is missing; safe to run at once from several processes.

    Raises:
        StoreUnavailable: no connection.
    """
    if is_current(database):
        return
    from alembic import command
    from sqlalchemy import create_engine, text

    engine = create_engine(database.sqlalchemy_url)
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


@cache
def head() -> str:
    """The last migration of this code: their files are numbered in one line."""
    return max(_revisions())


def known(revision: str) -> bool:
    """Whether this code has that migration."""
    return revision in _revisions()


def is_current(database: Database) -> bool:
    """Whether no migration is missing.

    Raises:
        StoreUnavailable: no connection.
    """
    with owner_transaction(database) as connection:
        try:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except psycopg.errors.UndefinedTable:
            connection.rollback()
            return False
    return found == (head(),)


def _revisions() -> set[str]:
    return {path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config
