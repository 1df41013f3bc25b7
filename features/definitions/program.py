"""Definitions of one dataset compiled to the kernel's arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.contracts.model import Contract
from features.definitions.conditions import (
    TIMES,
    BrokenDefinition,
    Filters,
    check_conditions,
    compile_filters,
)
from features.definitions.model import Conditions, Definition
from features.kernel import (
    NEEDS_ENDS,
    NEEDS_EXTREMES,
    NEEDS_MEMBERS,
    NEEDS_SUM,
    Aggregate,
    Grid,
    aggregate,
)
from features.timeline.events import EventTable

Int64 = NDArray[np.int64]

SERIES = {
    Aggregate.ACTIVE_MONTHS,
    Aggregate.STREAK,
    Aggregate.TREND,
    Aggregate.VARIATION,
    Aggregate.YEAR_ON_YEAR,
    Aggregate.NEGATIVE_MONTHS,
    Aggregate.LONGEST_STREAK,
    Aggregate.MONTHLY_MEAN,
    Aggregate.SEASONAL_VARIATION,
}
"""Aggregates that look at single months; their windows are in months."""
WITH_COLUMN = {
    Aggregate.SUM,
    Aggregate.MEAN,
    Aggregate.MIN,
    Aggregate.MAX,
    Aggregate.LAST,
    Aggregate.DISTINCT,
    Aggregate.TREND,
    Aggregate.VARIATION,
    Aggregate.SHARE_SUM,
    Aggregate.CONCENTRATION,
    Aggregate.YEAR_ON_YEAR,
    Aggregate.NEGATIVE_MONTHS,
    Aggregate.MONTHS_SINCE_VALUE,
    Aggregate.TOP_SHARE,
    Aggregate.MONTHLY_MEAN,
    Aggregate.MONTHS_UNTIL_VALUE,
    Aggregate.YEARS_UNTIL_VALUE,
    Aggregate.SEASONAL_VARIATION,
    Aggregate.WORKING_AGE_SHARE,
}
_NEEDS = {
    NEEDS_MEMBERS: {
        Aggregate.DISTINCT, Aggregate.CONCENTRATION, Aggregate.TOP_SHARE, Aggregate.WORKING_AGE_SHARE,
    },
    NEEDS_SUM: {
        Aggregate.SUM, Aggregate.MEAN, Aggregate.SHARE_SUM, Aggregate.YEAR_ON_YEAR, Aggregate.NEGATIVE_MONTHS,
        Aggregate.TREND, Aggregate.VARIATION, Aggregate.MONTHLY_MEAN, Aggregate.SEASONAL_VARIATION,
    },
    NEEDS_EXTREMES: {Aggregate.MIN, Aggregate.MAX},
    NEEDS_ENDS: {
        Aggregate.LAST, Aggregate.MONTHS_SINCE_LAST, Aggregate.MONTHS_SINCE_FIRST, Aggregate.MONTHS_SINCE_VALUE,
        Aggregate.MONTHS_UNTIL_VALUE, Aggregate.YEARS_SINCE_FIRST, Aggregate.YEARS_UNTIL_VALUE,
    },
}  # fmt: skip
WEIGHED = {Aggregate.CONCENTRATION, Aggregate.TOP_SHARE}
"""Aggregates whose second place is a column of weights, not a second slot."""
_YEAR_BACK = {Aggregate.YEAR_ON_YEAR, Aggregate.SEASONAL_VARIATION}
_OF_A_DATE = {
    Aggregate.MONTHS_SINCE_VALUE, Aggregate.MONTHS_UNTIL_VALUE, Aggregate.YEARS_UNTIL_VALUE,
    Aggregate.WORKING_AGE_SHARE,
}  # fmt: skip
_SINCE_FIRST = {Aggregate.MONTHS_SINCE_FIRST, Aggregate.YEARS_SINCE_FIRST}
_PAIRS = {Aggregate.SHARE, Aggregate.SHARE_SUM, Aggregate.NEGATIVE_MONTHS}
_IN_UNITS = {
    Aggregate.SUM, Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST, Aggregate.MONTHLY_MEAN,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A window's text, grid and length (months or days; 0 for all and now)."""

    text: str
    grid: Grid
    length: int

    @property
    def suffix(self) -> str:
        """What it adds to a column's name."""
        return "" if self.length == 0 else f"_{self.text}"


