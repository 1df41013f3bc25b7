"""How long a row may be seen: the retention of its contract, and whose rows are gone for ever."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, NEVER, NULL, month_index, month_start
from features.contracts.model import Contract, FieldType, History, SubjectKind
from features.timeline.events import RETRACTED, EventTable, Int64, Pin, RawEvents

_NUMBERS = {FieldType.ID_NUMBER, FieldType.USCC}
_FURTHEST = np.iinfo(np.int64).max // 4
"""About the year 75,000: what ends later never ends."""


def standing(contract: Contract, raw: RawEvents, pin: Pin | None = None) -> EventTable:
    """The events of accepted rows: corrections applied, and nothing to be seen past its retention.

    This is the one place where retention is enforced on reading: from its expiry on an event is as one that
    was taken back, so that no reader as of a later date can meet it (REG-CR-04).
    """
    if not len(raw.subject):  # as of most datasets for one subject
        none = raw.subject
        return EventTable(none, raw.valid_from, raw.valid_to, raw.known_from, none, raw.version, raw.columns)
    table = raw.resolve(pin)
    gone = expiry(contract, table.valid_from, table.valid_to)
    if (table.known_to <= gone).all():
        return table
    return replace(table, known_to=np.minimum(table.known_to, gone))


def expiry(contract: Contract, valid_from: Int64, valid_to: Int64) -> Int64:
    """The instant from which each row may not be seen any more, int64 [n]; NEVER where it is kept.

    The contract's months count from the end of what a row tells. Where rows have an end, one that has not
    ended is kept; where they have none they are of one moment. What has no time of its own is kept.
    """
    times = contract.times
    if contract.history is History.STATIC or times.valid_from.constant is not None:
        return np.full(len(valid_from), NEVER)
    end = valid_to if times.valid_to else valid_from
    return months_after(end, contract.retention_months)


def uncorrected(contract: Contract, table: EventTable) -> EventTable:
    """The events on which nothing later was said, whether or not they have aged since."""
    return table.take(table.known_to >= expiry(contract, table.valid_from, table.valid_to))


def months_after(moments: Int64, months: int) -> Int64:
    """The same day and clock time so many months later, clamped to the month's last day; NEVER stays."""
    kept = np.abs(moments) < _FURTHEST
    begin = np.where(kept, moments, 0)
    month = month_index(begin)
    target = month_start(month + months)
    last = month_start(month + months + 1) - DAY - target
    day, clock = np.divmod(begin - month_start(month), DAY)
    return np.where(kept, target + np.minimum(day * DAY, last) + clock, NEVER)


def expired(contract: Contract, raw: RawEvents, now: int) -> NDArray[np.bool_]:
    """Rows that nobody who reads as of ``now`` or later can see, bool [n].

    A record goes with all its corrections or not at all: without the last word on it an earlier one would
    stand again.
    """
    order = np.lexsort((raw.version, raw.known_from, raw.key, raw.subject))
    subject, key = raw.subject[order], raw.key[order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (subject[1:] != subject[:-1]) | (key[1:] != key[:-1])
    last = np.append(np.flatnonzero(first)[1:] - 1, len(order) - 1) if len(order) else order
    rows = order[last]
    end = np.where(raw.valid_to[rows] == RETRACTED, raw.valid_from[rows], raw.valid_to[rows])
    gone = expiry(contract, raw.valid_from[rows], end) <= now
    gone &= raw.known_from[rows] <= now
    out = np.zeros(len(order), dtype=bool)
    out[order] = np.repeat(gone, np.diff(np.append(np.flatnonzero(first), len(order))))
    return out


def linked_fields(contract: Contract) -> tuple[str, ...]:
    """The fields that hold other subjects, or the household that somebody is a member of."""
    places = {link.field for link in contract.links}
    return tuple(f.name for f in contract.fields if f.type in _NUMBERS or f.name in places)


def named_fields(contract: Contract) -> tuple[str, ...]:
    """The fields that hold subjects whom the vault knows: a household's number is a code, and nobody's name."""
    households = {link.field for link in contract.links if link.to is SubjectKind.HOUSEHOLD}
    return tuple(name for name in linked_fields(contract) if name not in households)


def forget(contract: Contract, raw: RawEvents, erased: Int64) -> RawEvents:
    """The rows without those of erased subjects, and without what leads to one."""
    if not len(erased):
        return raw
    kept = raw.take(~np.isin(raw.subject, erased))
    cleared = {
        name: np.where(np.isin(kept.columns[name], erased), NULL, kept.columns[name])
        for name in linked_fields(contract)
    }
    return replace(kept, columns={name: cleared.get(name, kept.columns[name]) for name in kept.columns})
