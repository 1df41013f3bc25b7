"""The server's process, or the first of several: it loads no more of the API than it answers itself."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from features.errors import Invalid, Unavailable
from serving.access.repository import create_tenant
from serving.clock import wall_clock
from serving.process import logs
from serving.process.metrics import share
from serving.settings import Settings
from serving.store.engine import Database, open_database
from serving.store.migrate import migrate

if TYPE_CHECKING:
    from fastapi import FastAPI


class PortInUse(Unavailable):
    """Somebody listens there already."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"{host}:{port} is in use.",
            place="YIDAI_PORT",
            remedy="Stop the other process, or take another port: YIDAI_PORT=8101.",
        )


class WrongAddress(Invalid):
    """An address on which this machine cannot listen."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host!r} is no address of this machine.",
            place="YIDAI_HOST",
            remedy="Take 127.0.0.1 or 0.0.0.0.",
        )


def open_migrated(settings: Settings) -> Database:
    """The settings' database with this code's schema."""
    database = open_database(settings)
    migrate(database)
    return database


def open_store(settings: Settings) -> Database:
    """The database, started, migrated, with the settings' tenant in it. May be run again.

    Raises:
        ServerDown: it cannot be reached or started.
    """
    database = open_migrated(settings)
    create_tenant(database, settings.tenant, settings.tenant, wall_clock())
    return database


def run(settings: Settings, store: Callable[[Settings], Database] = open_migrated) -> None:
    """Serve until stopped over the database that ``store`` opens, in as many processes as the settings say.

    Raises:
        PortInUse, WrongAddress: before anything is started.
        ServerDown: no database.
    """
    probe(settings.host, settings.port)
    database = store(settings)
    several = settings.workers > 1
    logs.configure(settings)
    if several:
        share(settings.home)
    import uvicorn  # noqa: PLC0415 - commands that serve nothing load none of it

    uvicorn.run(
        "serving.app:of_environment" if several else _app(settings, database), factory=several,
        workers=settings.workers if several else None, host=settings.host, port=settings.port, loop="uvloop",
        http="httptools", access_log=False, log_config=None, server_header=False, timeout_graceful_shutdown=10,
    )  # fmt: skip


def _app(settings: Settings, database: Database) -> FastAPI:
    from serving.app import create_app  # noqa: PLC0415 - two seconds, which the first of several processes saves

    return create_app(settings, database)


def probe(host: str, port: int) -> None:
    """Refuse an address on which nobody could listen.

    Raises:
        PortInUse, WrongAddress.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise PortInUse(host, port) from None
        raise WrongAddress(host) from None
