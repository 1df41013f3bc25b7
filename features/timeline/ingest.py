"""Feeds into the lake: good rows loaded, the others in quarantine, and twice is as good as once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from features.calendar import NULL
from features.contracts.model import Contract, FieldType, SubjectKind
from features.errors import Invalid
from features.identity.held import held_records, texts_of
from features.identity.vault import Vault
from features.terminal import Step
from features.timeline.events import Int64, RawEvents, mix
from features.timeline.feed import CheckedFeed, Finding, check_feed
from features.timeline.lake import Lake
from features.timeline.segments import put_bytes
from features.timeline.source import read_source
from features.timeline.text import RawTable, read_text

_LINKED = {FieldType.ID_NUMBER: SubjectKind.PERSON, FieldType.USCC: SubjectKind.LEGAL_PERSON}
"""Kind of the subject that a field of this type names; ids of other types name places."""


TOLD = 5
"""Findings of a file that its report repeats; the quarantine has all."""
_OUTSIDE = frozenset({"unknown code", "below the minimum", "above the maximum"})


class FileReport(msgspec.Struct, frozen=True):
    """What became of one file."""

    dataset: str
    file: str
    rows: int
    loaded: int
    repeated: int
    quarantined: int
    imputed_known: int
    again: bool = False
    held: int = 0
    """Rows without a valid number that wait for `yidai identity resolve`."""
    batch: int = 0
    """The version of its rows: later deliveries have higher ones."""
    within: int = 0
    """Values that were loaded of fields with codes or limits."""
    outside: int = 0
    """Values that were refused because they were outside of these."""
    findings: tuple[Finding, ...] = ()
    """The first ``TOLD`` reasons for which rows are in quarantine, by line."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of a folder of feeds."""

    files: tuple[FileReport, ...]

    @property
    def loaded(self) -> int:
        """Rows that are new in the lake."""
        return sum(report.loaded for report in self.files if not report.again)

    @property
    def quarantined(self) -> int:
        """Rows that broke their contract."""
        return sum(report.quarantined for report in self.files)


class HalfWritten(Invalid):
    """A city folder whose making did not end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            "this is not a whole city folder: city.json is missing.",
            place=str(folder),
            remedy="Make it again with `yidai city make`; a city is complete when city.json is there.",
        )


class UnknownFeed(Invalid):
    """A file for which there is no contract."""

    def __init__(self, path: Path, known: Iterable[str]) -> None:
        super().__init__(
            f"no contract has the dataset {path.stem!r}.",
            place=str(path),
            remedy=f"Name the file after its dataset: {', '.join(sorted(known))}.",
        )


def ingest_folder(
    folder: Path,
    contracts: Mapping[str, Contract],
    vault: Vault,
    lake: Lake,
    progress: Step | None = None,
    received: int | None = None,
) -> IngestReport:
    """Load every ``<dataset>.csv`` (or ``.csv.gz``) of a folder, or of its ``feeds`` if it is a city.

    A file that was loaded whole before is passed over. Rows that the lake holds already are counted as
    repeated. A killed run can be started again. ``received`` (µs) dates the refused rows that tell no time.

    Raises:
        HalfWritten: a city without its ``city.json``.
        UnknownFeed: a file that no contract knows; nothing of the folder is loaded then.
    """
    feeds = folder / "feeds"
    if feeds.is_dir() and not (folder / "city.json").exists():
        raise HalfWritten(folder)
    paths = sorted((feeds if feeds.is_dir() else folder).glob("*.csv*"))
    if not paths:
        raise Invalid(
            "there is no feed here.", place=str(folder), remedy="Feeds are <dataset>.csv or .csv.gz."
        )
    named = [(path, path.name.split(".", 1)[0]) for path in paths]
    for path, dataset in named:
        if dataset not in contracts:
            raise UnknownFeed(path, contracts)
    reports = []
    with lake.writing():
        for done, (path, dataset) in enumerate(named):
            if progress:
                progress(dataset, done, len(named))
            reports.append(ingest_file(path, contracts[dataset], vault, lake, received))
    return IngestReport(tuple(reports))


def ingest_source(contract: Contract, folder: Path, vault: Vault, lake: Lake) -> list[FileReport]:
    """Load the source that a portfolio's contract names, relative to the portfolio's data folder."""
    if contract.source is None:
        problem = f"dataset {contract.dataset} names no source."
        raise Invalid(problem, place=str(folder), remedy="Add `source: {files: [...]}` to its contract.")
    parts = read_source(contract.source, folder)
    with lake.writing():
        return [load_rows(contract, name, raw, vault, lake) for name, raw in parts]


def load_rows(
    contract: Contract, file: str, raw: RawTable, vault: Vault, lake: Lake, received: int | None = None
) -> FileReport:
    """Check and store the rows of one table; see ``ingest_folder``."""
    feed = check_feed(contract, raw, file, hold=True)
    version = lake.next_version()
    lake.begin(version)  # also of a file without a good row: the order of deliveries is told by it
    events = events_of(contract, feed, vault, version)
    for name, texts in feed.names.items():
        lake.remember(contract.dataset, name, version, events.columns[name], texts)
    loaded = lake.append(contract.dataset, events, feed.imputed)
    keep_findings(lake, contract.dataset, file, feed.findings, received)
    vault.keep(texts_of(contract, feed, events.subject))
    held = vault.hold(held_records(contract, feed.held)) if feed.held else 0
    bad = len({finding.line for finding in feed.findings})
    repeated = len(feed.numbers) - loaded
    imputed = int(feed.imputed.sum())
    within = sum(int((feed.columns[name] != NULL).sum()) for name in contract.limited if name in feed.columns)
    outside = sum(outside_limits(contract, finding) for finding in feed.findings)
    return FileReport(
        contract.dataset, file, feed.rows_seen, loaded, repeated, bad, imputed,
        held=held, batch=version, within=within, outside=outside,
        findings=tuple(sorted(feed.findings, key=_place)[:TOLD]),
    )  # fmt: skip


def quarantine(lake: Lake, dataset: str | None = None) -> list[Finding]:
    """Every finding that is on record, of one dataset or of all, by dataset, file and line."""
    return sorted((finding for each in deliveries_refused(lake, dataset) for finding in each), key=_place)


def _place(finding: Finding) -> tuple[str, str, int, str]:
    return finding.dataset, finding.file, finding.line, finding.field


def deliveries_refused(lake: Lake, dataset: str | None = None) -> Iterator[list[Finding]]:
    """The findings of each delivery that has some, of one dataset or of all."""
    for path in sorted((lake.root / "_quarantine").glob(f"{dataset or '*'}/*.json")):
        yield msgspec.json.decode(path.read_bytes(), type=list[Finding])


def outside_limits(contract: Contract, finding: Finding) -> bool:
    """Whether a value was refused because it is outside its field's codes or limits."""
    return finding.field in contract.limited and finding.value_class in _OUTSIDE


