"""What signals compare: features now, months ago and at the grant, the loan book, and what a model says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import NULL, months_before
from features.contracts.model import History
from features.definitions.columns import COMPOSITIONS, REQUEST
from features.definitions.model import Definition, DefinitionFile, PlanDocument
from features.definitions.plan import FeaturePlan
from features.loans.rows import Records
from features.matrix import FeatureMatrix, Missing
from features.timeline.door import Door, Share
from features.timeline.events import EventTable
from serving.watch.book import Book, datasets, open_book
from serving.watch.document import Name, SignalsDocument
from serving.watch.models import Ask, Models, Said, asks, say
from serving.watch.shares import build_shares
from serving.watch.signals import OF_THE_BOOK, OF_THE_WATCH, Values

Floats = NDArray[np.float64]
Int64 = NDArray[np.int64]
Given = Callable[[Book, int], Mapping[str, Floats]]
"""What a model says of a book as of a moment: float64 [loans] by name of ``OF_THE_WATCH``, NaN where nothing."""


@dataclass(slots=True)
class _Columns:
    """Columns that are being gathered."""

    values: dict[str, Floats] = field(default_factory=dict)
    known: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    refused: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def put(self, name: str, column: Floats) -> None:
        """A column that is known where it is a number."""
        self.known[name] = ~np.isnan(column)
        self.values[name] = np.nan_to_num(column)


@dataclass(frozen=True, slots=True)
class Part:
    """The features that are asked as they were known so many months before, or at the grant, and how to build them."""

    months: int
    grant: bool
    bases: frozenset[str]
    plan: FeaturePlan


@dataclass(frozen=True, slots=True)
class Reading:
    """What signals read, laid out once: ``whole`` has the features of all ``parts``."""

    names: tuple[Name, ...]
    whole: FeaturePlan
    parts: tuple[Part, ...]
    models: Models = field(default_factory=Models)
    asked: tuple[tuple[Ask, Part], ...] = ()

    @staticmethod
    def of(plan: FeaturePlan, signals: SignalsDocument, models: Models | None = None) -> Reading:
        """What a document reads of a plan, of its own definitions and of the models in force, whose features are read too.

        Raises:
            BrokenDefinition: a definition of the document that no contract carries.
        """
        names = tuple(Name.parse(name) for name in signals.reads)
        asked: dict[tuple[int, bool], set[str]] = {}
        for name in names:
            if name.base not in (*OF_THE_BOOK, *OF_THE_WATCH):
                asked.setdefault((name.months, name.grant), set()).add(name.base)
        models = models or Models()
        told = tuple((one, _part_of(plan, one)) for one in asks(models, names))
        everything = {base for bases in asked.values() for base in bases}
        everything |= {base for _, part in told for base in part.bases}
        parts = tuple(
            Part(*when, frozenset(bases), narrowed(plan, signals.definitions, bases))
            for when, bases in asked.items()
        )
        return Reading(names, narrowed(plan, signals.definitions, everything), parts, models, told)

    @property
    def relatives(self) -> dict[str, Missing]:
        """What relatives' records would tell: they agreed to no watch."""
        views = self.whole.views.items()
        return {name: Missing.NOT_AUTHORISED for name, view in views if view.relatives}


@dataclass(frozen=True, slots=True)
class Sources:
    """Records that were read: the book's and those of the features, who allows what, and what never came. Where
    ``shares`` are None everybody allows all but ``left_out``.
    """

    book: Mapping[str, EventTable]
    tables: Mapping[str, EventTable]
    shares: Sequence[Share] | None
    silent: Mapping[str, Missing]
    left_out: Mapping[str, Missing] = field(default_factory=dict)

    def shares_of(self, rows: int) -> Sequence[Share]:
        """Who of so many rows allows what."""
        return [Share(np.arange(rows), dict(self.left_out))] if self.shares is None else self.shares


def gather(
    plan: FeaturePlan,
    signals: SignalsDocument,
    door: Door,
    now: int,
    given: Given | None = None,
    reading: Reading | None = None,
    own: Int64 | None = None,
) -> tuple[Book, Values]:
    """The open book as of ``now`` and every value that the signals read of it.

    Borrowers' relatives agreed to no watch: what their households would tell is not authorised. Of a borrower
    without a consent the bank's own records are read and nothing else. A dataset of which nothing has ever come
    tells nothing: it is no record of zero events. Who looks often keeps the ``reading`` of the plan and the signals.
    ``own`` are the codes of the loans that are the tenant's; without it all are.
    """
    reading, named = reading or Reading.of(plan, signals), datasets(plan.contracts)
    book_tables = door.whole(plan.contracts, named, needed=named).tables
    book = open_book(book_tables, now)
    book = book if own is None else book.take(np.isin(book.loan, own))
    wanted = set(reading.whole.datasets) - set(reading.relatives)
    tables, shares = door.shares(reading.whole.contracts, wanted, book.subject)
    sources = Sources(book_tables, tables, shares, never_came(reading, tables, door))
    return book, values_of(reading, sources, book, now, given)


def never_came(reading: Reading, tables: Mapping[str, EventTable], door: Door) -> dict[str, Missing]:
    """The datasets of which nothing has ever been delivered."""
    return {
        name: Missing.NO_RECORD
        for name in reading.whole.datasets
        if not (name in tables and len(tables[name])) and not door.delivered(name)
    }


