"""A worker that dies before a step of its own: what every script of that kind begins with."""

from __future__ import annotations

COUNTED = """
import os, signal, sys
import psycopg
from asyncpg.pool import PoolConnectionProxy
from serving.settings import Settings
from serving.store.engine import open_database
from serving.work import kinds
from serving.work.model import JobKind
from serving.work.worker import Worker

left = int(sys.argv[1])

def counted(owner, *names):
    for name in names:
        count(owner, name)

def count(owner, name):
    step = getattr(owner, name)
    def take(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*given, **named)
    setattr(owner, name, take)

def work(*wanted):
    settings = Settings.load()
    return Worker(settings, open_database(settings), wanted)
"""
"""Each call of a function that is counted is a step; the process dies before the one with the number that it is given."""
