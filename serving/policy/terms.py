"""The tables of a policy made ready, and the rows that hold for one case."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.policy.days import FOREVER, date_text, end_day, first_day
from serving.policy.findings import BrokenPolicy
from serving.policy.model import (
    GENERAL,
    GRADES,
    LONGEST_TERM,
    CapRow,
    CutoffRow,
    LimitRow,
    PolicyDocument,
    PriceRow,
    Row,
)
from serving.policy.table import Axis, Box, DatedTable, Range, make_table

NAMES = ("cutoffs", "limits", "prices", "limit_caps", "rate_caps")
OPTIONAL = ("exposure_caps",)
"""Tables that a policy may do without, and that need not hold for every case."""
_MOST_KEPT = 20_000
"""Cases whose rows are kept; beyond that they are forgotten."""
R = TypeVar("R")
CAPS = ("limit_caps", "rate_caps")


class NoRow(BrokenPolicy):
    """A case for which a table has no row."""

    def __init__(self, table: str, day: int) -> None:
        super().__init__(
            f"tables.{table}",
            f"no row holds for this case on {date_text(day)}.",
            "Activate a policy with a row for it; `yidai policy check` lists what is open.",
        )


@dataclass(frozen=True, slots=True)
class Caps:
    """The ceilings that hold for one case on one day, whoever decides."""

    limit_cap: CapRow
    rate_cap: CapRow
    exposure_cap: CapRow | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The rows that hold for one case on one day."""

    cutoff: CutoffRow
    limit: LimitRow
    price: PriceRow
    limit_cap: CapRow
    rate_cap: CapRow
    exposure_cap: CapRow | None = None
    priced_by: str = ""
    """Of a price with a cost what set it: ``least``, ``cost``, or the ``cap`` that the cost would exceed."""

    def priced(self, pd: float) -> Terms:
        """With the rate that covers the cost of a PD, where the price has one."""
        price, cap = self.price, self.rate_cap.value
        if price.cost is None:
            return self
        covering = price.cost.rate_ppm(pd)
        rate = min(max(covering, price.rate_ppm), cap)
        by = "cap" if covering > cap else "cost" if covering > price.rate_ppm else "least"
        return replace(self, price=msgspec.structs.replace(price, rate_ppm=rate), priced_by=by)

    @property
    def caps(self) -> Caps:
        """Those that bind a person too."""
        return Caps(self.limit_cap, self.rate_cap, self.exposure_cap)

    @property
    def ids(self) -> dict[str, str]:
        """The id of each row by its table."""
        found = (self.cutoff, self.limit, self.price, self.limit_cap, self.rate_cap)
        ids = {name: row.id for name, row in zip(NAMES, found, strict=True)}
        return ids | ({"exposure_caps": self.exposure_cap.id} if self.exposure_cap else {})


