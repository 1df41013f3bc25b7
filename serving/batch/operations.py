"""What `yidai decide` does: a file of applications in, a file of answers out, in order and whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from features.errors import Invalid, NotFound
from features.terminal import Step
from serving.access.model import Permission
from serving.batch.draft import draft_of
from serving.batch.lines import read_lines
from serving.batch.service import BatchAnswer, told_bytes
from serving.operations import authority
from serving.serve import open_store
from serving.services import Services, with_services
from serving.settings import Settings

TOLD = 20
"""Refused lines that a report names."""


class NoApplications(NotFound):
    """A file that is not there."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            "there is no such file.", place=str(file), remedy="Name a file with an application in each line."
        )


class SameFile(Invalid):
    """Answers that would go over their applications."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            "this is the file of the applications.", place=str(file), remedy="Give --out another name."
        )


@dataclass(slots=True)
class BatchReport:
    """What became of a file; ``refused`` counts lines, ``first_refused`` are the first of them."""

    decided: int = 0
    repeated: int = 0
    refused: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    first_refused: list[BatchAnswer] = field(default_factory=list)


def decide_file(settings: Settings, file: Path, out: Path, progress: Step) -> BatchReport:
    """Decide the applications of ``file`` as YIDAI_TOKEN's actor; their answers are in ``out`` when all are there.

    A run that was stopped is run again: what it had decided is stored under its key and repeated.

    Raises:
        NoApplications, SameFile, BeingAnswered: nothing was decided.
    """
    if not file.is_file():
        raise NoApplications(file)
    if out.exists() and out.samefile(file):
        raise SameFile(out)
    database = open_store(settings)
    asker = authority(settings, database, Permission.DECIDE)
    report, whole = BatchReport(), file.stat().st_size

    async def run(held: Services) -> None:
        with file.open("rb") as source, draft_of(out) as target:
            async for told in held.batch.answers(asker, read_lines(_lines(source))):
                target.write(told_bytes(told))
                for each in told:
                    _add(report, each.line, each.outcome, repeated=each.repeated)
                progress(f"{report.decided + report.repeated:,} answered", source.tell(), max(whole, 1))

    with_services(settings, database, run)
    return report


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines one by one, so that the source can tell how far it was read."""
    while line := source.readline():
        yield line.rstrip(b"\r\n")


def _add(report: BatchReport, line: BatchAnswer, outcome: str, *, repeated: bool) -> None:
    if not outcome:
        report.refused += 1
        report.first_refused += [line] if len(report.first_refused) < TOLD else []
        return
    report.repeated += repeated
    report.decided += not repeated
    report.outcomes[outcome] += 1