def values_of(reading: Reading, sources: Sources, book: Book, now: int, given: Given | None = None) -> Values:
    """Every value of a book as of ``now``, from records that were read."""
    columns = _Columns()
    grants = Records(sources.book, now).loans
    _of_book(columns, reading.names, sources.book, book, now)
    columns.put("limit_yuan", _aligned(grants.limit / 100, grants.loan, book.loan))
    if given is not None:
        for name, column in given(book, now).items():
            columns.put(name, column)
    granted = _aligned(grants.granted_at, grants.loan, book.loan)
    for part in reading.parts:
        _of_features(columns, reading, part, sources, book, granted, now)
    if not reading.asked:
        return Values(columns.values, columns.known, columns.refused, now)
    said = _of_models(reading, sources, book, granted, now)
    for name, column in said.columns.items():
        columns.put(name, column)
    return Values(columns.values, columns.known, columns.refused, now, said.texts)


def _part_of(plan: FeaturePlan, ask: Ask) -> Part:
    bases = frozenset(ask.scorer.columns)
    return Part(ask.months, ask.grant, bases, narrowed(plan, (), bases))


def _of_models(reading: Reading, sources: Sources, book: Book, granted: Floats, now: int) -> Said:
    parts = dict(reading.asked)

    def build(ask: Ask, request: Mapping[str, Floats]) -> FeatureMatrix:
        return _matrix(reading, parts[ask], sources, book, granted, now, request)

    said = say(reading.models, tuple(parts), build, sources.book, book, now)
    for name in said.columns:
        if Name.parse(name).base.endswith("_grant"):
            said.columns[name] = np.where(np.isnan(granted), np.nan, said.columns[name])
    return said


def _of_book(
    columns: _Columns, names: Iterable[Name], tables: Mapping[str, EventTable], book: Book, now: int
) -> None:
    for months in {name.months for name in names if name.base in OF_THE_BOOK and not name.grant}:
        moment = months_before(now, months)
        then = open_book(tables, moment) if months else book
        for base, column in _told_by_book(then).items():
            columns.put(str(Name(base, months)), _aligned(column, then.loan, book.loan))


def _told_by_book(book: Book) -> dict[str, Floats]:
    told = {"dpd": book.dpd.astype(float), "overdue_yuan": book.overdue / 100}
    if book.standing is not None:
        more = book.standing
        told |= {"balance_yuan": more.balance / 100, "times_late": more.times_late.astype(float)}
        told["mob"] = np.where(more.mob < 0, np.nan, more.mob)
    return told


def _aligned(column: NDArray[Any], keys: Int64, wanted: Int64) -> Floats:
    """A column by its keys in the order of others; NaN where there is no such key, or nothing under it."""
    if not len(keys):
        return np.full(len(wanted), np.nan)
    order = np.argsort(keys, kind="stable")
    place = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    return np.where((keys[place] == wanted) & (column[place] != NULL), column[place], np.nan)


def _of_features(
    columns: _Columns, reading: Reading, part: Part, sources: Sources, book: Book, granted: Floats, now: int
) -> None:
    there = ~np.isnan(granted) if part.grant else np.ones(len(granted), dtype=bool)
    matrix = _matrix(reading, part, sources, book, granted, now, {})
    for place, column in enumerate(matrix.names):
        if column in part.bases:
            full = str(Name(column, part.months, part.grant))
            columns.values[full] = matrix.values[:, place]
            columns.known[full] = (matrix.missing[:, place] == Missing.PRESENT) & there
            columns.refused[full] = matrix.missing[:, place] == Missing.NOT_AUTHORISED


def _matrix(
    reading: Reading,
    part: Part,
    sources: Sources,
    book: Book,
    granted: Floats,
    now: int,
    request: Mapping[str, Floats],
) -> FeatureMatrix:
    """The features of a part for every loan, as they were known at its moment."""
    gone = {**sources.silent, **reading.relatives}
    if part.months or part.grant:  # the past of what is overwritten is not there
        gone |= {n: Missing.NO_RECORD for n in part.plan.datasets if _overwritten(part.plan, n)}
    moments = _moments(book, granted if part.grant else None, now, part.months)
    shares = sources.shares_of(len(moments))
    return build_shares(part.plan, sources.tables, shares, book.subject, moments, gone, request)


def _moments(book: Book, granted: Floats | None, now: int, months: int) -> Int64:
    if granted is None:
        return np.full(len(book.subject), months_before(now, months))
    return np.nan_to_num(granted).astype(np.int64)


def _overwritten(plan: FeaturePlan, dataset: str) -> bool:
    return plan.contracts[dataset.partition("@")[0]].history is History.SNAPSHOT


def narrowed(plan: FeaturePlan, more: Iterable[DefinitionFile], wanted: Iterable[str]) -> FeaturePlan:
    """The plan with these other definitions, cut to the wanted columns and what they are composed of.

    Raises:
        BrokenDefinition: one of the others speaks of what no contract has.
    """
    document = msgspec.json.decode(plan.document, type=PlanDocument)
    files = sorted([*document.definitions, *more], key=lambda file: not file.dataset)
    asked = set(wanted)
    for file in reversed(files):
        for definition in reversed(file.features):
            if definition.aggregate in COMPOSITIONS and definition.name in asked:
                asked |= set(definition.of)
    reasons = {code: text for file in files for code, text in file.reasons.items()}
    cut = [msgspec.structs.replace(file, features=_kept(file, asked), reasons=reasons) for file in files]
    return FeaturePlan(PlanDocument(1, document.contracts, tuple(file for file in cut if file.features)))


def _kept(file: DefinitionFile, asked: set[str]) -> tuple[Definition, ...]:
    kept = []
    for definition in file.features:
        if definition.aggregate in COMPOSITIONS or file.dataset == REQUEST:
            kept += [definition] if definition.name in asked else []
            continue
        windows = tuple(w for w in definition.windows if _column(definition.name, w) in asked)
        kept += [msgspec.structs.replace(definition, windows=windows)] if windows else []
    return tuple(kept)


def _column(name: str, window: str) -> str:
    return name if window in {"all", "now"} else f"{name}_{window}"
