"""The one door to the timeline: nothing is read without a purpose and a ground, and every read is written down."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.consent import Access, Consent, Verdict, may_read
from features.contracts.model import Contract
from features.errors import Forbidden
from features.matrix import Missing
from features.timeline.events import EventTable, Int64, Pin, RawEvents
from features.timeline.lake import Lake
from features.timeline.views import Seen, views

FILE = "_access.ndjson"
"""The access log of a lake that is read without a store."""


class NotAllowed(Forbidden):
    """A dataset that this purpose may not read."""

    def __init__(self, contract: Contract, access: Access, verdict: Verdict) -> None:
        super().__init__(
            f"{contract.dataset} (category {contract.consent_category}) may not be read for "
            f"{access.purpose.value}: {verdict.problem}",
            place=contract.dataset,
            remedy=f"It takes a live consent to {contract.consent_category} for {access.purpose.value}, or a basis "
            f"under `bases` in the dataset's contract.",
            code=f"read_{verdict.refusal.value if verdict.refusal else 'refused'}",
        )


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One read: who, when, what and why (REG-CR-10). ``subjects`` is None where everybody's records were read; ``reason`` is a
    person's own words where more than a purpose is asked of it.
    """

    at: int
    actor: str
    recipient: str
    purpose: str
    datasets: tuple[str, ...]
    categories: tuple[str, ...]
    bases: tuple[str, ...]
    consents: tuple[UUID, ...]
    left_out: tuple[str, ...]
    subjects: tuple[int, ...] | None
    reason: str = ""


class AccessLog(Protocol):
    """Where reads are written down."""

    def write(self, entry: Entry) -> None:
        """Keep an entry; a read whose entry cannot be kept does not happen."""


