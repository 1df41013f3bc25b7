"""Contracts and definitions as one plan: the same bytes give the same features everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from features.calendar import iso
from features.canonical import UNREADABLE, canonical_bytes, digest
from features.contracts.documents import BrokenDocument, read_yaml
from features.contracts.load import load_contracts
from features.contracts.model import Contract, History, Text
from features.definitions.columns import COMPOSITIONS, REQUEST, lay_columns
from features.definitions.composites import Composite, Composites
from features.definitions.conditions import BrokenDefinition
from features.definitions.model import Composition, Definition, DefinitionFile, PlanDocument
from features.definitions.online import OnlinePlan
from features.definitions.program import Program, compile_dataset
from features.errors import Integrity, Invalid
from features.kernel import Grid
from features.matrix import FeatureMatrix, Missing
from features.timeline.events import EventTable, Int64
from features.timeline.packed import PackedTimeline
from features.timeline.scan import BucketTables
from features.timeline.views import Reach, views

BUILTIN = Path(__file__).parent
"""The folder of the definitions that Yidai ships."""


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

    def __init__(self, document: PlanDocument, data: bytes | None = None) -> None:
        self.document = canonical_bytes(document) if data is None else data
        self.digest = digest(self.document)
        self.contracts: Mapping[str, Contract] = {
            contract.dataset: contract for contract in document.contracts
        }
        self.reasons: dict[str, Text] = {
            k: v for file in document.definitions for k, v in file.reasons.items()
        }
        self.views = views(self.contracts)
        self.columns = tuple(lay_columns(document.definitions, self.reasons, self._contract))
        self._at = {column.name: place for place, column in enumerate(self.columns)}
        self._programs = [self._compile(f) for f in document.definitions if f.dataset not in {"", REQUEST}]
        self._request = [
            (definition.column, self._at[definition.name])
            for file in document.definitions
            if file.dataset == REQUEST
            for definition in file.features
        ]
        self._composites = Composites.make([
            self._compose(definition)
            for file in document.definitions
            if not file.dataset
            for definition in file.features
        ])  # fmt: skip
        self._online = OnlinePlan.make(self._programs)
        self._snapshots = [p for p in self._programs if p.contract.history is History.SNAPSHOT]
        self._places = {
            name: np.array([at for at, column in enumerate(self.columns) if column.dataset == name])
            for name in {column.dataset for column in self.columns}
        }
        self.datasets = tuple(sorted({program.dataset for program in self._programs}))
        self.sources_of_subject = tuple(name for name in self.datasets if self._is_own(name))
        """The datasets that speak of the subject or its firms, without relatives' and places'."""
        self.of_relatives = tuple(n for n in self.datasets if n in self.views and self.views[n].relatives)
        """The views of those whose records need the consent of others."""

    @property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """The fields that the columns of each dataset or view are computed from."""
        return {program.dataset: tuple(program.columns) for program in self._programs}

    @property
    def lasting(self) -> frozenset[str]:
        """The datasets and views of which a feature asks what is true at the moment."""
        return frozenset(p.dataset for p in self._programs if any(grid == Grid.NOW for _, _, grid in p.slots))

    @staticmethod
    @lru_cache(maxsize=8)
    def load(document: bytes) -> FeaturePlan:
        """The plan in these bytes (``FeaturePlan.document``); the same bytes are compiled once.

        Raises:
            Integrity: not a plan, or one that no longer compiles.
        """
        try:
            plan = FeaturePlan(msgspec.json.decode(document, type=PlanDocument), document)
            canonical = canonical_bytes(msgspec.json.decode(document))
        except (*UNREADABLE, Invalid) as error:
            raise Integrity(f"the definitions cannot be read: {error}") from error
        if canonical != document:
            raise Integrity("the definitions are not in canonical form.")
        return plan

    def recompose(self, values: NDArray[np.float64], missing: NDArray[np.uint8]) -> None:
        """Fill the composed columns of a matrix [rows, columns] anew, after others of its columns changed."""
        self._composites.fill(values, missing)

    def build(
        self,
        tables: Mapping[str, EventTable],
        subjects: Int64,
        as_of: Int64,
        unavailable: Mapping[str, Missing] | None = None,
        request: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> FeatureMatrix:
        """One row for each (subject, as_of) pair.

        ``tables`` holds every dataset of ``datasets`` (of a bucket: with ``subjects`` sorted);
        ``unavailable`` says which of them were not asked (``SOURCE_DOWN``) or may not be read (``NOT_AUTHORISED``). ``request`` brings what the
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
        self._refuse_snapshots(tables, moments, masked)
        self._run(tables, wanted, moments, masked, values, missing)
        self._mask(masked, values, missing)
        self._composites.fill(values, missing)
        return FeatureMatrix(self.columns, values, missing)

    def build_packed(
        self,
        packed: Sequence[PackedTimeline],
        subjects: Int64,
        as_of: Int64,
        unavailable: Sequence[Mapping[str, Missing]],
        request: Mapping[str, NDArray[np.float64]] | None = None,
    ) -> FeatureMatrix:
        """As ``build``, of subjects that have each a timeline and missing datasets of its own.

        Raises:
            SnapshotTooEarly: an as-of date before the first snapshot of an overwritten source.
        """
        shape = (len(packed), len(self.columns))
        values = np.zeros(shape)
        missing = np.full(shape, Missing.NO_RECORD, dtype=np.uint8)
        self._fill_request(request or {}, values, missing)
        for at, (tables, masked) in enumerate(zip(packed, unavailable, strict=True)):
            row = slice(at, at + 1)
            moments = as_of[row]
            self._refuse_snapshots(tables, moments, masked)
            self._run(tables, subjects[row], moments, masked, values[row], missing[row])
            self._mask(masked, values[row], missing[row])
        self._composites.fill(values, missing)
        return FeatureMatrix(self.columns, values, missing)

    def _refuse_snapshots(
        self, tables: Mapping[str, EventTable], moments: Int64, masked: Mapping[str, Missing]
    ) -> None:
        for program in self._snapshots:
            if program.dataset not in masked:
                _refuse_early(program, tables[program.dataset], moments)

    def _mask(
        self, masked: Mapping[str, Missing], values: NDArray[np.float64], missing: NDArray[np.uint8]
    ) -> None:
        for name, kind in masked.items():
            if name in self._places:
                values[:, self._places[name]] = 0.0
                missing[:, self._places[name]] = kind

    def _run(
        self,
        tables: Mapping[str, EventTable],
        subjects: Int64,
        as_of: Int64,
        masked: Mapping[str, Missing],
        values: NDArray[np.float64],
        missing: NDArray[np.uint8],
    ) -> None:
        if isinstance(tables, PackedTimeline) and len(subjects) == 1:
            layout = self._online.layout(tables, masked)
            if layout is not None:
                self._online.run(tables, layout, int(as_of[0]), values, missing)
                return
        for program in self._programs:
            if program.dataset not in masked:
                for rows, table in _pieces(tables, program.dataset, subjects):
                    program.run(table, subjects[rows], as_of[rows], values[rows], missing[rows])

    def sources(self, name: str) -> tuple[str, ...]:
        """The datasets that a column is computed from."""
        return tuple(self.columns[self._at[name]].dataset.split("+"))

    def _fill_request(
        self,
        request: Mapping[str, NDArray[np.float64]],
        values: NDArray[np.float64],
        missing: NDArray[np.uint8],
    ) -> None:
        for name, place in self._request:
            if name in request:
                told = ~np.isnan(request[name])
                values[:, place] = np.where(told, request[name], 0.0)
                missing[:, place] = np.where(told, Missing.PRESENT, Missing.NO_RECORD)

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
        events = tuple(d for d in file.features if d.aggregate not in COMPOSITIONS)
        return compile_dataset(file.dataset, self._contract(file.dataset, "*"), events, self._at)

    def _compose(self, definition: Definition) -> Composite:
        of = tuple(self._at[name] for name in definition.of)
        return Composite(Composition(definition.aggregate), of, self._at[definition.name])


def _pieces(
    tables: Mapping[str, EventTable], name: str, subjects: Int64
) -> Iterable[tuple[slice, EventTable]]:
    if isinstance(tables, BucketTables):
        return tables.pieces(name, subjects)
    return [(slice(None), tables[name])]


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


def _refuse_early(program: Program, table: EventTable, as_of: Int64) -> None:
    if program.contract.history is History.SNAPSHOT and len(table) and len(as_of):
        first = int(table.known_from.min())
        if int(as_of.min()) < first:
            raise SnapshotTooEarly(program.dataset, first, int(as_of.min()))