@dataclass(frozen=True, slots=True)
class ReadyTables:
    """Products and segments by place on their axes, and the tables."""

    products: Mapping[str, int]
    segments: Mapping[str, int]
    cutoffs: DatedTable[CutoffRow]
    limits: DatedTable[LimitRow]
    prices: DatedTable[PriceRow]
    limit_caps: DatedTable[CapRow]
    rate_caps: DatedTable[CapRow]
    exposure_caps: DatedTable[CapRow]
    _found: dict[tuple[str, str, int, int, int], Terms] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _days: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Days on which some row begins or ends: between two of them all days have the same rows."""

    def __post_init__(self) -> None:
        tables = (
            self.cutoffs, self.limits, self.prices, self.limit_caps, self.rate_caps, self.exposure_caps
        )  # fmt: skip
        object.__setattr__(self, "_days", tuple(sorted({day for table in tables for day in table.edges[-1]})))

    def cutoff(self, product: str, segment: str, grade: int, day: int) -> CutoffRow:
        """What becomes of a grade.

        Raises:
            NoRow: the table has none.
        """
        return _held(self.cutoffs, "cutoffs", (*self._case(product, segment), grade, day))

    def terms(self, product: str, segment: str, grade: int, term: int, day: int) -> Terms:
        """All rows of a case with a term in months.

        Raises:
            NoRow: a table has none.
        """
        asked = (product, segment, grade, term, bisect_right(self._days, day))
        found = self._found.get(asked)
        if found is None:
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            found = self._found[asked] = self._terms(product, segment, grade, term, day)
        return found

    def caps(self, product: str, segment: str, day: int) -> Caps:
        """The ceilings of a case.

        Raises:
            NoRow: a table has none.
        """
        at = (*self._case(product, segment), day)
        return Caps(
            _held(self.limit_caps, "limit_caps", at),
            _held(self.rate_caps, "rate_caps", at),
            self.exposure_cap(product, segment, day),
        )

    def exposure_cap(self, product: str, segment: str, day: int) -> CapRow | None:
        """What may be promised to a household at a time; None where nothing bounds it."""
        return self.exposure_caps.find((*self._case(product, segment), day))

    def _terms(self, product: str, segment: str, grade: int, term: int, day: int) -> Terms:
        case = self._case(product, segment)
        return Terms(
            _held(self.cutoffs, "cutoffs", (*case, grade, day)),
            _held(self.limits, "limits", (*case, grade, day)),
            _held(self.prices, "prices", (*case, grade, term, day)),
            _held(self.limit_caps, "limit_caps", (*case, day)),
            _held(self.rate_caps, "rate_caps", (*case, day)),
            self.exposure_caps.find((*case, day)),
        )

    def places(
        self,
        product: NDArray[np.int64],
        segment: NDArray[np.int64],
        grade: NDArray[np.int64],
        term: NDArray[np.int64],
        day: NDArray[np.int64],
    ) -> dict[str, NDArray[np.int32]]:
        """The place of the row of each of [n] cases by table, -1 where there is none."""
        graded, capped = (product, segment, grade, day), (product, segment, day)
        return {
            "cutoffs": self.cutoffs.places(graded),
            "limits": self.limits.places(graded),
            "prices": self.prices.places((product, segment, grade, term, day)),
            "limit_caps": self.limit_caps.places(capped),
            "rate_caps": self.rate_caps.places(capped),
            "exposure_caps": self.exposure_caps.places(capped),
        }

    def _case(self, product: str, segment: str) -> tuple[int, int]:
        return self.products.get(product, -1), self.segments.get(segment, -1)


def ready_tables(document: PolicyDocument) -> ReadyTables | None:
    """The tables of a document; None for a policy without."""
    tables = document.tables
    if tables is None:
        return None
    products = {name: place for place, name in enumerate(document.products)}
    segments = {name: place for place, name in enumerate(segment_names(document))}
    since = first_day(document.effective_from)
    case = (Axis("product", 0, len(products) - 1), Axis("segment", 0, len(segments) - 1))
    grade, term, day = Axis("grade", 1, GRADES), Axis("term", 1, LONGEST_TERM), Axis("day", since, FOREVER)

    def boxes(rows: Iterable[Row], *middle: Callable[[Row], Range]) -> list[Box]:
        return [_box(row, products, segments, [each(row) for each in middle]) for row in rows]

    return ReadyTables(
        products,
        segments,
        make_table(tables.cutoffs, boxes(tables.cutoffs, _grades), (*case, grade, day)),
        make_table(tables.limits, boxes(tables.limits, _grades), (*case, grade, day)),
        make_table(tables.prices, boxes(tables.prices, _grades, _terms), (*case, grade, term, day)),
        make_table(tables.limit_caps, boxes(tables.limit_caps), (*case, day), _value),
        make_table(tables.rate_caps, boxes(tables.rate_caps), (*case, day), _value),
        make_table(tables.exposure_caps, boxes(tables.exposure_caps), (*case, day), _value),
    )


def segment_names(document: PolicyDocument) -> tuple[str, ...]:
    """The segments in order, ``general`` last."""
    return (*(segment.id for segment in document.segments), GENERAL)


def _held(table: DatedTable[R], name: str, point: Sequence[int]) -> R:
    found = table.find(point)
    if found is None:
        raise NoRow(name, point[-1])
    return found


def _box(row: Row, products: Mapping[str, int], segments: Mapping[str, int], middle: list[Range]) -> Box:
    last = end_day(row.effective_to) - 1 if row.effective_to else FOREVER
    days = (first_day(row.effective_from), last)
    return (
        _places(row.products, products),
        _places(row.segments, segments),
        *((each,) for each in middle),
        (days,),
    )


def _places(named: tuple[str, ...], known: Mapping[str, int]) -> tuple[Range, ...]:
    if not named:
        return ((0, len(known) - 1),)
    return tuple((known[name], known[name]) for name in named if name in known)


def _grades(row: Row) -> Range:
    assert isinstance(row, CutoffRow | LimitRow | PriceRow)
    return row.grades


def _terms(row: Row) -> Range:
    assert isinstance(row, PriceRow)
    return row.terms


def _value(row: CapRow) -> int:
    return row.value
