"""What is known of a subject, told to the subject: by source, with who decided and who asked (REG-CR-06)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

import msgspec
import numpy as np

from features.calendar import iso
from features.contracts.model import Contract
from features.timeline.door import Entry
from features.timeline.events import EventTable
from serving.consents.prefill import known_dataset
from serving.records.disputes import Dispute
from serving.rights.statements import Statement

MOST_READS = 500
"""The latest reads that a report tells."""


class ReportValue(msgspec.Struct, frozen=True):
    """One value of the latest record."""

    zh: str
    en: str
    value: str
    unit: str


class ReportSource(msgspec.Struct, frozen=True):
    """What one source knows: how many records as they stand, from when to when, and what the latest says."""

    dataset: str
    department: str
    zh: str
    en: str
    records: int
    first: str
    last: str
    latest: tuple[ReportValue, ...]
    disputed: bool


class ReportDecision(msgspec.Struct, frozen=True):
    """A decision about the subject; ``kind`` is system, person or again."""

    decision_id: UUID
    decided_at: str
    outcome: str
    kind: str
    parent_id: UUID | None


class ReportRead(msgspec.Struct, frozen=True):
    """Who read what of the subject's, when and why."""

    at: str
    who: str
    purpose: str
    categories: tuple[str, ...]
    bases: tuple[str, ...]


class ReportDispute(msgspec.Struct, frozen=True):
    """What the subject disputed, and what came of it."""

    dispute_id: UUID
    dataset: str
    ground: str
    raised_at: str
    due_at: str
    verdict: str | None
    answer: str


class ReportStatement(msgspec.Struct, frozen=True):
    """What the subject said."""

    dataset: str
    text: str
    added_at: str


class Report(msgspec.Struct, frozen=True):
    """A report; ``free`` is the allowance that it took, null where it was paid for."""

    report_id: UUID
    made_at: str
    as_of: str
    free: str | None
    sources: tuple[ReportSource, ...]
    decisions: tuple[ReportDecision, ...]
    reads: tuple[ReportRead, ...]
    disputes: tuple[ReportDispute, ...]
    statements: tuple[ReportStatement, ...]


def sources_of(
    contracts: Mapping[str, Contract], tables: Mapping[str, EventTable], disputed: Iterable[str], as_of: int
) -> tuple[ReportSource, ...]:
    """The sources that hold a record as of a moment (µs)."""
    marked = set(disputed)
    found = (_source(contract, tables[name], name in marked, as_of) for name, contract in sorted(contracts.items()) if name in tables)  # fmt: skip
    return tuple(source for source in found if source is not None)


def _source(contract: Contract, table: EventTable, disputed: bool, as_of: int) -> ReportSource | None:  # noqa: FBT001
    latest = known_dataset(contract, table, as_of)
    if latest is None:
        return None
    seen = (table.known_from <= as_of) & (as_of < table.known_to) & (table.valid_from <= as_of)
    times = table.valid_from[np.flatnonzero(seen)]
    values = tuple(ReportValue(each.zh, each.en, each.value, each.unit) for each in latest.values)
    return ReportSource(
        contract.dataset, contract.department, contract.title.zh, contract.title.en, len(times),
        iso(int(times.min())), iso(int(times.max())), values, disputed,
    )  # fmt: skip


def reads_of(entries: Iterable[Entry]) -> tuple[ReportRead, ...]:
    """Reads of this subject in particular, the latest last."""
    told = [
        ReportRead(iso(one.at), one.actor, one.purpose, one.categories, one.bases)
        for one in entries
        if one.subjects is not None
    ]
    return tuple(told[-MOST_READS:])


def disputes_of(disputes: Iterable[Dispute]) -> tuple[ReportDispute, ...]:
    """Disputes as they are told."""
    return tuple(
        ReportDispute(d.dispute_id, d.dataset, d.ground, iso(d.raised_at), iso(d.due_at), d.verdict, d.answer)
        for d in disputes
    )


def statements_of(statements: Iterable[Statement]) -> tuple[ReportStatement, ...]:
    """Statements as they are told."""
    return tuple(ReportStatement(s.dataset, s.text, iso(s.added_at)) for s in statements)
