"""Bitemporal events as sorted int64 columns, and which of them stand corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.calendar import NEVER

Int64 = NDArray[np.int64]
RETRACTED = -NEVER
"""The ``valid_to`` of a row that takes back the row under its key with the same ``known_from``."""
TAIL = 1 << 40
"""Versions above it are sequence numbers of records that came one by one: TAIL + 1, TAIL + 2, ..."""


@dataclass(frozen=True, slots=True)
class Pin:
    """How far a reader has seen: batches up to version ``lake``, single records up to number ``tail``."""

    lake: int
    tail: int = 0

    def sees(self, version: Int64) -> NDArray[np.bool_]:
        """Which rows of these versions had arrived."""
        return (version <= self.lake) | ((version > TAIL) & (version <= TAIL + self.tail))

    def joined(self, *others: Pin) -> Pin:
        """The farther of each: it sees what any of them sees."""
        pins = (self, *others)
        return Pin(max(pin.lake for pin in pins), max(pin.tail for pin in pins))

    @staticmethod
    def of(version: Int64) -> Pin:
        """The nearest pin that sees all of these versions."""
        live = version > TAIL
        tail = int(version[live].max()) - TAIL if live.any() else 0
        return Pin(int(version[~live].max()) if not live.all() else 0, tail)


@dataclass(frozen=True, slots=True)
class EventTable:
    """One dataset's events, all arrays int64 [n], sorted by subject, valid_from, known_from, version.

    An event is visible as of ``t`` where ``known_from <= t < known_to``. ``version`` is the ingest
    batch that brought it, or TAIL + the number of the single record; ``columns`` hold the contract's
    fields, ``NULL`` where absent.
    """

    subject: Int64
    valid_from: Int64
    valid_to: Int64
    known_from: Int64
    known_to: Int64
    version: Int64
    columns: Mapping[str, Int64]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.subject)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> EventTable:
        """The chosen events; the caller keeps the order."""
        return EventTable(
            self.subject[rows],
            self.valid_from[rows],
            self.valid_to[rows],
            self.known_from[rows],
            self.known_to[rows],
            self.version[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )

    def visible(self, as_of: int) -> EventTable:
        """The events that were known at ``as_of``, before or after they became true."""
        return self.take((self.known_from <= as_of) & (as_of < self.known_to))


@dataclass(frozen=True, slots=True)
class RawEvents:
    """Events as they were accepted, before corrections are applied; ``key`` is the natural key's hash."""

    subject: Int64
    valid_from: Int64
    valid_to: Int64
    known_from: Int64
    version: Int64
    key: Int64
    columns: Mapping[str, Int64]

    def resolve(self, pin: Pin | None = None) -> EventTable:
        """Apply corrections: a later row under the same key ends the earlier row's known time.

        Rows that ``pin`` does not see are as if they had never arrived. Between rows known at the same
        instant the later version stands. A retraction is never visible, and neither is what it takes back:
        only a reader whose pin is older still sees that.
        """
        raw = self if pin is None else self.take(pin.sees(self.version))
        order = raw.by_key()
        return raw.take(order).table(raw.stands_until(order)[order])

    def by_key(self) -> NDArray[np.intp]:
        """The order in which each row is followed by what corrects it."""
        return np.lexsort((self.version, self.known_from, self.key, self.subject))

    def stands_until(self, order: NDArray[np.intp]) -> Int64:
        """The end of each row's known time for a reader who sees all of them; ``order`` is that of ``by_key``."""
        subject, key, known_from = self.subject[order], self.key[order], self.known_from[order]
        ends = np.full(len(order), NEVER)
        same = (subject[1:] == subject[:-1]) & (key[1:] == key[:-1])
        ends[:-1][same] = known_from[1:][same]
        gone = self.valid_to[order] == RETRACTED
        ends[gone] = known_from[gone]
        out = np.empty(len(order), dtype=np.int64)
        out[order] = ends
        return out

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> RawEvents:
        """The chosen rows."""
        return RawEvents(
            self.subject[rows],
            self.valid_from[rows],
            self.valid_to[rows],
            self.known_from[rows],
            self.version[rows],
            self.key[rows],
            {name: values[rows] for name, values in self.columns.items()},
        )

    def table(self, known_to: Int64) -> EventTable:
        """These rows with the given ends of their known times, in the order of an ``EventTable``."""
        table = EventTable(
            self.subject,
            self.valid_from,
            self.valid_to,
            self.known_from,
            known_to,
            self.version,
            self.columns,
        )
        return sort_events(table)


def joined(left: RawEvents, right: RawEvents) -> RawEvents:
    """The rows of both, which have the same fields."""
    if not len(right.subject):
        return left

    def both(name: str) -> Int64:
        return np.concatenate([getattr(left, name), getattr(right, name)])

    columns = {name: np.concatenate([values, right.columns[name]]) for name, values in left.columns.items()}
    return RawEvents(
        both("subject"), both("valid_from"), both("valid_to"), both("known_from"), both("version"), both("key"),
        columns,
    )  # fmt: skip


def pin_of(tables: Iterable[EventTable]) -> Pin:
    """The nearest pin that sees every event of these tables."""
    return Pin(0).joined(*(Pin.of(table.version) for table in tables if len(table)))


def sort_events(table: EventTable) -> EventTable:
    """The same events in the order that ``EventTable`` promises."""
    keys = (table.version, table.known_from, table.valid_from, table.subject)
    return table.take(np.lexsort(keys))


def empty_table(fields: Sequence[str]) -> EventTable:
    """A dataset that holds nothing."""
    none = np.empty(0, dtype=np.int64)
    return EventTable(none, none, none, none, none, none, dict.fromkeys(fields, none))


def empty_raw(fields: Sequence[str]) -> RawEvents:
    """A dataset that holds nothing, before corrections."""
    none = np.empty(0, dtype=np.int64)
    return RawEvents(none, none, none, none, none, none, dict.fromkeys(fields, none))


def mix(columns: Sequence[Int64]) -> Int64:
    """A 64-bit hash of each row over these columns (splitmix64 finaliser, Steele et al. 2014).

    Each column's place and their number take part, so that a hash may be a column of another hash.
    """
    length = len(columns[0])
    state = np.full(length, 0x9E3779B97F4A7C15, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for place, column in enumerate(columns, start=len(columns) << 8):
            state = state * np.uint64(2 * place + 1) + column.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state.view(np.int64)
