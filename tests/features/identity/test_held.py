"""Rows without a number are held and texts kept apart; a contract says by what people are recognised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from features.calendar import NEVER
from features.contracts.documents import BrokenDocument
from features.contracts.load import BUILTIN, check_contract, load_contract
from features.contracts.model import Contract, SubjectKind
from features.identity.held import events_of
from features.identity.numbers import person_check_digit
from features.identity.vault import MemoryVault
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake

PAPER = load_contract(BUILTIN / "agricultural_machinery_paper.yaml")
ROW = "{number},L1,李文海,1980-03-07,青山村1组9号,13800000001,{day},tractor,900,2023-06-01T09:00:00"
HEADER = "id_number,entry,name,birth_date,address,phone,bought_on,kind,value,published_at"
NUMBER = "330106198506120014"


def ingest(folder: Path, *rows: str) -> tuple[Any, MemoryVault, Lake]:
    feeds = folder / "feeds"
    feeds.mkdir()
    (feeds / f"{PAPER.dataset}.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    vault, lake = MemoryVault(), Lake(folder / "lake")
    (report,) = ingest_folder(feeds, {PAPER.dataset: PAPER}, vault, lake).files
    return report, vault, lake


def test_a_row_without_a_valid_number_is_held_and_its_neighbours_are_loaded(tmp_path: Path) -> None:
    number = NUMBER[:17] + person_check_digit(NUMBER[:17])
    rows = [ROW.format(number=text, day=day) for text, day in
            ((number, "2023-05-01"), ("", "2023-05-02"), ("123", "2023-05-03"), ("", "not a day"))]  # fmt: skip
    report, vault, lake = ingest(tmp_path, *rows)
    assert (report.loaded, report.held, report.quarantined) == (1, 2, 1)
    assert {text.text for text in vault.texts()} == {"李文海", "青山村1组9号", "13800000001"}
    table = lake.read(PAPER)
    assert set(table.columns) == {"entry", "birth_date", "bought_on", "kind", "value", "published_at"}
    held = vault.held()
    raw = events_of(PAPER, held, [7, 8], version=3)
    assert (raw.subject.tolist(), set(raw.version.tolist())) == ([7, 8], {3})
    assert raw.known_from.tolist() == [record.known_from for record in held]
    assert raw.valid_to.tolist() == [NEVER, NEVER]


def changed(**more: Any) -> Contract:
    return msgspec.structs.replace(PAPER, **more)


@pytest.mark.parametrize(
    "contract",
    [
        changed(identity={"name": "kind"}),
        changed(identity={"nickname": "name"}),
        changed(identity={"name": "name"}),
        changed(subject=SubjectKind.OPAQUE),
        changed(key=("name",)),
    ],
)
def test_a_contract_that_cannot_recognise_anybody_is_refused(contract: Contract) -> None:
    with pytest.raises(BrokenDocument):
        check_contract(contract, "paper")
