"""What `yidai worker` and `yidai jobs` do: settings in, values out."""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection, Iterator

from serving.clock import wall_clock
from serving.process import logs
from serving.serve import open_store
from serving.settings import Settings
from serving.store.session import owner_transaction
from serving.work import repository
from serving.work.kinds import KINDS
from serving.work.live import LiveWatch
from serving.work.model import JobState, QueuedJob
from serving.work.worker import Worker


def run(settings: Settings, *, jobs: bool = True) -> None:
    """Until SIGTERM or SIGINT: the job that is being done then is finished first. Who waits to be watched is looked at
    meanwhile; without ``jobs`` nothing else is done.
    """
    logs.configure(settings)
    stop, database = threading.Event(), open_store(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    live = LiveWatch(settings, database)
    if not jobs:
        live.run(stop.is_set)
        return
    beside = threading.Thread(target=live.run, args=(stop.is_set,), name="watch")
    beside.start()
    try:
        Worker(settings, database, KINDS).run(stop.is_set)
    finally:
        stop.set()
        beside.join()


def drain(settings: Settings) -> Iterator[QueuedJob]:
    """Do all that is due now, look at all who wait to be watched, and end."""
    database = open_store(settings)
    yield from Worker(settings, database, KINDS).drain()
    for _ in LiveWatch(settings, database).drain():
        pass


def jobs(settings: Settings, states: Collection[JobState], most: int) -> list[QueuedJob]:
    """The latest jobs in these states, the newest first."""
    with owner_transaction(open_store(settings)) as connection:
        return repository.jobs(connection, states or tuple(JobState), most)


def retry(settings: Settings, job_id: int) -> None:
    """Let a dead job be done after all.

    Raises:
        UnknownJob: none that is dead.
    """
    with owner_transaction(open_store(settings)) as connection:
        repository.retry(connection, job_id, wall_clock())
