"""Whether the tables of a policy say exactly one thing for every case and day, and fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from serving.offers.schedule import all_in_ppm, schedule
from serving.policy.days import FOREVER, date_text
from serving.policy.findings import Finding, error, warning
from serving.policy.lending import LimitPolicy
from serving.policy.model import CapRow, CutoffRow, Outcome, PriceRow
from serving.policy.policy import Policy
from serving.policy.table import Box, Cell, DatedTable, meet
from serving.policy.terms import CAPS, NAMES, ReadyTables, segment_names

MILLION = 1_000_000
YEAR = 365
"""Days ahead for which a policy must have rows when it goes into force."""


def coverage(policy: Policy, on: int | None = None) -> Iterator[Finding]:
    """What is wrong with the tables; with a day ``on``, also whether they reach a year beyond it."""
    tables = policy.tables
    if tables is None:
        return
    for name in NAMES:
        yield from _covered(policy, name, _table(tables, name), on)
    yield from _capped(tables)
    yield from _costly(tables)
    yield from _all_in(policy, tables)
    yield from _large_enough(policy.limits, tables)
    yield from _ordered(tables)
    yield from _random(policy, tables)


def _covered(policy: Policy, name: str, table: DatedTable[object], on: int | None) -> Iterator[Finding]:
    since, until = table.axes[-1].first, table.last_named_day
    if policy.schema == 1:  # which did not say since when it speaks
        since = min(box[-1][0][0] for box in table.boxes)
    place = f"tables.{name}"
    for cell, more in _first(table.gaps(since, until)):
        problem = f"no row holds for {_case(policy, table, cell)}{more}."
        yield error("gap", place, problem, "Add a row, or widen one.")
    if name not in CAPS:
        for cell, more in _first(table.overlaps()):
            names = " and ".join(getattr(table.rows[k], "id", "") for k in cell.rows[:2])
            problem = f"{names} both hold for {_case(policy, table, cell)}{more}."
            yield error("overlap", place, problem, "Let exactly one of them hold.")
    if on is not None and until < max(on, since) + YEAR:
        problem = (
            f"its last row ends on {date_text(until + 1)}, within a year of {date_text(max(on, since))}."
        )
        yield error("runs_out", place, problem, "Add the row that follows.")


def _first(cells: Iterable[Cell]) -> Iterator[tuple[Cell, str]]:
    found = list(cells)
    if found:
        yield found[0], f" (and {len(found) - 1} more cases)" if len(found) > 1 else ""


def _case(policy: Policy, table: DatedTable[object], cell: Cell) -> str:
    products, segments = tuple(policy.document.products), segment_names(policy.document)
    told = []
    for axis, (low, high) in zip(table.axes, cell.ranges, strict=True):
        if axis.name == "product":
            told.append(f"product {products[low]}")
        elif axis.name == "segment":
            told.append(f"segment {segments[low]}")
        elif axis.name == "day":
            told.append(
                f"days from {date_text(low)} " + ("on" if high >= FOREVER else f"to {date_text(high)}")
            )
        else:
            told.append(f"{axis.name} {low}" + ("" if high == low else f" to {high}"))
    return ", ".join(told)


def _capped(tables: ReadyTables) -> Iterator[Finding]:
    caps = list(zip(tables.rate_caps.rows, tables.rate_caps.boxes, strict=True))
    for row, box in zip(tables.prices.rows, tables.prices.boxes, strict=True):
        over = _lower(row.rate_ppm, (*box[:2], box[-1]), caps)
        if over is not None:
            problem = f"the rate of {row.rate_ppm} ppm is above the cap {over.id} of {over.value} ppm."
            yield error(
                "above_cap", f"tables.prices: {row.id}", problem, "Lower the rate, or end the row before."
            )


def _costly(tables: ReadyTables) -> Iterator[Finding]:
    """Even who never defaults could not be charged what a loan costs."""
    caps = list(zip(tables.rate_caps.rows, tables.rate_caps.boxes, strict=True))
    for row, box in zip(tables.prices.rows, tables.prices.boxes, strict=True):
        least = row.cost.rate_ppm(0.0) if row.cost else 0
        over = _lower(least, (*box[:2], box[-1]), caps)
        if over is not None:
            problem = (
                f"its cost of {least} ppm is above the cap {over.id} of {over.value} ppm without any loss."
            )
            yield error("above_cap", f"tables.prices: {row.id}", problem, "Lower the parts of its cost.")


def _all_in(policy: Policy, tables: ReadyTables) -> Iterator[Finding]:
    """With the fee too a rate stays under its cap; a fee weighs most on the shortest term."""
    rules = policy.document.offers
    if rules is None or not rules.fee_ppm:
        return
    caps = list(zip(tables.rate_caps.rows, tables.rate_caps.boxes, strict=True))
    for row, box in zip(tables.prices.rows, tables.prices.boxes, strict=True):
        payments = schedule(MILLION, row.rate_ppm, row.terms[0], MILLION * rules.fee_ppm // MILLION)
        cost = all_in_ppm(MILLION, payments)
        over = _lower(cost, (*box[:2], box[-1]), caps)
        if over is not None and row.rate_ppm <= over.value:
            problem = (
                f"with the fee {row.terms[0]} months cost {cost} ppm a year, above the cap {over.id} of "
                f"{over.value} ppm: the fee would not be charged."
            )
            remedy = "Lower offers.fee_ppm, or begin the row at a longer term."
            yield warning("above_cap", f"tables.prices: {row.id}", problem, remedy)


def _lower(value: int, box: Box, caps: Sequence[tuple[CapRow, Box]]) -> CapRow | None:
    return next((cap for cap, where in caps if cap.value < value and meet(box, where)), None)


def _large_enough(limits: LimitPolicy, tables: ReadyTables) -> Iterator[Finding]:
    remedy = f"Let it be at least min_limit_fen, {limits.min_limit_fen}."
    lent = _lent(tables)
    for row, box in zip(tables.limits.rows, tables.limits.boxes, strict=True):
        least = max(limits.min_limit_fen, 1)
        if any(meet(box, each) for each in lent) and (row.max_limit_fen < least or row.inflow_share_ppm <= 0):
            problem = f"a limit of {row.max_limit_fen} fen is below the smallest loan."
            if row.inflow_share_ppm <= 0:
                problem = "a grade that may be lent to has no share of the inflow."
            yield error("too_small", f"tables.limits: {row.id}", problem, remedy)
    for name in ("limit_caps", "exposure_caps"):
        for cap in getattr(tables, name).rows:
            if cap.value < limits.min_limit_fen:
                problem = f"a cap of {cap.value} fen is below the smallest loan."
                yield error("too_small", f"tables.{name}: {cap.id}", problem, remedy)
    if limits.unverified_limit_fen < limits.min_limit_fen:
        problem = "unverified_limit_fen is below the smallest loan."
        yield error("too_small", "limits", problem, remedy)
    if limits.step_fen <= 0 or limits.min_limit_fen < 0:
        problem = "step_fen is above zero and min_limit_fen not below it."
        yield error("step", "limits", problem, "Mend them.")


def _lent(tables: ReadyTables) -> list[Box]:
    pairs = zip(tables.cutoffs.rows, tables.cutoffs.boxes, strict=True)
    return [box for row, box in pairs if row.outcome is not Outcome.DECLINE]


def _ordered(tables: ReadyTables) -> Iterator[Finding]:
    """A worse grade may not pay less: of two prices that differ by grade alone."""
    pairs = list(zip(tables.prices.rows, tables.prices.boxes, strict=True))
    for row, box in pairs:
        for other, where in pairs:
            without = (*box[:2], *box[3:]), (*where[:2], *where[3:])
            if row.grades[1] < other.grades[0] and _dearer(row, other) and meet(*without):
                problem = f"a worse grade pays less in {other.id} than a better one here."
                remedy = "Order rate_ppm by grade, and the parts of a cost with it."
                yield error("price_order", f"tables.prices: {row.id}", problem, remedy)
                break
    rows = list(zip(tables.cutoffs.rows, tables.cutoffs.boxes, strict=True))
    yield from _outcomes(rows)


def _outcomes(rows: list[tuple[CutoffRow, Box]]) -> Iterator[Finding]:
    order = list(Outcome)
    for row, box in rows:
        for other, where in rows:
            apart = (*box[:2], box[3]), (*where[:2], where[3])
            worse = order.index(row.outcome) > order.index(other.outcome)
            if row.grades[1] < other.grades[0] and worse and meet(*apart):
                problem = f"a worse grade fares better in {other.id} than a better one here."
                yield error("outcome_order", f"tables.cutoffs: {row.id}", problem, "Order outcomes by grade.")
                break


def _dearer(row: PriceRow, other: PriceRow) -> bool:
    """Whether of two that never default the first pays more, or more of each default."""
    least = [max(each.rate_ppm, each.cost.rate_ppm(0.0) if each.cost else 0) for each in (row, other)]
    loss = [each.cost.lgd_ppm if each.cost else 0 for each in (row, other)]
    return least[0] > least[1] or loss[0] > loss[1]


def _random(policy: Policy, tables: ReadyTables) -> Iterator[Finding]:
    stream = policy.document.random_approval
    if stream is None:
        return
    everywhere: Box = (*(((axis.first, axis.last),) for axis in tables.rate_caps.axes),)
    over = _lower(
        stream.rate_ppm, everywhere, list(zip(tables.rate_caps.rows, tables.rate_caps.boxes, strict=True))
    )
    if over is not None:
        problem = f"its rate of {stream.rate_ppm} ppm is above the cap {over.id} of {over.value} ppm."
        yield error("above_cap", "random_approval", problem, "Lower the rate.")
    if stream.max_limit_fen < policy.limits.min_limit_fen:
        problem = "its limit is below the smallest loan."
        yield error("too_small", "random_approval", problem, "Raise max_limit_fen.")
    if (stream.monthly_loss_fen is None) != (stream.lgd_ppm is None):
        problem = "a cap on expected loss needs monthly_loss_fen and lgd_ppm, both."
        yield error("part_missing", "random_approval", problem, "Write the other, or take it out.")
    if stream.lgd_ppm is not None and not 0 < stream.lgd_ppm <= MILLION:
        yield error(
            "range", "random_approval", "lgd_ppm is not within 1 to 1000000.", "Write 600000 for 60 %."
        )


def _table(tables: ReadyTables, name: str) -> DatedTable[object]:
    found: DatedTable[object] = getattr(tables, name)
    return found
