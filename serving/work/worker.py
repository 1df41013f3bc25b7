"""The loop of `yidai worker`: take what is due, do it, mark it, in one transaction a job.

A job that somebody does is locked by that process's transaction. When the process dies the lock goes with its
connection, and another takes the job: there is no lease to run out and no heartbeat to miss.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from features.errors import Unavailable, YidaiError
from features.timeline.lake import LakeBusy
from serving.clock import wall_clock
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection, StoreUnavailable, owner_transaction
from serving.work import repository
from serving.work.model import MOST_ATTEMPTS, JobKind, JobState, QueuedJob, Work, back_off
from serving.work.waiting import listening, sleep, wait

log = logging.getLogger("yidai.worker")
SECOND = 1_000_000
_BUSY = 2 * SECOND
"""After so long a job that found the lake or the store busy is tried again; that is no failure of its own."""
_IDLE = 60 * SECOND


@dataclass(frozen=True, slots=True)
class Worker:
    """Does jobs of these kinds; any number of workers may run beside each other."""

    settings: Settings
    database: Database
    kinds: Sequence[JobKind]
    clock: Callable[[], int] = wall_clock

    def drain(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[QueuedJob]:
        """Put what is due by itself there, then do job after job until none is due."""
        self._enqueue()
        while not stopping() and (ended := self._one()) is not None:
            yield ended

    def run(self, stopping: Callable[[], bool]) -> None:
        """Do jobs until told to stop; the one that is being done is finished first. Outages are waited out."""
        while not stopping():
            try:
                with listening(self.database, repository.CHANNEL) as listener:
                    self._serve(listener, stopping)
            except (StoreUnavailable, psycopg.OperationalError):
                log.warning("the store does not answer; trying again")
                sleep(stopping, 2)

    def _serve(self, listener: Connection, stopping: Callable[[], bool]) -> None:
        while not stopping():
            for ended in self.drain(stopping):
                if ended.state is not JobState.DONE:
                    log.warning("%s %s: %s", ended.kind, ended.state.value, ended.error)
            wait(listener, min(self._next() - self.clock(), _IDLE) / SECOND, stopping)

    @property
    def _wanted(self) -> list[JobKind]:
        return [kind for kind in self.kinds if kind.wanted(self.settings)]

    def _enqueue(self) -> None:
        now = self.clock()
        with owner_transaction(self.database) as connection:
            for kind in self._wanted:
                if period := kind.period(now):
                    repository.enqueue_period(connection, kind.name, period[0], now)

    def _next(self) -> int:
        """When there is something to do again, µs."""
        now = self.clock()
        ends = [period[1] for kind in self._wanted if (period := kind.period(now))]
        with owner_transaction(self.database) as connection:
            due = repository.next_due(connection, [kind.name for kind in self._wanted])
        soon = [now + SECOND if due <= now else due] if due is not None else []
        return min([*ends, *soon], default=now + _IDLE)

    def _one(self) -> QueuedJob | None:
        """Do one job that is due; None where there is none."""
        by_name = {kind.name: kind for kind in self._wanted}
        with owner_transaction(self.database) as connection:
            found = repository.take(connection, self.clock(), by_name)
            if found is None:
                return None
            job_id, kind, key, payload, before = found
            job = QueuedJob(job_id, kind, key, JobState.WAITING, 0, before + 1)
            if before >= MOST_ATTEMPTS:
                return self._failed(connection, job, "every process that began it died in it")
            with owner_transaction(self.database) as aside:
                repository.begin(aside, job_id, self.clock())
            work = Work(self.settings, self.database, connection, payload, self.clock())
            return self._do(connection, by_name[kind], job, work)

    def _do(self, connection: Connection, kind: JobKind, job: QueuedJob, work: Work) -> QueuedJob:
        try:
            with connection.transaction():
                result = kind.run(work)
        except (LakeBusy, Unavailable) as error:
            return self._later(connection, job, _BUSY, str(error), counts=False)
        except YidaiError as error:
            return self._failed(connection, job, str(error))
        except psycopg.OperationalError:
            raise
        except Exception as error:
            log.exception("%s failed", job.kind)
            return self._failed(connection, job, f"{type(error).__name__}: see the worker's log")
        repository.done(connection, job.job_id, self.clock(), result)
        return QueuedJob(job.job_id, job.kind, job.key, JobState.DONE, 0, job.attempts, work.now, result)

    def _failed(self, connection: Connection, job: QueuedJob, error: str) -> QueuedJob:
        if job.attempts < MOST_ATTEMPTS:
            return self._later(connection, job, back_off(job.attempts), error, counts=True)
        repository.die(connection, job.job_id, self.clock(), error)
        return QueuedJob(job.job_id, job.kind, job.key, JobState.DEAD, 0, job.attempts, error=error)

    def _later(
        self, connection: Connection, job: QueuedJob, wait: int, error: str, *, counts: bool
    ) -> QueuedJob:
        due = self.clock() + wait
        repository.later(connection, job.job_id, due, error, counts=counts)
        return QueuedJob(job.job_id, job.kind, job.key, JobState.WAITING, due, job.attempts, error=error)
