"""The features that a dataset gets when nobody has written any: one rule a column kind."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from features.contracts.model import Contract, Field, FieldType, Text
from features.definitions.model import Definition, DefinitionFile

WINDOWS = ("1m", "3m", "6m", "12m")
_TIMES = {FieldType.DATE, FieldType.MONTH, FieldType.INSTANT}
_LINKS = {FieldType.ID_NUMBER, FieldType.USCC}


def standard_set(contract: Contract, exclude: Iterable[str] = ()) -> DefinitionFile:
    """Definitions for every field of a contract that is not excluded.

    A dataset without a key has one row a subject: its columns are taken as they are. One with a key is a
    history: counts, sums, means and extremes over the usual windows, by code where a field has few codes.
    """
    left_out = set(exclude)
    fields = [
        f for f in contract.fields if f.name not in left_out and f.type not in _LINKS and not f.protected
    ]
    definitions = _history(contract, fields) if contract.key else _state(fields)
    title = contract.title
    reasons = {_reason(contract): Text(f"{title.zh}方面的情况", f"What {title.en.lower()} show")}
    named = tuple(_with_reason(definition, _reason(contract)) for definition in definitions)
    return DefinitionFile(1, named, contract.dataset, reasons)


def _state(fields: Iterable[Field]) -> list[Definition]:
    found = []
    for field in fields:
        kind = "months_since_value" if field.type in _TIMES else "last"
        found.append(_define(field.name, kind, field, column=field.name))
    return found


def _history(contract: Contract, fields: list[Field]) -> list[Definition]:
    name = contract.dataset
    found = [
        _define(f"{name}_cnt", "count", None, windows=(*WINDOWS, "all")),
        _define(f"{name}_months_since_last", "months_since_last", None, windows=("all",)),
        _define(f"{name}_months_since_first", "months_since_first", None, windows=("all",)),
    ]
    for field in fields:
        if field.type in {FieldType.MONEY, FieldType.INTEGER, FieldType.DECIMAL, FieldType.BOOLEAN}:
            for kind in ("sum", "mean", "min", "max"):
                found.append(
                    _define(f"{field.name}_{kind}", kind, field, column=field.name, windows=(*WINDOWS, "all"))
                )
            found.append(_define(f"{field.name}_last", "last", field, column=field.name))
            found.append(
                _define(f"{field.name}_trend", "trend", field, column=field.name, windows=("6m", "12m"))
            )
        elif field.type is FieldType.CATEGORY:
            for code in field.codes:
                where = {field.name: code}
                share = Definition(
                    name=f"{field.name}_{code}_share", aggregate="share", zh=f"{field.zh or field.name} {code}",
                    en=f"{field.en or field.name} {code}", rationale=_RATIONALE, reason="", where=where, against={},
                    windows=("3m", "12m", "all"),
                )  # fmt: skip
                found.append(share)
        elif field.type is FieldType.ID and field.name not in contract.key:
            found.append(
                _define(f"{field.name}_distinct", "distinct", field, column=field.name, windows=("6m", "all"))
            )
    return found


_RATIONALE = "Standard feature of this kind of column; its worth is measured, not presumed."


def _define(
    name: str, aggregate: str, field: Field | None, *, column: str = "", windows: tuple[str, ...] = ("all",)
) -> Definition:
    label_zh = (field.zh or field.name) if field else name
    label_en = (field.en or field.name) if field else name
    unit = field.unit if field else ""
    title = (
        (f"{label_zh} {aggregate}", f"{label_en} {aggregate}")
        if aggregate != "last"
        else (label_zh, label_en)
    )
    return Definition(
        name=name, aggregate=aggregate, zh=title[0], en=title[1], rationale=_RATIONALE, reason="", column=column,
        windows=windows, unit=unit,
    )  # fmt: skip


def _with_reason(definition: Definition, reason: str) -> Definition:
    return msgspec.structs.replace(definition, reason=reason)


def _reason(contract: Contract) -> str:
    return f"{contract.dataset.upper()}_DATA"
