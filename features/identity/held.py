"""Records without a valid number, held until it is known who they are about; and people's personal texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.canonical import canonical_bytes
from features.contracts.model import Contract
from features.timeline.events import RawEvents, mix
from features.timeline.feed import CheckedFeed

Int64 = NDArray[np.int64]


class HeldRecord(msgspec.Struct, frozen=True):
    """One row that keeps its contract in all but the number; instants in µs, ``texts`` by field."""

    dataset: str
    columns: dict[str, int]
    valid_from: int
    valid_to: int
    known_from: int
    texts: dict[str, str]

    @property
    def content(self) -> bytes:
        """What two deliveries of one row have in common."""
        return canonical_bytes([self.dataset, self.columns, self.valid_from, self.known_from, self.texts])


class PersonalText(msgspec.Struct, frozen=True):
    """One personal text of a subject."""

    subject: int
    dataset: str
    field: str
    text: str


class TextVault(Protocol):
    """The part of a vault that keeps texts: under the subject's key, or a record's own while it is held."""

    def keep(self, texts: Sequence[PersonalText]) -> None:
        """Keep personal texts; keeping one twice changes nothing."""
        ...

    def texts(self) -> Iterable[PersonalText]:
        """Every personal text of subjects that are not erased."""
        ...

    def hold(self, records: Sequence[HeldRecord]) -> int:
        """Hold records without a number; returns how many were not held before."""
        ...


class Verdict(StrEnum):
    """What is said of a record and a subject."""

    PROPOSED = "proposed"
    """Likely, but not sure: a person has to look."""
    LINKED = "linked"
    REFUSED = "refused"
    UNDONE = "undone"
    """Was linked, wrongly; never to be linked again."""


def held_records(contract: Contract, feed: CheckedFeed) -> list[HeldRecord]:
    """The rows of a feed without numbers, as records."""
    return [
        HeldRecord(
            contract.dataset,
            {name: int(values[row]) for name, values in feed.columns.items()},
            int(feed.valid_from[row]),
            int(feed.valid_to[row]),
            int(feed.known_from[row]),
            {name: texts[row] for name, texts in feed.personal.items()},
        )
        for row in range(len(feed.numbers))
    ]


def texts_of(contract: Contract, feed: CheckedFeed, subject: Int64) -> list[PersonalText]:
    """The personal texts of a feed's rows, which are about these subjects [rows]."""
    return [
        PersonalText(int(who), contract.dataset, name, text)
        for name, texts in feed.personal.items()
        for who, text in zip(subject, texts, strict=True)
        if text
    ]


def events_of(
    contract: Contract, records: Sequence[HeldRecord], subjects: Sequence[int], version: int
) -> RawEvents:
    """Records as events of the subjects that they turned out to be about.

    They keep the feed's ``known_from``: that is when the department knew. That we did not yet know whose they
    were is told by ``version``: what was decided before pins a lower one and replays without them.
    """

    def column(values: Iterable[int]) -> Int64:
        return np.fromiter(values, np.int64, len(records))

    columns = {name: column(record.columns[name] for record in records) for name in contract.names}
    subject = column(subjects)
    key = mix([columns[name] for name in contract.key]) if contract.key else mix([subject])
    begin, end, known = (
        column(getattr(r, name) for r in records) for name in ("valid_from", "valid_to", "known_from")
    )
    return RawEvents(subject, begin, end, known, np.full(len(records), version), key, columns)


def registers(contracts: Mapping[str, Contract]) -> list[Contract]:
    """The contracts by which persons are recognised: with numbers, and all four parts of ``identity``."""
    return [c for c in contracts.values() if len(c.identity) == 4 and not c.unnumbered]
