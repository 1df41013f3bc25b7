"""A bundle as one SQL statement for PostgreSQL or DuckDB, equal to its scorer to the last unit.

The statement reads a table with, for each column of the bundle, ``"<name>"`` (double precision) and
``"<name>__missing"`` (0 present, 1 NO_RECORD, 2 SOURCE_DOWN, 3 NOT_AUTHORISED), and adds ``log_odds``
(1e-9 logits, bigint), ``pd`` and ``grade``; of a scorecard also what each column adds, ``"<name>__units"``.
What the scorer refuses, a present value that is null or not finite or a kind that does not exist, has the
score null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from features.errors import Invalid
from training.bounds import grade_bounds
from training.bundle import FIXED, MOST, Bins, Bundle, BundleColumn, Encoding, Line, Tree

LONGEST_NAME = 63
MOST_COLUMNS = 400
"""PostgreSQL's select list ends at 1,664 entries, and a column needs four."""
TREES_A_COLUMN = 20
"""A database's planner takes time that grows faster than an expression."""
_LARGEST = 1.7976931348623157e308
_KINDS = {"missing": "__missing", "units": "__units", "input": "__input"}


class Dialect(StrEnum):
    """The engines on which the statements are proved."""

    POSTGRES = "postgres"
    DUCKDB = "duckdb"


