"""How processes of a worker wait: until they are told of something, are to stop, or long enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from serving.store.engine import Database
from serving.store.session import Connection

LOOK = 1.0
"""Seconds that a wait lasts at most, so that a signal is seen."""


@contextmanager
def listening(database: Database, channel: str) -> Iterator[Connection]:
    """A connection that is told what comes in a channel."""
    with psycopg.connect(database.admin_url, connect_timeout=5, autocommit=True) as connection:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield connection


def wait(listener: Connection, seconds: float, stopping: Callable[[], bool]) -> None:
    """Until something was told, or so long."""
    while seconds > 0 and not stopping():
        if list(listener.notifies(timeout=min(seconds, LOOK), stop_after=1)):
            return
        seconds -= LOOK


def sleep(stopping: Callable[[], bool], looks: int) -> None:
    """So many looks long."""
    for _ in range(looks):
        if stopping():
            return
        time.sleep(LOOK)
