"""One borrower's records across sources as months and as rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from features.calendar import month_index, month_text
from features.contracts.model import Contract, Field, FieldType, Text
from features.timeline.events import EventTable
from serving.borrowers.model import NotRead, RecordRow, SourceRow, Timeline, Value
from serving.consents.values import values_of

MONTHS, A_PAGE = 24, 50
_YES, _NO = Text("是", "yes"), Text("否", "no")
Contracts = Mapping[str, Contract]


def timeline(
    contracts: Contracts, tables: Mapping[str, EventTable], left_out: Iterable[str], as_of: int, source: str, after: int
) -> Timeline:  # fmt: skip
    """What was known and true at ``as_of`` (µs) of the tables that were read; ``source`` leaves the records of one dataset,
    ``after`` so many of them were shown before.
    """
    found = {name: known(tables[name], as_of) for name in sorted(contracts) if name in tables}
    last = int(month_index(np.array([as_of]))[0])
    sources = [_source(contracts[name], table, last) for name, table in found.items() if len(table)]
    records, whole = _records(contracts, {k: v for k, v in found.items() if source in {"", k}}, after)
    more = after + len(records)
    not_read = [
        NotRead(name, contracts[name].title, contracts[name].consent_category)
        for name in sorted({*left_out} & contracts.keys())
    ]
    return Timeline(
        tuple(month_text(month) for month in range(last - MONTHS + 1, last + 1)),
        tuple(sorted(sources, key=lambda one: (one.department, one.dataset))), tuple(records), whole,
        more if more < whole else 0, tuple(not_read),
    )  # fmt: skip


def values(contract: Contract, table: EventTable, row: int) -> tuple[Value, ...]:
    """What may be shown of a record: ids and numbers are left out, and the times that stand beside it anyway."""
    fields = {field.name: field for field in contract.fields}
    times = contract.times
    told = {each.field for each in (times.valid_from, times.valid_to, times.known_from) if each is not None}
    return tuple(
        Value(Text(one.zh, one.en), _text(fields[one.field], one.value), one.unit)
        for one in values_of(contract, table, row)
        if one.field not in told
    )


def _text(field: Field, value: str) -> Text:
    if field.type is FieldType.BOOLEAN:
        return _YES if value == "true" else _NO
    return field.codes.get(value, Text(value, value))


def known(table: EventTable, as_of: int) -> EventTable:
    """The events that were known and true by a moment."""
    found = table.visible(as_of)
    return found.take(found.valid_from <= as_of)


def _source(contract: Contract, table: EventTable, last: int) -> SourceRow:
    ago: NDArray[np.int64] = last - month_index(table.valid_from)
    counts = np.bincount(ago[(ago >= 0) & (ago < MONTHS)], minlength=MONTHS)[::-1]
    return SourceRow(
        contract.dataset, contract.title, contract.department, tuple(counts.tolist()), len(table.subject)
    )


def _records(
    contracts: Contracts, found: Mapping[str, EventTable], after: int
) -> tuple[list[RecordRow], int]:
    """A page of the latest records of all these, and how many there are."""
    names = list(found)
    times = np.concatenate([np.empty(0, np.int64), *(table.valid_from for table in found.values())])
    which = np.repeat(np.arange(len(names)), [len(table.subject) for table in found.values()])
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(len(t.subject)) for t in found.values())])
    chosen = np.lexsort((rows, which, -times))[after : after + A_PAGE].tolist()
    told = [(names[which[place]], int(rows[place])) for place in chosen]
    return [_record(contracts[name], found[name], row) for name, row in told], len(times)


def _record(contract: Contract, table: EventTable, row: int) -> RecordRow:
    times = int(table.valid_from[row]), int(table.known_from[row])
    return RecordRow(contract.dataset, contract.title, *times, values(contract, table, row))
