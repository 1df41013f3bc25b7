"""How well records find their people, against a city's truth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from features.canonical import code_of
from features.consent import Access, Purpose
from features.contracts.load import BUILTIN, load_contracts
from features.contracts.model import SubjectKind
from features.errors import Invalid
from features.identity.people import registered, written
from features.identity.resolution import resolve
from features.identity.vault import MemoryVault
from features.timeline.door import Door, MemoryLog
from features.timeline.ingest import load_rows
from features.timeline.lake import Lake
from features.timeline.text import read_text

REGISTER, PAPER = "population_register", "agricultural_machinery_paper"


@dataclass(frozen=True, slots=True)
class Resolution:
    """``recall`` is of the records whose person is in the register; ``review`` of all."""

    people: int
    records: int
    linked: int
    wrong: int
    missed: int
    review: int
    precision: float
    recall: float
    review_share: float
    seconds: float


def measure(city: Path) -> Resolution:
    """Ingest a city's register and paper records apart, resolve them, and compare with the truth.

    Raises:
        Invalid: it is no city, or one made before there were records on paper.
    """
    truth_file = city / "truth" / "paper.parquet"
    if not truth_file.is_file():
        raise Invalid(
            "there are no paper records here.", place=str(city), remedy="`yidai city make` writes them."
        )
    told = pq.read_table(truth_file).to_pylist()
    contracts = load_contracts([BUILTIN])
    vault = MemoryVault()
    with TemporaryDirectory(prefix="yidai-") as scratch:
        lake = Lake(Path(scratch))
        with lake.writing():
            for name in (REGISTER, PAPER):
                load_rows(contracts[name], name, read_text(city / "feeds" / f"{name}.csv"), vault, lake)
        door = Door(lake, Access("measurement", Purpose.UPKEEP, "", 0), MemoryLog())
        begun = time.perf_counter()
        people, subjects = registered(contracts, door, vault.texts())
        held = vault.held()
        matches = resolve([written(contracts[PAPER], record) for record in held], people)
        seconds = time.perf_counter() - begun
    whose = {code_of(row["entry"]): vault.find(SubjectKind.PERSON, row["id_number"]) for row in told}
    right = [whose[record.columns["entry"]] for record in held]
    sure = {m.record: subjects[m.person] for m in matches if m.sure}
    wrong = sum(right[record] != subject for record, subject in sure.items())
    there = sum(subject is not None for subject in right)
    review = len({m.record for m in matches} - sure.keys())
    found = len(sure) - wrong
    return Resolution(
        len(people), len(held), len(sure), wrong, there - found, review, found / max(len(sure), 1),
        found / max(there, 1), review / max(len(held), 1), round(seconds, 2),
    )  # fmt: skip