class MemoryLog:
    """Entries in memory, for a lake that ends with the run or until somebody stores them."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def write(self, entry: Entry) -> None:
        """See ``AccessLog.write``."""
        self.entries.append(entry)


@dataclass(frozen=True, slots=True)
class FileLog:
    """Entries as lines of a file beside the lake, for commands that run without a store."""

    root: Path

    def write(self, entry: Entry) -> None:
        """See ``AccessLog.write``."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / FILE).open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")

    def entries(self) -> list[Entry]:
        """All that was written, oldest first."""
        path = self.root / FILE
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Entry) for line in lines]


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, and the datasets and views that were left out."""

    tables: dict[str, EventTable]
    left_out: dict[str, Missing]


@dataclass(frozen=True, slots=True)
class Share:
    """Some subjects who allow the same datasets: their places in what was asked, and the rest left out."""

    rows: NDArray[np.intp]
    left_out: dict[str, Missing]


class Door:
    """Reads a lake for one purpose. Where a dataset may not be read it is left out, or refused if it is ``needed``.

    Every read raises ``NotAllowed`` for a needed dataset, before anything is read.
    """

    def __init__(self, lake: Lake, access: Access, log: AccessLog) -> None:
        self._lake = lake
        self._access = access
        self._log = log

    def whole(
        self,
        contracts: Mapping[str, Contract],
        names: Iterable[str],
        seers: Int64 | None = None,
        *,
        pin: Pin | None = None,
        needed: Collection[str] = (),
    ) -> Read:
        """The named datasets and views of everybody: on a stated basis only, for no consent is everybody's."""
        wanted = sorted({*names, *needed})
        found = {name: self._verdict(contracts, name, None) for name in wanted}
        left_out = self._left_out(contracts, found, needed)
        allowed = [name for name in wanted if name not in left_out]
        self._note(contracts, found, None)
        return Read(self._lake.tables(contracts, allowed, seers, pin=pin), left_out)

    def events(self, contract: Contract, *, pin: Pin | None = None) -> EventTable:
        """One dataset of everybody, needed."""
        read = self.whole({contract.dataset: contract}, (), pin=pin, needed=[contract.dataset])
        return read.tables[contract.dataset]

    def admit(
        self, contracts: Mapping[str, Contract], names: Iterable[str], subjects: Int64
    ) -> tuple[Lake, dict[str, Missing]]:
        """The lake for a read by buckets, which is written down as one, and what it must leave out."""
        found = {name: self._verdict(contracts, name, None) for name in sorted(set(names))}
        self._note(contracts, found, np.unique(subjects).tolist())
        return self._lake, self._left_out(contracts, found, ())

    def subject(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        *,
        pin: Pin | None = None,
        names: Iterable[str] = (),
        needed: Collection[str] = (),
    ) -> Read:
        """Every dataset of one subject that may be read, also the empty ones, with the views in ``names``."""
        known, chosen = views(contracts), set(names)
        wanted = sorted({*contracts, *(chosen & known.keys()), *(n for n, v in known.items() if v.own)})
        found = {name: self._verdict(contracts, name, subject) for name in wanted}
        left_out = self._left_out(contracts, found, needed)
        readable = {name: contract for name, contract in contracts.items() if name not in left_out}
        self._note(contracts, found, [subject])
        tables = self._lake.own_tables(readable, subject, pin=pin)
        seen = self._lake.seen(contracts, subject, chosen - left_out.keys(), pin=pin)
        tables |= {name: each.table for name, each in seen.items() if name not in left_out}
        return Read(tables, left_out)

    def shares(
        self, contracts: Mapping[str, Contract], names: Iterable[str], subjects: Int64
    ) -> tuple[dict[str, EventTable], list[Share]]:
        """Datasets of many subjects, each cut to those who allow it, and the subjects by what they allow."""
        wanted, people = sorted(set(names)), np.unique(subjects)
        consents: dict[int, list[Consent]] = {}
        for consent in self._access.consents:
            consents.setdefault(consent.subject_id, []).append(consent)
        without = {name: self._decide(contracts, name, ()) for name in wanted}
        found = {
            who: {name: self._decide(contracts, name, consents[who]) for name in wanted}
            if who in consents
            else without
            for who in people.tolist()
        }
        kinds: dict[tuple[str, ...], list[int]] = {}
        for who, verdicts in found.items():
            kinds.setdefault(tuple(n for n, one in verdicts.items() if not one.allowed), []).append(who)
        tables: dict[str, EventTable] = {}
        for name in wanted:
            allowing = np.array(
                [w for gone, group in kinds.items() if name not in gone for w in group], np.int64
            )
            if len(allowing):
                tables |= self._cut(contracts, name, np.sort(allowing))
        self._note_many(contracts, found)
        return tables, [
            Share(np.flatnonzero(np.isin(subjects, group)), dict.fromkeys(gone, Missing.NOT_AUTHORISED))
            for gone, group in sorted(kinds.items())
        ]

    def delivered(self, dataset: str) -> bool:
        """Whether anything of a dataset, or of what a view shows, has ever come; nobody's record is read for it."""
        return self._lake.delivered(dataset.partition("@")[0])

    def seen(
        self,
        contracts: Mapping[str, Contract],
        subject: int,
        names: Iterable[str],
        *,
        pin: Pin | None = None,
        at: int | None = None,
    ) -> dict[str, Seen]:
        """The views in ``names`` of one subject and its registers of firms, as far as the subject allows their
        datasets; see ``ViewReader.of``.
        """
        known = views(contracts)
        wanted = {*names} & known.keys() | {name for name, view in known.items() if view.own}
        found = {name: self._verdict(contracts, name, subject) for name in sorted(wanted)}
        allowed = [name for name, verdict in found.items() if verdict.allowed]
        self._note(contracts, found, [subject])
        seen = self._lake.seen(contracts, subject, allowed, pin=pin, at=at)
        return {name: each for name, each in seen.items() if name in allowed}

    def seers(self, contracts: Mapping[str, Contract], names: Iterable[str], subject: int) -> frozenset[int]:
        """Whose views among ``names`` show this subject's events."""
        known = views(contracts)
        sources = {known[name].source for name in names if name in known}
        found = {name: self._verdict(contracts, name, subject) for name in sorted(sources)}
        self._left_out(contracts, found, sources)
        self._note(contracts, found, [subject])
        return self._lake.relatives(contracts, names, subject)

    def rows(self, contract: Contract, subjects: list[int], by: str = "subject") -> RawEvents:
        """Accepted rows as they stand, needed, whose column is one of these subjects or groups."""
        name = contract.dataset
        found = {name: self._verdict({name: contract}, name, None)}
        self._left_out({name: contract}, found, [name])
        self._note({name: contract}, found, subjects if by == "subject" else [])
        return self._lake.raw(contract, subjects, by)

    def _verdict(self, contracts: Mapping[str, Contract], name: str, subject: int | None) -> Verdict:
        return self._decide(contracts, name, () if subject is None else self._access.of(subject))

    def _decide(self, contracts: Mapping[str, Contract], name: str, consents: Iterable[Consent]) -> Verdict:
        access = self._access
        contract = contracts[name.partition("@")[0]]
        return may_read(contract, access.purpose, access.recipient, consents, access.at)

    def _left_out(
        self, contracts: Mapping[str, Contract], found: Mapping[str, Verdict], needed: Collection[str]
    ) -> dict[str, Missing]:
        gone = {name: verdict for name, verdict in found.items() if not verdict.allowed}
        for name in sorted(gone.keys() & set(needed)):
            raise NotAllowed(contracts[name.partition("@")[0]], self._access, gone[name])
        return dict.fromkeys(gone, Missing.NOT_AUTHORISED)

    def _cut(self, contracts: Mapping[str, Contract], name: str, subjects: Int64) -> dict[str, EventTable]:
        table = self._lake.tables(contracts, [name], subjects if "@" in name else None)[name]
        return {name: table.take(np.isin(table.subject, subjects))}

    def _note_many(
        self, contracts: Mapping[str, Contract], found: Mapping[int, Mapping[str, Verdict]]
    ) -> None:
        merged: dict[str, list[Verdict]] = {}
        for verdicts in found.values():
            for name, verdict in verdicts.items():
                merged.setdefault(name, []).append(verdict)
        read = {name: [v for v in each if v.allowed] for name, each in merged.items()}
        self._write(contracts, read, sorted(found))

    def _note(
        self, contracts: Mapping[str, Contract], found: Mapping[str, Verdict], subjects: list[int] | None
    ) -> None:
        read = {name: [verdict] if verdict.allowed else [] for name, verdict in found.items()}
        self._write(contracts, read, subjects)

    def _write(
        self,
        contracts: Mapping[str, Contract],
        read: Mapping[str, list[Verdict]],
        subjects: list[int] | None,
    ) -> None:
        access = self._access
        datasets = tuple(sorted(name for name, each in read.items() if each))
        verdicts = [verdict for each in read.values() for verdict in each]
        categories = {contracts[name.partition("@")[0]].consent_category for name in datasets}
        self._log.write(
            Entry(
                access.at, access.actor, access.recipient, access.purpose.value, datasets, tuple(sorted(categories)),
                tuple(sorted({verdict.basis for verdict in verdicts})),
                tuple(sorted({v.consent_id for v in verdicts if v.consent_id is not None})),
                tuple(sorted(name for name, each in read.items() if not each)),
                None if subjects is None else tuple(subjects),
            )
        )  # fmt: skip
