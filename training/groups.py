"""The groups that fairness is tested with, read through the door for that purpose alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.calendar import DAY, NULL
from features.canonical import code_of
from features.consent import Purpose
from features.contracts.model import Contract, Field
from features.errors import Invalid
from features.timeline.door import Door
from features.timeline.events import EventTable
from training.fairness import Attribute
from training.population import as_of_value

Int64 = NDArray[np.int64]
REGISTER, BIRTH = "population_register", "birth_date"
AGES = (30, 45, 60)
BANDS = ("under 30", "30 to 44", "45 to 59", "60 and older")
_SHIFT = 1 << 60
"""Lifts values above every subject number, which stands for "not known"."""


class NoGroups(Invalid):
    """A portfolio in which no protected attribute is held."""

    def __init__(self, portfolio: str) -> None:
        super().__init__(
            "no dataset holds protected attributes.", place=f"portfolio {portfolio}",
            remedy="Add a contract with `only_purpose: fairness_test` and fields marked `protected: true`.",
        )  # fmt: skip


def read_attributes(
    contracts: Mapping[str, Contract], door: Door, subject: Int64, as_of: Int64, portfolio: str
) -> tuple[Attribute, ...]:
    """Each protected attribute of rows (subject, as_of), as known then; the age band where it may be read.

    Raises:
        NoGroups: no contract has any.
    """
    own = {name: one for name, one in contracts.items() if one.only_purpose == Purpose.FAIRNESS_TEST.value}
    if not own:
        raise NoGroups(portfolio)
    ages = [REGISTER] if REGISTER in contracts else []
    read = door.whole(contracts, [*own, *ages])
    found = []
    for name, contract in own.items():
        for field in contract.fields:
            if field.protected and name in read.tables:
                found.append(_attribute(field, _known(read.tables[name], field.name, subject, as_of)))
    if REGISTER in read.tables:
        found.append(_age(_known(read.tables[REGISTER], BIRTH, subject, as_of), as_of))
    return tuple(found)


def _known(table: EventTable, field: str, subject: Int64, as_of: Int64) -> Int64:
    """The newest value known of each row's subject, ``NULL`` where there is none."""
    lifted = np.where(table.columns[field] == NULL, NULL, table.columns[field] + _SHIFT)
    values = as_of_value(replace(table, columns={field: lifted}), field, subject, as_of)
    return np.where(values >= _SHIFT // 2, values - _SHIFT, NULL)


def _attribute(field: Field, values: Int64) -> Attribute:
    """Groups by the field's codes; of a boolean, no and yes."""
    pairs: Iterable[tuple[str, int]] = [("no", 0), ("yes", 1)]
    if field.codes:
        pairs = [(code, code_of(code)) for code in field.codes]
    place = np.full(len(values), -1, dtype=np.int64)
    names = []
    for number, (name, value) in enumerate(pairs):
        place[values == value] = number
        names.append(name)
    return Attribute(field.name, tuple(names), place)


def _age(birth: Int64, as_of: Int64) -> Attribute:
    years = (as_of - birth) / (365.2425 * DAY)
    place = np.where(birth == NULL, -1, np.searchsorted(AGES, years, side="right"))
    return Attribute("age band", BANDS, place.astype(np.int64))
