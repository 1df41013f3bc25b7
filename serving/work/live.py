"""The watcher of `yidai worker`: whoever a record concerns is looked at as soon as it is kept.

A batch is taken, looked at, recorded and taken off the queue in one transaction: who is killed anywhere leaves it to the next
as if nothing had been done. A notice that is lost is made up for by a look each second.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from features.errors import Unavailable, YidaiError
from features.timeline.lake import Lake
from serving.alerts.recording import Recorded
from serving.clock import wall_clock
from serving.decisions.live import NothingActive
from serving.settings import Settings
from serving.store.engine import Database
from serving.store.session import Connection, StoreUnavailable, owner_transaction, tenant_transaction
from serving.watch import queue
from serving.watch.asking import CHANNEL
from serving.watch.atonce import FeedNames, Moment, look_at
from serving.watch.inforce import InForce, in_force
from serving.watch.service import Watcher
from serving.work.model import back_off
from serving.work.waiting import LOOK, listening, sleep, wait

log = logging.getLogger("yidai.watch")
MOST = 128
"""Subjects that one transaction looks at."""
PAUSE = 0.05
"""Seconds after a batch in which others may come: a batch of many costs hardly more than one of a few."""


@dataclass(slots=True)
class LiveWatch:
    """Any number may run beside each other, in one process or in several."""

    settings: Settings
    database: Database
    clock: Callable[[], int] = wall_clock
    _known: dict[str, InForce] = field(default_factory=dict)
    _feeds: FeedNames | None = None

    def run(self, stopping: Callable[[], bool]) -> None:
        """Look until told to stop. Outages are waited out."""
        while not stopping():
            try:
                with listening(self.database, CHANNEL) as listener:
                    while not stopping():
                        for _ in self.drain(stopping):
                            time.sleep(PAUSE)
                        wait(listener, LOOK, stopping)
            except (StoreUnavailable, psycopg.OperationalError):
                log.warning("the store does not answer; trying again")
                sleep(stopping, 2)

    def drain(self, stopping: Callable[[], bool] = lambda: False) -> Iterator[Recorded]:
        """Look at all who are due, batch after batch."""
        with owner_transaction(self.database) as owner:
            tenants = queue.tenants_waiting(owner, self.clock())
        for tenant in tenants:
            while not stopping() and (done := self.batch(tenant)) is not None:
                yield done

    def batch(self, tenant: str) -> Recorded | None:
        """One batch of a tenant's; None where nobody is due, or others hold all who are."""
        try:
            return self._batch(tenant, MOST)
        except Unavailable:
            raise
        except Exception:
            log.exception("a batch could not be looked at; one by one")
        return self._apart(tenant)

    def _batch(self, tenant: str, most: int) -> Recorded | None:
        with tenant_transaction(self.database, tenant) as connection:
            taken = queue.take(connection, self.clock(), most)
            if not taken:
                return None
            done = self._look(connection, tenant, taken)
            queue.drop(connection, taken)
        return done

    def _apart(self, tenant: str) -> Recorded | None:
        """The first of them alone; one that fails alone waits longer each time, and the others go on."""
        with tenant_transaction(self.database, tenant) as connection:
            taken = queue.take(connection, self.clock(), 1)
            if not taken:
                return None
            try:
                with connection.transaction():
                    done = self._look(connection, tenant, taken)
            except Unavailable:
                raise
            except psycopg.OperationalError:
                raise
            except Exception as error:
                log.exception("a subject could not be looked at")
                told = error.code if isinstance(error, YidaiError) else type(error).__name__
                log.warning("waits to be looked at again", extra={"fields": {"because": told}})
                queue.postpone(connection, taken, self.clock() + back_off(taken[0].attempts + 1))
                return Recorded()
            queue.drop(connection, taken)
        return done

    def _look(self, connection: Connection, tenant: str, taken: Sequence[queue.Waiting]) -> Recorded:
        """Where nothing is in force there is nothing to look with: the next look at the whole book sees them."""
        now = self.clock()
        try:
            means = in_force(connection, now, self._known.get(tenant))
        except NothingActive:
            return Recorded()
        self._known[tenant] = means
        if self._feeds is None:
            self._feeds = FeedNames(Lake(self.settings.lake_root))
        watcher = Watcher(tenant, feeds=tenant == self.settings.tenant)
        moment = Moment(self.settings.seen_at(now), now)
        return look_at(connection, watcher, means, self._feeds, taken, moment)
