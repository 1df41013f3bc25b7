"""A look at a few borrowers at once: what the nightly run does of all of them, of these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.consent import Access, Purpose
from features.timeline.door import Door, MemoryLog
from features.timeline.events import Int64
from features.timeline.lake import Lake
from features.timeline.narrow import NarrowDoor
from serving.alerts.neighbours import neighbours
from serving.alerts.recording import Recorded
from serving.alerts.seeing import Seen, record_seen
from serving.consents.repository import of_purpose
from serving.records.tail import CommandTail
from serving.store.access_log import CommandLog, merged
from serving.store.session import Connection
from serving.watch import queue
from serving.watch.around import Around
from serving.watch.book import Book, fed, granted
from serving.watch.evaluate import Outcome
from serving.watch.inforce import InForce
from serving.watch.service import Watcher, look

_OPEN = """
SELECT DISTINCT loan FROM alert WHERE scope = 'loan' AND state <> 'released' AND subject_id = ANY (%s) ORDER BY loan"""


@dataclass(slots=True)
class FeedNames:
    """Loans of the lake's feeds by code, read again where there are more."""

    lake: Lake
    _stamp: tuple[int, ...] = ()
    _found: dict[int, str] = field(default_factory=dict)

    def now(self) -> dict[int, str]:
        """All that there are."""
        stamp = tuple(
            path.stat().st_mtime_ns if path.exists() else 0
            for path in (self.lake.root / "_names" / f"{name}.loan_id" for name in ("loan", "loan_grant"))
        )
        if stamp != self._stamp:
            self._found, self._stamp = fed(self.lake), stamp
        return self._found


@dataclass(frozen=True, slots=True)
class Moment:
    """``at`` is the moment as of which is looked, ``clock`` that of the clock, both µs."""

    at: int
    clock: int


@dataclass(frozen=True, slots=True)
class Near:
    """Whom a look reads: the borrowers whose alerts it tells of, and who guarantees for them."""

    borrowers: Int64
    guarantors: Int64

    @property
    def everybody(self) -> Int64:
        """All of them."""
        return np.union1d(self.borrowers, self.guarantors)


def look_at(
    connection: Connection,
    watcher: Watcher,
    means: InForce,
    feeds: FeedNames,
    waiting: Collection[queue.Waiting],
    moment: Moment,
) -> Recorded:
    """Bring the alerts up to date that records about these may change, in the caller's transaction.

    Of guarantors so much is read as the signals on those for whom they guarantee ask; nothing is told of their own loans.
    What an alert of a village is of is left to the look at the whole book.
    """
    root, tail, log = feeds.lake.root, CommandTail.looked(connection), MemoryLog()
    access = Access(watcher.actor, Purpose.UPKEEP, watcher.tenant, moment.clock)
    around = Around(connection, means.reading.whole, Door(Lake(root, tail), access, log))
    borrowers = around.concerned(_subjects(waiting))
    near = Near(borrowers, around.guarantors(borrowers))
    consents = tuple(of_purpose(connection, Purpose.POST_LOAN_MANAGEMENT, near.everybody))
    access = replace(access, purpose=Purpose.POST_LOAN_MANAGEMENT, consents=consents)
    door = NarrowDoor(root, tail, access, log, near.everybody)
    named = granted(connection, near.everybody) | (feeds.now() if watcher.feeds else {})
    seen = _seen(connection, means, door, named, near, moment)
    queue.watch(connection, _watched(around, near, _subjects(w for w in waiting if w.of_book)), moment.clock)
    done = record_seen(connection, watcher.tenant, seen)
    kept = CommandLog(connection, watcher.tenant)
    for entry in merged(log.entries):
        kept.write(entry)
    return done


def _subjects(waiting: Iterable[queue.Waiting]) -> Int64:
    return np.unique(np.array([each.subject for each in waiting], dtype=np.int64))


def _seen(
    connection: Connection, means: InForce, door: Door, named: Mapping[int, str], near: Near, moment: Moment
) -> Seen:
    """The loans of the borrowers; a loan with an alert that is not open any more is told to have ended."""
    own = np.fromiter(named, dtype=np.int64, count=len(named))
    book, outcome = look(means.plan, means.signals, door, moment.at, reading=means.reading, own=own)
    book, outcome = only(book, outcome, np.isin(book.subject, near.borrowers))
    names = tuple(named[code] for code in book.loan.tolist())
    rows = connection.execute(_OPEN, (near.borrowers.tolist(),)).fetchall()
    ended = tuple(str(loan) for (loan,) in rows if loan not in names)
    beside = neighbours(means.plan, door, book, moment.at)
    return Seen(book, outcome, names, means.digest, moment.at, moment.clock, False, beside, ended)


def only(book: Book, outcome: Outcome, rows: NDArray[np.bool_]) -> tuple[Book, Outcome]:
    """The chosen loans, bool [loans], and what was said of them."""
    place = np.cumsum(rows) - 1
    hits = tuple(replace(hit, row=int(place[hit.row])) for hit in outcome.hits if rows[hit.row])
    blind = {signal: each[rows] for signal, each in outcome.blind.items()}
    return book.take(rows), replace(outcome, hits=hits, blind=blind)


def _watched(around: Around, near: Near, told: Int64) -> Int64:
    """Whom else to watch now that the book tells of these: guarantors, and what views show."""
    if not len(told):
        return told
    return around.near(np.intersect1d(told, near.borrowers))