class NoStatement(Invalid):
    """A bundle that a database cannot hold as one statement."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, place="export to SQL", remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Writer:
    """What the dialects write differently."""

    dialect: Dialect

    def number(self, value: float) -> str:
        """A double that the engine reads to the last bit: from text, never by way of a decimal."""
        if self.dialect is Dialect.DUCKDB:
            return f"{value!r}" if "e" in repr(value) else f"{value!r}e0"
        return f"CAST('{value!r}' AS DOUBLE PRECISION)"

    def rounded(self, expression: str) -> str:
        """The nearest integer, halves to the even one, as a double."""
        if self.dialect is Dialect.DUCKDB:
            return f"round_even({expression}, 0)"
        return f"round({expression})"

    def integer(self, expression: str) -> str:
        """The nearest integer as bigint."""
        return f"CAST({self.rounded(expression)} AS BIGINT)"


def bundle_sql(bundle: Bundle, dialect: Dialect, table: str = "features") -> str:
    """The statement; ``table`` is written as an identifier, dots separate schema and table.

    Raises:
        NoStatement: too many columns, or a name that PostgreSQL would cut.
    """
    _check(bundle)
    writer = _Writer(dialect)
    source = ".".join(_name(part) for part in table.split("."))
    stages = {"inputs": (source, [*_columns(bundle, writer)])}
    terms = [str(bundle.base), *(_name(column.name, "units") for column in bundle.columns)]
    before = "inputs"
    for number, trees in enumerate(_batches(bundle.trees)):
        name = f"trees_{number}"
        whole = _total([_tree(bundle, tree, writer) for tree in trees])
        stages[name] = (before, [f"{whole} AS {_name(name, 'units')}"])
        terms.append(_name(name, "units"))
        before = name
    stages["scored"] = (before, [f"{_total(terms)} AS log_odds"])
    text = ", ".join(f"{name} AS (\n{_stage(*stage)})" for name, stage in stages.items())
    last = _stage("scored", [f"{_pd(bundle, writer)} AS pd", f"{_grade(bundle)} AS grade"])
    return f"{_head(bundle, dialect)}WITH {text}\n{last}"


def _batches(trees: tuple[Tree, ...]) -> Iterable[tuple[Tree, ...]]:
    rest = iter(trees)
    while batch := tuple(islice(rest, TREES_A_COLUMN)):
        yield batch


def _stage(source: str, parts: Sequence[str]) -> str:
    return "SELECT *" + "".join(f",\n  {part}" for part in parts) + f"\nFROM {source}\n"


def _check(bundle: Bundle) -> None:
    if len(bundle.columns) > MOST_COLUMNS:
        problem = f"{len(bundle.columns)} columns are more than the {MOST_COLUMNS} that fit into a statement."
        raise NoStatement(problem, "Export it as JSON.")
    for column in bundle.columns:
        if len(column.name.encode()) + max(map(len, _KINDS.values())) > LONGEST_NAME:
            raise NoStatement(f"the name {column.name!r} is too long for PostgreSQL.", "Export it as JSON.")


def _head(bundle: Bundle, dialect: Dialect) -> str:
    name = " ".join(f"{bundle.portfolio}.{bundle.model}".split())
    return f"-- {name}, sealed {bundle.seal[:12] or 'not'}, for {dialect.value}; log_odds in 1e-9 logits\n"


def _name(name: str, kind: str = "") -> str:
    return '"' + (name + _KINDS.get(kind, "")).replace('"', '""') + '"'


def _columns(bundle: Bundle, writer: _Writer) -> Iterable[str]:
    """What a column adds to the score, and what the trees read of it."""
    encodings = {encoding.column: encoding for encoding in bundle.encodings}
    for place, column in enumerate(bundle.columns):
        bins = bundle.bins[place] if bundle.bins else None
        line = bundle.lines[place] if bundle.lines else None
        yield f"{_units(column, bins, line, writer)} AS {_name(column.name, 'units')}"
        if bundle.trees:
            yield f"{_input(column, encodings.get(place), writer)} AS {_name(column.name, 'input')}"


def _units(column: BundleColumn, bins: Bins | None, line: Line | None, writer: _Writer) -> str:
    x, kind = _name(column.name), _name(column.name, "missing")
    present = [_points(column, bins, x, writer)] if bins else ["0"]
    present += [_line(line, x, writer)] if line else []
    absent = (bins.no_record if bins else 0) + (line.no_record if line else 0)
    return (
        f"CAST(CASE {kind} WHEN 1 THEN {absent} WHEN 2 THEN 0 WHEN 3 THEN 0 WHEN 0 THEN CASE WHEN {_finite(x, writer)} "
        f"THEN {' + '.join(present)} END END AS BIGINT)"
    )


def _finite(x: str, writer: _Writer) -> str:
    return f"{x} >= {writer.number(-_LARGEST)} AND {x} <= {writer.number(_LARGEST)}"


def _points(column: BundleColumn, bins: Bins, x: str, writer: _Writer) -> str:
    if not bins.edges and not bins.codes:
        return str(bins.points[0])
    pairs = zip(bins.codes, bins.code_points, strict=True)
    whens = [f"WHEN {x} = {writer.number(code)} THEN {points}" for code, points in pairs]
    if column.kind != "category":
        below = zip(bins.edges, bins.points[:-1], strict=True)
        whens += [f"WHEN {x} < {writer.number(edge)} THEN {points}" for edge, points in below]
    return f"CASE {' '.join(whens)} ELSE {bins.points[-1]} END"


def _line(line: Line, x: str, writer: _Writer) -> str:
    units = (
        f"({x} - {writer.number(line.centre)}) * {writer.number(line.slope)} * {writer.number(float(FIXED))}"
    )
    most = writer.number(float(MOST))
    return writer.integer(f"GREATEST(LEAST({units}, {most}), -{most})")


def _input(column: BundleColumn, encoding: Encoding | None, writer: _Writer) -> str:
    """What the trees compare: null where absent; where the scorer would refuse, a kind of its own below."""
    x, kind = _name(column.name), _name(column.name, "missing")
    whens = [f"WHEN {kind} <> 0 THEN NULL"]
    whens += [f"WHEN {x} = {writer.number(code)} THEN NULL" for code in column.absent_codes]
    if encoding is None:
        return f"CASE {' '.join(whens)} ELSE {x} END"
    pairs = zip(encoding.codes, encoding.values, strict=True)
    whens += [f"WHEN {x} = {writer.number(code)} THEN {writer.number(value)}" for code, value in pairs]
    return f"CASE {' '.join(whens)} ELSE {writer.number(encoding.other)} END"


def _tree(bundle: Bundle, tree: Tree, writer: _Writer) -> str:
    """A tree's value, rounded as the scorer rounds it.

    Each comparison weighs its sides: 1 and 0, or the training cover where the column is neutral. So
    ``(left * a + right * b) / (a + b)`` is the chosen side exactly, or their mean, and no side is written twice.
    """

    def value(child: int) -> str:
        return writer.number(tree.leaves[-1 - child]) if child < 0 else node(child)

    def node(place: int) -> str:
        name = bundle.columns[tree.columns[place]].name
        kind, x = _name(name, "missing"), _name(name, "input")
        left = f"{x} <= {writer.number(tree.thresholds[place])}"
        left += f" OR {x} IS NULL" if tree.missing_left[place] else ""
        covers = [writer.number(float(cover)) for cover in tree.cover[place]]
        one, nothing = writer.number(1.0), writer.number(0.0)
        a = f"CASE WHEN {kind} > 1 THEN {covers[0]} WHEN {left} THEN {one} ELSE {nothing} END"
        b = f"CASE WHEN {kind} > 1 THEN {covers[1]} WHEN {left} THEN {nothing} ELSE {one} END"
        whole = f"CASE WHEN {kind} > 1 THEN {writer.number(float(sum(tree.cover[place])))} ELSE {one} END"
        sides = value(tree.left[place]), value(tree.right[place])
        return f"(({sides[0]} * {a} + {sides[1]} * {b}) / {whole})"

    return writer.integer(node(0))


def _total(terms: Sequence[str]) -> str:
    """A balanced sum: engines limit how deep an expression may be nested."""
    if len(terms) <= 2:
        return " + ".join(terms)
    half = len(terms) // 2
    return f"({_total(terms[:half])}) + ({_total(terms[half:])})"


def _guarded(text: Callable[[], str]) -> str:
    return f"CASE WHEN log_odds IS NOT NULL THEN {text()} END"


def _pd(bundle: Bundle, writer: _Writer) -> str:
    """Within 1e-9 of the scorer's: engines differ in the last bit of an exponential."""

    def text() -> str:
        logit = f"GREATEST(LEAST(log_odds / {writer.number(float(FIXED))}, {writer.number(50.0)}), {writer.number(-50.0)})"
        one, billion = writer.number(1.0), writer.number(1e9)
        chance = f"{writer.rounded(f'{one} / ({one} + exp(-({logit}))) * {billion}')} / {billion}"
        return f"GREATEST({chance}, {writer.number(bundle.scale.floor)})"

    return _guarded(text)


def _grade(bundle: Bundle) -> str:
    """The grade by bounds of the integer score, exactly."""

    def text() -> str:
        bounds = grade_bounds(bundle.scale)
        if not bounds:
            return "1"
        whens = " ".join(f"WHEN log_odds < {bound} THEN {k}" for k, bound in enumerate(bounds, 1))
        return f"CASE {whens} ELSE {len(bounds) + 1} END"

    return _guarded(text)
