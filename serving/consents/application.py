"""The whole known application at a glance: every record that is true now, by part of the form."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from features.calendar import iso
from features.contracts.documents import read_yaml
from features.contracts.model import Contract, SubjectKind
from features.matrix import Missing
from features.timeline.events import EventTable
from serving.consents.values import KnownValue, values_of
from serving.decisions.case import is_authorised


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One dataset (or view) of a section; ``fold`` names the field whose equal values are one thing."""

    name: str
    fold: str = ""


class SectionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the form and where it is filled from."""

    code: str
    zh: str
    en: str
    datasets: tuple[Part, ...]


class FormRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The form as data."""

    schema: int
    sections: tuple[SectionRule, ...]


class KnownRecord(BaseModel):
    """One thing that is known, with its source and date; several rows are one where they are folded."""

    dataset: str
    department: str
    zh: str
    en: str
    since: str
    known_from: str
    disputed: bool
    values: list[list[KnownValue]]


class LeftOut(BaseModel):
    """A source without a record in the section, and why."""

    dataset: str
    zh: str
    en: str
    why: str


class Section(BaseModel):
    """A part of the form."""

    code: str
    zh: str
    en: str
    records: list[KnownRecord]
    missing: list[LeftOut]


@cache
def form() -> FormRule:
    """The shipped form."""
    return read_yaml(Path(__file__).with_name("application.yaml"), FormRule)


def sections_of(
    tables: Mapping[str, EventTable],
    contracts: Mapping[str, Contract],
    unavailable: Mapping[str, Missing],
    disputed: Collection[str],
    as_of: int,
) -> list[Section]:
    """Every section of the form; ``unavailable`` says which datasets and views were not read, and why."""
    found = []
    for rule in form().sections:
        records: list[KnownRecord] = []
        missing: list[LeftOut] = []
        for part in rule.datasets:
            contract = contracts.get(part.name.partition("@")[0])
            if contract is None:
                continue
            told = [] if part.name in unavailable else list(_records(part, contract, tables, disputed, as_of))
            records += told
            if not told:
                why = unavailable.get(part.name, Missing.NO_RECORD)
                title = contract.title
                missing.append(LeftOut(dataset=part.name, zh=title.zh, en=title.en, why=why.name))
        found.append(Section(code=rule.code, zh=rule.zh, en=rule.en, records=records, missing=missing))
    return found


def not_read(
    tables: Mapping[str, EventTable], contracts: Mapping[str, Contract], categories: Collection[str]
) -> set[str]:
    """The form's datasets and views that no consent and no basis opens, or that are not online for that reason."""
    names = {part.name for rule in form().sections for part in rule.datasets}
    known = {name for name in names if name.partition("@")[0] in contracts}
    return {
        name
        for name in known
        if name not in tables or not is_authorised(contracts[name.partition("@")[0]], categories)
    }


def _records(
    part: Part,
    contract: Contract,
    tables: Mapping[str, EventTable],
    disputed: Collection[str],
    as_of: int,
) -> Iterator[KnownRecord]:
    table = tables[part.name]
    for rows in _things(part, table, _standing(contract, table, as_of)):
        yield KnownRecord(
            dataset=part.name,
            department=contract.department,
            zh=contract.title.zh,
            en=contract.title.en,
            since=iso(int(table.valid_from[rows].min())),
            known_from=iso(int(table.known_from[rows].max())),
            disputed=contract.dataset in disputed and contract.subject is SubjectKind.PERSON,
            values=[values_of(contract, table, int(row)) for row in rows],
        )


def _standing(contract: Contract, table: EventTable, as_of: int) -> NDArray[np.intp]:
    """Rows that are known and true at the moment; of a series without ends, the latest."""
    seen = (table.known_from <= as_of) & (as_of < table.known_to) & (table.valid_from <= as_of)
    if contract.times.valid_to is None:
        return np.flatnonzero(seen)[-1:]
    return np.flatnonzero(seen & (as_of < table.valid_to))


def _things(part: Part, table: EventTable, rows: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    if not part.fold or not len(rows):
        return [rows[place : place + 1] for place in range(len(rows))]
    keys = table.columns[part.fold][rows]
    return [rows[keys == key] for key in dict.fromkeys(keys.tolist())]
