"""Columns as definitions declare them: name, titles, unit, kind and reason of every feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from features.canonical import code_of
from features.contracts.model import Contract, Text
from features.definitions.conditions import BrokenDefinition
from features.definitions.model import Composition, Definition, DefinitionFile
from features.definitions.program import WITH_COLUMN, parse_kind, parse_windows
from features.kernel import Aggregate
from features.matrix import Column, ColumnKind

REQUEST = "request"
"""The pseudo dataset of what an applicant asks for: its definitions have the aggregate ``value``."""

COMPOSITIONS = {composition.value for composition in Composition}
_PAIRS = {Composition.RATIO, Composition.DIFFERENCE}
_VALUE_OF_CODE = {Aggregate.LAST}
_WITHOUT_UNIT = {
    Aggregate.DISTINCT, Aggregate.TREND, Aggregate.VARIATION, Aggregate.SHARE_SUM, Aggregate.CONCENTRATION,
    Aggregate.YEAR_ON_YEAR, Aggregate.MONTHS_SINCE_VALUE, Aggregate.NEGATIVE_MONTHS, Aggregate.TOP_SHARE,
    Aggregate.MONTHS_UNTIL_VALUE, Aggregate.SEASONAL_VARIATION, Aggregate.WORKING_AGE_SHARE,
    Aggregate.YEARS_UNTIL_VALUE,
}  # fmt: skip
_OF_CODES = {Aggregate.DISTINCT, Aggregate.CONCENTRATION, Aggregate.TOP_SHARE, Aggregate.LAST}


def lay_columns(
    files: Iterable[DefinitionFile], reasons: Mapping[str, Text], contract_of: Callable[[str, str], Contract]
) -> list[Column]:
    """Every column in the order of the files; ``contract_of`` gives a dataset's contract (or a view's), for a feature.

    Raises:
        BrokenDefinition: a name twice, a sign, reason, part or code that cannot be.
    """
    columns: dict[str, Column] = {}
    for file in files:
        for definition in file.features:
            _check(file.dataset, definition, reasons)
            for column in _columns_of(file.dataset, definition, columns, contract_of):
                if column.name in columns:
                    problem = f"column {column.name} is defined twice."
                    raise BrokenDefinition(file.dataset, definition.name, problem, "Rename one.")
                columns[column.name] = column
    return list(columns.values())


def _check(dataset: str, definition: Definition, reasons: Mapping[str, Text]) -> None:
    if definition.sign not in {-1, 0, 1}:
        raise BrokenDefinition(dataset, definition.name, f"sign {definition.sign} is not -1, 0 or 1.")
    if definition.reason not in reasons:
        problem = f"the reason {definition.reason!r} has no text."
        raise BrokenDefinition(dataset, definition.name, problem, "Add it to `reasons`, in zh and en.")


def _columns_of(
    dataset: str,
    definition: Definition,
    known: Mapping[str, Column],
    contract_of: Callable[[str, str], Contract],
) -> list[Column]:
    if definition.aggregate in COMPOSITIONS:
        return [_composite_column(definition, known)]
    if dataset == REQUEST:
        return [_request_column(definition)]
    contract = contract_of(dataset, definition.name)
    kind = parse_kind(dataset, definition)
    field = contract.field(definition.column) if definition.column in contract.names else None
    is_code = field is not None and field.is_code and kind in _VALUE_OF_CODE
    if field is not None and field.is_code and kind in WITH_COLUMN - _OF_CODES:
        problem = f"{field.name} is a code: it has no {definition.aggregate}."
        raise BrokenDefinition(dataset, definition.name, problem, "Count it, or take its last value.")
    return [
        Column(
            definition.name + window.suffix,
            dataset,
            ColumnKind.CATEGORY if is_code else ColumnKind.NUMERIC,
            definition.sign,
            _titled(definition.zh, window.text),
            _titled(definition.en, window.text),
            definition.unit or (field.unit if field and kind not in _WITHOUT_UNIT else ""),
            definition.rationale,
            definition.reason,
            field.special_codes if field and kind in _VALUE_OF_CODE else (),
            tuple((code_of(text), text) for text in sorted(field.codes)) if field and is_code else (),
        )
        for window in parse_windows(dataset, definition)
    ]


def _composite_column(definition: Definition, known: Mapping[str, Column]) -> Column:
    for name in definition.of:
        if name not in known:
            problem = f"{name!r} is no column."
            raise BrokenDefinition("", definition.name, problem, "Define it in an earlier file.")
    if not definition.of or (len(definition.of) != 2 and definition.aggregate in _PAIRS):
        count = "two columns" if definition.aggregate in _PAIRS else "at least one column"
        raise BrokenDefinition("", definition.name, f"a {definition.aggregate} is of {count}.")
    sources = sorted({part for name in definition.of for part in known[name].dataset.split("+")})
    return _plain_column(definition, "+".join(sources))


def _request_column(definition: Definition) -> Column:
    if definition.aggregate != "value" or not definition.column:
        problem = "a feature of the request has the aggregate `value` and a column."
        raise BrokenDefinition(REQUEST, definition.name, problem)
    return _plain_column(definition, REQUEST)


def _plain_column(definition: Definition, dataset: str) -> Column:
    return Column(
        definition.name, dataset, sign=definition.sign, zh=definition.zh, en=definition.en, unit=definition.unit,
        rationale=definition.rationale, reason=definition.reason,
    )  # fmt: skip


def _titled(text: str, window: str) -> str:
    return text if window in {"all", "now"} else f"{text} ({window})"