def parse_window(text: str, dataset: str, name: str) -> Window:
    """``6m``, ``90d``, ``all`` or ``now``."""
    if text == "now":
        return Window(text, Grid.NOW, 0)
    if text == "all":
        return Window(text, Grid.MONTHS, 0)
    if text[:-1].isdigit() and text[-1:] in "md" and int(text[:-1]) > 0:
        return Window(text, Grid.MONTHS if text[-1] == "m" else Grid.DAYS, int(text[:-1]))
    raise BrokenDefinition(dataset, name, f"{text!r} is no window.", "Write 6m, 90d, all or now.")


@dataclass(slots=True)
class Program:
    """One dataset's definitions as arrays; ``run`` fills its columns of a matrix."""

    dataset: str
    contract: Contract
    filters: list[Conditions] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    slots: list[tuple[int, int, int]] = field(default_factory=list)
    needs: dict[int, int] = field(default_factory=dict)
    ops: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    divisors: list[float] = field(default_factory=list)
    months: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    open_end: bool = False
    arrays: tuple[Any, ...] = ()
    tests: Filters = field(init=False)

    def freeze(self) -> None:
        """Turn the lists into the kernel's arrays, once."""
        self.arrays = (
            np.array(self.months, dtype=np.int64),
            int(self.open_end),
            np.array(self.days, dtype=np.int64),
            np.array(self.whole_slots(), dtype=np.int64).reshape(-1, 4),
            np.array(self.ops, dtype=np.int64).reshape(-1, 5),
            np.array(self.divisors, dtype=np.float64),
        )
        tested = [name for conditions in self.filters for name in conditions]
        self.columns += [name for name in dict.fromkeys(tested) if name not in self.columns]
        self.tests = compile_filters(self.contract, self.filters, self.columns)

    def whole_slots(self) -> list[tuple[int, int, int, int]]:
        """The slots with what each needs."""
        return [(*slot, self.needs[place]) for place, slot in enumerate(self.slots)]

    def run(self, table: EventTable, subjects: Int64, as_of: Int64, out: Any, missing: Any) -> None:
        """Fill this dataset's columns for each (subject, as_of); arrays of equal length."""
        lo = np.searchsorted(table.subject, subjects, side="left").astype(np.int64)
        hi = np.searchsorted(table.subject, subjects, side="right").astype(np.int64)
        times = (table.valid_from, table.valid_to, table.known_from, table.known_to)
        values = np.empty((len(self.columns), len(table)), dtype=np.int64)
        for position, name in enumerate(self.columns):
            values[position] = table.columns[name]
        contiguous = tuple(np.ascontiguousarray(array, dtype=np.int64) for array in times)
        aggregate(lo, hi, as_of, *contiguous, self.tests.mask(values), values, *self.arrays, out, missing)


def compile_dataset(
    dataset: str, contract: Contract, definitions: tuple[Definition, ...], outputs: Mapping[str, int]
) -> Program:
    """The program of one dataset's definitions; ``outputs`` maps column names to their place in the matrix.

    Raises:
        BrokenDefinition: an unknown aggregate, field, code or window, or one that does not fit.
    """
    program = Program(dataset, contract)
    parsed = [(d, parse_kind(dataset, d), parse_windows(dataset, d)) for d in definitions]
    _lay_edges(program, [(kind, window) for _, kind, windows in parsed for window in windows])
    for definition, kind, windows in parsed:
        _check(program, definition, kind)
        for window in windows:
            _add(program, definition, kind, window, outputs[definition.name + window.suffix])
    if len(program.filters) > 64:
        raise BrokenDefinition(
            dataset, "*", "more than 64 different filters.", "Split the dataset's features."
        )
    program.freeze()
    return program


def parse_kind(dataset: str, definition: Definition) -> Aggregate:
    """The aggregate of a definition over events."""
    try:
        return Aggregate[definition.aggregate.upper()]
    except KeyError:
        known = ", ".join(kind.name.lower() for kind in Aggregate)
        problem = f"{definition.aggregate!r} is no aggregate."
        raise BrokenDefinition(dataset, definition.name, problem, f"Choose of {known}.") from None


