"""Contracts and definitions as one plan: the same bytes give the same features everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import iso
from features.canonical import canonical_bytes, code_of, digest
from features.contracts.load import BrokenDocument, load_contracts, read_yaml
from features.contracts.model import Contract, History, Text
from features.definitions.composites import Composite, fill_composite
from features.definitions.model import Composition, Definition, DefinitionFile, PlanDocument
from features.definitions.program import (
    WITH_COLUMN,
    BrokenDefinition,
    Program,
    compile_dataset,
    parse_kind,
    parse_windows,
)
from features.errors import Integrity, Invalid
from features.kernel import Aggregate
from features.matrix import Column, ColumnKind, FeatureMatrix, Missing
from features.timeline.events import EventTable, Int64
from features.timeline.views import Reach, views

BUILTIN = Path(__file__).parent
"""The folder of the definitions that Yidai ships."""

REQUEST = "request"
"""The pseudo dataset of what an applicant asks for: its definitions have the aggregate ``value``."""

_COMPOSITIONS = {composition.value for composition in Composition}
_VALUE_OF_CODE = {Aggregate.LAST}
_WITHOUT_UNIT = {
    Aggregate.DISTINCT, Aggregate.TREND, Aggregate.VARIATION, Aggregate.SHARE_SUM, Aggregate.CONCENTRATION,
    Aggregate.YEAR_ON_YEAR, Aggregate.MONTHS_SINCE_VALUE, Aggregate.NEGATIVE_MONTHS, Aggregate.TOP_SHARE,
    Aggregate.MONTHS_UNTIL_VALUE, Aggregate.SEASONAL_VARIATION, Aggregate.WORKING_AGE_SHARE,
}  # fmt: skip


class SnapshotTooEarly(Invalid):
    """An as-of date about which an overwritten source can say nothing."""

    def __init__(self, dataset: str, first: int, as_of: int) -> None:
        super().__init__(
            f"dataset {dataset} is a snapshot first taken {iso(first)}; its state as of {iso(as_of)} was "
            "overwritten at the source.",
            remedy="Use later as-of dates, or leave its features out.",
        )


class FeaturePlan:
    """Compiled definitions. ``columns`` are in the order of every matrix that it builds."""

    def __init__(self, document: PlanDocument) -> None:
        self.document = canonical_bytes(document)
        self.digest = digest(self.document)
        self.contracts: Mapping[str, Contract] = {
            contract.dataset: contract for contract in document.contracts
        }
        self.reasons: dict[str, Text] = {
            k: v for file in document.definitions for k, v in file.reasons.items()
        }
        self.views = views(self.contracts)
        self.columns = tuple(self._lay_columns(document.definitions))
        self._at = {column.name: place for place, column in enumerate(self.columns)}
        self._programs = [self._compile(f) for f in document.definitions if f.dataset not in {"", REQUEST}]
        self._request = [
            (definition.column, self._at[definition.name])
            for file in document.definitions
            if file.dataset == REQUEST
            for definition in file.features
        ]
        self._composites = [
            self._compose(definition)
            for file in document.definitions
            if not file.dataset
            for definition in file.features
        ]
        self.datasets = tuple(sorted({program.dataset for program in self._programs}))
        self.sources_of_subject = tuple(name for name in self.datasets if self._is_own(name))
        """The datasets that speak of the subject or its firms, without relatives' and places'."""

    @staticmethod
    def load(document: bytes) -> FeaturePlan:
        """The plan in these bytes (``FeaturePlan.document``).

        Raises:
            Integrity: not a plan, or one that no longer compiles.
        """
        try:
            plan = FeaturePlan(msgspec.json.decode(document, type=PlanDocument))
        except (msgspec.DecodeError, Invalid) as error:
            raise Integrity(f"the definitions cannot be read: {error}") from error
        if plan.document != document:
            raise Integrity("the definitions are not in canonical form.")
        return plan

    def build(
        self,
        tables: Mapping[str, EventTable],
        subjects: Int64,
        as_of: Int64,
        unavailable: Mapping[str, Missing] | None = None,
        request: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> FeatureMatrix:
        """One row for each (subject, as_of) pair.

        ``tables`` holds every dataset of ``datasets``; ``unavailable`` says which of them were not
        asked (``SOURCE_DOWN``) or may not be read (``NOT_AUTHORISED``). ``request`` brings what the
        applicant asks for, one float array a field: it is known at ``as_of`` and in no department.

        Raises:
            SnapshotTooEarly: an as-of date before the first snapshot of an overwritten source.
        """
        shape = (len(subjects), len(self.columns))
        values = np.zeros(shape)
        missing = np.full(shape, Missing.NO_RECORD, dtype=np.uint8)
        wanted = np.ascontiguousarray(subjects, dtype=np.int64)
        moments = np.ascontiguousarray(as_of, dtype=np.int64)
        masked = unavailable or {}
        self._fill_request(request or {}, values, missing)
        for program in self._programs:
            if program.dataset not in masked:
                table = tables[program.dataset]
                _refuse_early(program, table, moments)
                program.run(table, wanted, moments, values, missing)
        for place, column in enumerate(self.columns):
            if column.dataset in masked:
                values[:, place] = 0.0
                missing[:, place] = masked[column.dataset]
        for composite in self._composites:
            fill_composite(composite, values, missing)
        return FeatureMatrix(self.columns, values, missing)

    def sources(self, name: str) -> tuple[str, ...]:
        """The datasets that a column is computed from."""
        return tuple(self.columns[self._at[name]].dataset.split("+"))

    def _lay_columns(self, files: Iterable[DefinitionFile]) -> list[Column]:
        columns: dict[str, Column] = {}
        for file in files:
            for definition in file.features:
                for column in self._columns_of(file, definition, columns):
                    if column.name in columns:
                        problem = f"column {column.name} is defined twice."
                        raise BrokenDefinition(file.dataset, definition.name, problem, "Rename one.")
                    columns[column.name] = column
        return list(columns.values())

    def _columns_of(
        self, file: DefinitionFile, definition: Definition, known: Mapping[str, Column]
    ) -> list[Column]:
        if definition.sign not in {-1, 0, 1}:
            raise BrokenDefinition(
                file.dataset, definition.name, f"sign {definition.sign} is not -1, 0 or 1."
            )
        if definition.reason not in self.reasons:
            problem = f"the reason {definition.reason!r} has no text."
            raise BrokenDefinition(
                file.dataset, definition.name, problem, "Add it to `reasons`, in zh and en."
            )
        if definition.aggregate in _COMPOSITIONS:
            return [self._composite_column(definition, known)]
        if file.dataset == REQUEST:
            return [_request_column(definition)]
        contract = self._contract(file.dataset, definition.name)
        kind = parse_kind(file.dataset, definition)
        field = contract.field(definition.column) if definition.column in contract.names else None
        is_code = field is not None and field.is_code and kind in _VALUE_OF_CODE
        counted = {Aggregate.DISTINCT, Aggregate.CONCENTRATION, Aggregate.TOP_SHARE, Aggregate.LAST}
        if field is not None and field.is_code and kind in WITH_COLUMN - counted:
            problem = f"{field.name} is a code: it has no {definition.aggregate}."
            raise BrokenDefinition(
                file.dataset, definition.name, problem, "Count it, or take its last value."
            )
        return [
            Column(
                definition.name + window.suffix,
                file.dataset,
                ColumnKind.CATEGORY if is_code else ColumnKind.NUMERIC,
                definition.sign,
                _titled(definition.zh, window.text),
                _titled(definition.en, window.text),
                definition.unit or (field.unit if field and kind not in _WITHOUT_UNIT else ""),
                definition.rationale,
                definition.reason,
                field.special_codes if field and kind in _VALUE_OF_CODE else (),
                tuple((code_of(text), text) for text in field.codes) if field and is_code else (),
            )
            for window in parse_windows(file.dataset, definition)
        ]

    def _composite_column(self, definition: Definition, known: Mapping[str, Column]) -> Column:
        for name in definition.of:
            if name not in known:
                raise BrokenDefinition(
                    "", definition.name, f"{name!r} is no column.", "Define it in an earlier file."
                )
        if len(definition.of) != 2 and definition.aggregate != Composition.TOTAL:
            raise BrokenDefinition("", definition.name, f"a {definition.aggregate} is of two columns.")
        sources = sorted({part for name in definition.of for part in known[name].dataset.split("+")})
        return Column(
            definition.name,
            "+".join(sources),
            sign=definition.sign,
            zh=definition.zh,
            en=definition.en,
            unit=definition.unit,
            rationale=definition.rationale,
            reason=definition.reason,
        )

    def _fill_request(
        self,
        request: Mapping[str, NDArray[np.float64]],
        values: NDArray[np.float64],
        missing: NDArray[np.uint8],
    ) -> None:
        for name, place in self._request:
            if name in request:
                values[:, place] = request[name]
                missing[:, place] = Missing.PRESENT

    def _is_own(self, name: str) -> bool:
        return name not in self.views or self.views[name].reach is Reach.OWNER

    def _contract(self, dataset: str, name: str) -> Contract:
        base, _, link = dataset.partition("@")
        if base not in self.contracts:
            raise BrokenDefinition(dataset, name, "there is no contract for its dataset.")
        if link and dataset not in self.views:
            known = [view for view in self.views if view.startswith(f"{base}@")]
            problem = f"no contract declares a link through which {base} is seen as {link!r}."
            raise BrokenDefinition(dataset, name, problem, f"Views: {', '.join(known) or 'none'}.")
        return self.contracts[base]

    def _compile(self, file: DefinitionFile) -> Program:
        events = tuple(d for d in file.features if d.aggregate not in _COMPOSITIONS)
        return compile_dataset(file.dataset, self._contract(file.dataset, "*"), events, self._at)

    def _compose(self, definition: Definition) -> Composite:
        of = tuple(self._at[name] for name in definition.of)
        return Composite(Composition(definition.aggregate), of, self._at[definition.name])


def load_plan(
    contract_folders: Iterable[Path], definition_folders: Iterable[Path], more: Iterable[DefinitionFile] = ()
) -> FeaturePlan:
    """A plan from folders of YAML. Files without a dataset (composites) come last.

    Raises:
        BrokenDocument, BrokenDefinition: with file or feature and what to mend.
    """
    contracts = load_contracts(contract_folders)
    paths = [path for folder in definition_folders for path in sorted(folder.glob("*.yaml"))]
    files = [*(_read_definitions(path) for path in paths), *more]
    files.sort(key=lambda file: not file.dataset)
    return FeaturePlan(PlanDocument(1, tuple(contracts.values()), tuple(files)))


def _read_definitions(path: Path) -> DefinitionFile:
    file = read_yaml(path, DefinitionFile)
    if file.schema != 1:
        raise BrokenDocument(path, f"schema {file.schema} is not known.", "Write schema: 1.")
    return file


def _request_column(definition: Definition) -> Column:
    if definition.aggregate != "value" or not definition.column:
        problem = "a feature of the request has the aggregate `value` and a column."
        raise BrokenDefinition(REQUEST, definition.name, problem)
    return Column(
        definition.name,
        REQUEST,
        sign=definition.sign,
        zh=definition.zh,
        en=definition.en,
        unit=definition.unit,
        rationale=definition.rationale,
        reason=definition.reason,
    )


def _titled(text: str, window: str) -> str:
    return text if window in {"all", "now"} else f"{text} ({window})"


def _refuse_early(program: Program, table: EventTable, as_of: Int64) -> None:
    if program.contract.history is History.SNAPSHOT and len(table) and len(as_of):
        first = int(table.known_from.min())
        if int(as_of.min()) < first:
            raise SnapshotTooEarly(program.dataset, first, int(as_of.min()))
