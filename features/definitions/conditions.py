"""Conditions on events: checked against their contract, then as the arrays that the kernel reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.calendar import instant
from features.canonical import code_of
from features.contracts.model import Contract, Field, FieldType
from features.definitions.model import Conditions
from features.errors import Invalid
from features.kernel import Test, fill_mask

Int64 = NDArray[np.int64]
TIMES = {FieldType.DATE, FieldType.MONTH, FieldType.INSTANT}
"""Fields whose values are instants."""
_OPERATORS = {"ne": Test.NE, "lt": Test.LT, "le": Test.LE, "gt": Test.GT, "ge": Test.GE}


class BrokenDefinition(Invalid):
    """A definition that cannot be computed."""

    def __init__(self, dataset: str, name: str, problem: str, remedy: str = "") -> None:
        super().__init__(problem, place=f"feature {name} of {dataset or 'the composites'}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Filters:
    """What ``features.kernel.fill_mask`` takes; the first column of ``conditions`` is a row of its columns."""

    starts: Int64
    conditions: Int64
    wanted: Int64

    def mask(self, columns: Int64) -> NDArray[np.uint64]:
        """The bits of the filters that each event of ``columns`` [rows of it, events] passes."""
        mask = np.zeros(columns.shape[1], dtype=np.uint64)
        fill_mask(columns, self.starts, self.conditions, self.wanted, mask)
        return mask


def compile_filters(contract: Contract, filters: Sequence[Conditions], columns: Sequence[str]) -> Filters:
    """The filters over these columns (names of fields, in the order of the kernel's rows)."""
    starts: list[int] = [0]
    tests: list[tuple[int, int, int, int]] = []
    wanted: list[int] = []
    for conditions in filters:
        for name, condition in conditions.items():
            for test, values in _tests(contract.field(name), condition):
                tests.append((columns.index(name), int(test), len(wanted), len(values)))
                wanted += values
        starts.append(len(tests))
    return Filters(
        np.array(starts, dtype=np.int64),
        np.array(tests, dtype=np.int64).reshape(-1, 4),
        np.array(wanted, dtype=np.int64),
    )


def matches(
    contract: Contract, conditions: Conditions, columns: Mapping[str, Int64], rows: int
) -> NDArray[np.bool_]:
    """Which events meet all conditions; an absent value meets none."""
    names = list(conditions)
    values = np.array([columns[name] for name in names], dtype=np.int64).reshape(len(names), rows)
    return np.asarray(compile_filters(contract, [conditions], names).mask(values) == 1)


def check_conditions(contract: Contract, dataset: str, name: str, conditions: Conditions) -> None:
    """Every condition is one that its field can meet.

    Raises:
        BrokenDefinition: an operator, code or value that does not fit; ``name`` is the feature's.
    """
    for field_name, condition in conditions.items():
        field = contract.field(field_name)
        if isinstance(condition, dict):
            unknown = set(condition) - set(_OPERATORS)
            if unknown or not condition:
                what = ", ".join(sorted(unknown)) or "an empty condition"
                problem = f"{field_name}: {what} is no operator."
                raise BrokenDefinition(dataset, name, problem, "Use ne, lt, le, gt or ge.")
        for value in _values(condition):
            _check_value(dataset, name, field, value)


def _values(condition: Any) -> Iterable[Any]:
    if isinstance(condition, dict):
        return list(condition.values())
    return condition if isinstance(condition, list) else [condition]


def _check_value(dataset: str, name: str, field: Field, value: Any) -> None:
    if field.codes and str(value) not in field.codes:
        problem = f"{field.name}: {value!r} is no code of it."
        raise BrokenDefinition(dataset, name, problem, f"Codes: {', '.join(field.codes)}.")
    try:
        _stored(field, value)
    except (TypeError, ValueError, Invalid):
        raise BrokenDefinition(dataset, name, f"{field.name}: {value!r} does not fit.") from None


def _tests(field: Field, condition: Any) -> list[tuple[Test, list[int]]]:
    if isinstance(condition, list):
        return [(Test.IN, [_stored(field, value) for value in condition])]
    if isinstance(condition, dict):
        return [(_OPERATORS[sign], [_stored(field, value)]) for sign, value in condition.items()]
    return [(Test.EQ, [_stored(field, condition)])]


def _stored(field: Field, value: Any) -> int:
    """A condition's value as it is stored: fen, scaled integer, code or instant."""
    if field.is_code:
        return code_of(str(value))
    if field.type in TIMES:
        return instant(str(value))
    return round(float(value) * field.divisor)