def parse_windows(dataset: str, definition: Definition) -> list[Window]:
    """The windows of a definition."""
    return [parse_window(text, dataset, definition.name) for text in definition.windows]


def _lay_edges(program: Program, uses: list[tuple[Aggregate, Window]]) -> None:
    months = {window.length for _, window in uses if window.grid is Grid.MONTHS and window.length}
    series = [window.length + (12 if kind in _YEAR_BACK else 0) for kind, window in uses if kind in SERIES]
    program.months = sorted(months | set(range(1, max(series, default=0) + 1)))
    program.days = sorted({window.length for _, window in uses if window.grid is Grid.DAYS})
    program.open_end = any(window.grid is Grid.MONTHS and window.length == 0 for _, window in uses)


def _check(program: Program, definition: Definition, kind: Aggregate) -> None:
    def refuse(problem: str, remedy: str = "") -> BrokenDefinition:
        return BrokenDefinition(program.dataset, definition.name, problem, remedy)

    if (kind in WITH_COLUMN) != bool(definition.column):
        raise refuse(f"{definition.aggregate} {'needs' if kind in WITH_COLUMN else 'takes no'} column.")
    if (kind in _PAIRS) != (definition.against is not None):
        raise refuse(f"{definition.aggregate} {'needs' if kind in _PAIRS else 'takes no'} `against`.")
    names = [definition.column, definition.weight, *definition.where, *(definition.against or {})]
    for name in filter(None, names):
        if name not in program.contract.names:
            raise refuse(f"{name!r} is no field of it.", f"Fields: {', '.join(program.contract.names)}.")
        if program.contract.field(name).protected:
            raise refuse(f"{name!r} is a protected attribute.", "No feature may use it.")
    if program.contract.only_purpose:
        problem = f"the dataset may be read for {program.contract.only_purpose} alone."
        raise refuse(problem, "Make features of other datasets.")
    for conditions in (definition.where, definition.against or {}):
        check_conditions(program.contract, program.dataset, definition.name, conditions)
    for window in parse_windows(program.dataset, definition):
        if kind in SERIES and (window.grid is not Grid.MONTHS or window.length == 0):
            raise refuse(f"{definition.aggregate} needs windows in months, not {window.text!r}.")
        if kind in _SINCE_FIRST and window.length:
            raise refuse(f"{definition.aggregate} looks at all or now.", "Write windows: [all].")
        if kind in _YEAR_BACK and window.length > 12:
            raise refuse(f"{definition.aggregate} compares at most 12 months.")
    if kind in _OF_A_DATE and program.contract.field(definition.column).type not in TIMES:
        raise refuse(f"{definition.aggregate} needs a date, and {definition.column} is none.")


def _add(program: Program, definition: Definition, kind: Aggregate, window: Window, output: int) -> None:
    column = _place(program.columns, definition.column) if definition.column else -1
    needs = sum(need for need, kinds in _NEEDS.items() if kind in kinds)
    slot = _slot(program, definition.where, column, window, needs)
    other = -1
    if definition.against is not None:
        other = _slot(program, definition.against, column, window, needs)
    elif definition.weight:
        other = _place(program.columns, definition.weight)
    last = 1
    if window.grid is Grid.DAYS:
        last = program.days.index(window.length) + 1
    elif window.grid is Grid.MONTHS:
        last = program.months.index(window.length) + 1 if window.length else len(program.months) + 1
    divisor = program.contract.field(definition.column).divisor if kind in _IN_UNITS else 1
    if kind is Aggregate.MONTHLY_MEAN:
        divisor *= window.length
    program.ops.append((int(kind), slot, other, last, output))
    program.divisors.append(float(divisor))


def _slot(program: Program, conditions: Conditions, column: int, window: Window, needs: int) -> int:
    key = (_place(program.filters, conditions), column, int(window.grid))
    place = _place(program.slots, key)
    program.needs[place] = program.needs.get(place, 0) | needs
    return place


def _place(items: list[Any], item: Any) -> int:
    if item not in items:
        items.append(item)
    return items.index(item)