def reports_of(lake: Lake, dataset: str) -> list[FileReport]:
    """The reports of a dataset's files that were loaded whole, in the order of loading."""
    found = [msgspec.convert(each, FileReport) for each in lake.every_loaded(dataset)]
    return sorted(found, key=lambda each: (each.batch, each.file))


def ingest_file(
    path: Path, contract: Contract, vault: Vault, lake: Lake, received: int | None = None
) -> FileReport:
    """Load one file of a dataset; one that was loaded whole before is passed over. See ``ingest_folder``."""
    file_digest = _file_digest(path)
    before = lake.loaded(contract.dataset, file_digest)
    if before is not None:
        return msgspec.structs.replace(msgspec.convert(before, FileReport), again=True)
    report = load_rows(contract, path.name, read_text(path), vault, lake, received)
    lake.mark_loaded(contract.dataset, file_digest, report)
    return report


def events_of(contract: Contract, feed: CheckedFeed, vault: Vault, version: int) -> RawEvents:
    """A checked feed's rows under their subjects, whom the vault knows from then on."""
    columns = dict(feed.columns)
    for name, texts in feed.links.items():
        columns[name] = _linked(contract, name, texts, vault)
    subject = _ids(vault, contract.subject, pa.array(feed.numbers, pa.string()))
    key = mix([columns[name] for name in contract.key]) if contract.key else mix([subject])
    versions = np.full(len(subject), version, dtype=np.int64)
    return RawEvents(subject, feed.valid_from, feed.valid_to, feed.known_from, versions, key, columns)


def _linked(contract: Contract, name: str, texts: list[str | None], vault: Vault) -> Int64:
    kind = _LINKED.get(contract.field(name).type, SubjectKind.OPAQUE)
    column = pa.array(texts, pa.string())
    there = np.asarray(column.is_valid())
    out = np.full(len(texts), NULL)
    out[there] = _ids(vault, kind, column.drop_null())
    return out


def _ids(vault: Vault, kind: SubjectKind, numbers: pa.Array) -> Int64:
    """Ids of a column of numbers; the vault is asked for each once, in the order in which they come."""
    encoded = numbers.dictionary_encode()
    ids = vault.assign(kind, encoded.dictionary.to_pylist())
    return ids[np.asarray(encoded.indices, dtype=np.int64)]


def keep_findings(
    lake: Lake, dataset: str, file: str, findings: list[Finding], received: int | None = None
) -> None:
    """Keep a delivery's findings; a later delivery under the same name never takes them away.

    No row is known after it was ``received`` (µs), and what tells no time is known then. The same delivery again,
    as after a run that was cut off, changes nothing.
    """
    if not findings:
        return
    name = hashlib.sha256(msgspec.json.encode(findings)).hexdigest()[:12]
    path = lake.root / "_quarantine" / dataset / f"{file}.{name}.json"
    if not path.exists():
        put_bytes(path, msgspec.json.encode([_received(each, received) for each in findings]))


def _received(finding: Finding, at: int | None) -> Finding:
    if at is None or (finding.known is not None and finding.known <= at):
        return finding
    return msgspec.structs.replace(finding, known=at)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
