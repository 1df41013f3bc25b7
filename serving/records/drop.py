"""A folder into which departments drop files: each is loaded once it is whole, and put aside with its report.

A file is whole when it has its final name (not ``.tmp`` or ``.part``) and has not changed since the last look.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from features.contracts.model import Contract
from features.errors import Invalid
from features.identity.vault import Vault
from features.timeline.ingest import FileReport, UnknownFeed, ingest_file, keep_findings, load_rows
from features.timeline.lake import Lake, LakeBusy
from serving.records.lines import read_lines

DONE, REFUSED = "done", "refused"
_UNFINISHED = (".tmp", ".part", ".swp")


class Refusal(msgspec.Struct, frozen=True):
    """Why a file could not be loaded."""

    file: str
    code: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Taken:
    """One file that was put aside, with what became of it."""

    path: Path
    report: FileReport | Refusal

    @property
    def loaded(self) -> int:
        """Rows that are new in the lake."""
        if isinstance(self.report, Refusal) or self.report.again:
            return 0
        return self.report.loaded


@dataclass(slots=True)
class DropFolder:
    """Looks at a folder again and again; ``look`` does one pass."""

    folder: Path
    contracts: Mapping[str, Contract]
    lake: Lake
    _sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self, vault: Vault, now: int) -> list[Taken]:
        """Load every file that is whole. Where somebody else writes to the lake the files wait for the next look.

        ``now`` (µs) dates refused rows that tell no time.
        """
        taken: list[Taken] = []
        for path in self._whole():
            try:
                with self.lake.writing():
                    report: FileReport | Refusal = self._load(path, vault, now)
            except LakeBusy:
                break
            except Invalid as error:
                report = Refusal(path.name, error.code, error.message, error.remedy)
            taken.append(Taken(self._put_aside(path, report), report))
        return taken

    def _whole(self) -> list[Path]:
        before, self._sizes = self._sizes, {}
        found: list[Path] = []
        for path in sorted(self.folder.iterdir()):
            if not path.is_file() or path.suffix in _UNFINISHED or path.name.startswith("."):
                continue
            stat = path.stat()
            self._sizes[path.name] = (stat.st_size, stat.st_mtime_ns)
            if before.get(path.name) == self._sizes[path.name]:
                found.append(path)
        return found

    def _load(self, path: Path, vault: Vault, now: int) -> FileReport:
        contract = self.contracts.get(path.name.split(".", 1)[0])
        if contract is None:
            raise UnknownFeed(Path(path.name), self.contracts)
        if path.suffix != ".ndjson":
            return ingest_file(path, contract, vault, self.lake, now)
        lines = read_lines(contract, path.read_bytes(), path.name, most=None)
        report = load_rows(contract, path.name, lines.table, vault, self.lake, now)
        keep_findings(self.lake, contract.dataset, path.name, lines.findings, now)
        bad = len({finding.line for finding in lines.findings})
        return msgspec.structs.replace(report, rows=lines.seen, quarantined=report.quarantined + bad)

    def _put_aside(self, path: Path, report: FileReport | Refusal) -> Path:
        folder = self.folder / (REFUSED if isinstance(report, Refusal) else DONE)
        folder.mkdir(exist_ok=True)
        target = folder / path.name
        if target.exists():
            with path.open("rb") as file:
                named = hashlib.file_digest(file, "sha256").hexdigest()[:12]
            target = folder / f"{path.name}.{named}"
        (folder / f"{target.name}.report.json").write_bytes(msgspec.json.encode(report))
        path.rename(target)
        return target
