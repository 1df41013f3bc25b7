"""Stored values as a person reads them; ids and numbers stay hidden."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from features.calendar import NULL, iso, local_date
from features.canonical import code_of
from features.contracts.model import Contract, Field, FieldType
from features.timeline.events import EventTable

_HIDDEN = {FieldType.ID, FieldType.ID_NUMBER, FieldType.USCC, FieldType.PERSONAL}
_SHOWN: dict[FieldType, Callable[[int], str]] = {
    FieldType.MONTH: lambda value: local_date(value).isoformat()[:7],
    FieldType.DATE: lambda value: local_date(value).isoformat(),
    FieldType.INSTANT: iso,
    FieldType.BOOLEAN: lambda value: "true" if value else "false",
}


class KnownValue(BaseModel):
    """One value with its title."""

    field: str
    zh: str
    en: str
    value: str
    unit: str


def values_of(contract: Contract, table: EventTable, row: int) -> list[KnownValue]:
    """The values of one event that may be shown and are there."""
    return [
        KnownValue(
            field=field.name, zh=field.zh or field.name, en=field.en or field.name, value=text, unit=field.unit
        )
        for field in contract.fields
        if field.type not in _HIDDEN and (text := shown(field, int(table.columns[field.name][row])))
    ]  # fmt: skip


def shown(field: Field, value: int) -> str:
    """A stored value as a person writes it; empty where it is null."""
    if value == NULL:
        return ""
    if field.type in _SHOWN:
        return _SHOWN[field.type](value)
    if field.type is FieldType.CATEGORY:
        return next((text for text in field.codes if code_of(text) == value), "")
    places = len(str(field.divisor)) - 1
    return f"{value / field.divisor:.{places}f}"
