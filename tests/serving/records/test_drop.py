"""Files dropped in a folder are loaded once they are whole, and put aside with their report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from features.timeline.lake import Lake
from serving.records.drop import DropFolder
from tests.serving.feeding import vault_of
from tests.serving.records.sending import case, versions
from tests.serving.world import PLAN, Bank, number_of

HEADER = "id_number,case_id,filed_on,closed_on,amount,kind,published_at\n"
LINE = "{},{},2024-11-01,,100,civil,2024-11-05T09:00:00\n"
PEOPLE = [number_of(k) for k in (41, 42, 43)]


@pytest.fixture
def drop(bank: Bank, tmp_path: Path) -> DropFolder:
    return DropFolder(tmp_path, PLAN.contracts, Lake(bank.settings.lake_root))


def look(bank: Bank, drop: DropFolder) -> list[str]:
    return [str(each.path.relative_to(drop.folder)) for each in drop.look(vault_of(bank), bank.clock.now)]


def test_a_file_is_taken_when_it_is_whole(bank: Bank, drop: DropFolder) -> None:
    path = drop.folder / "court_case.monday.csv"
    path.write_text(HEADER + LINE.format(PEOPLE[0], "D1"))
    (drop.folder / "court_case.csv.tmp").write_text("half")
    assert look(bank, drop) == []
    path.write_text(HEADER + LINE.format(PEOPLE[0], "D1") + LINE.format(PEOPLE[0], "D2"))
    assert look(bank, drop) == []
    assert look(bank, drop) == ["done/court_case.monday.csv"]
    assert len(versions(bank, PEOPLE[0])) == 2
    report = json.loads((drop.folder / "done" / "court_case.monday.csv.report.json").read_text())
    assert (report["loaded"], report["quarantined"]) == (2, 0)
    assert sorted(p.name for p in drop.folder.iterdir()) == ["court_case.csv.tmp", "done"]


def test_lines_of_json_are_the_same_records(bank: Bank, drop: DropFolder) -> None:
    rows = [json.dumps(case(PEOPLE[1], "D1")), "no json", json.dumps(case(PEOPLE[1], "D2"))]
    for turn in range(2):
        (drop.folder / "court_case.ndjson").write_text("\n".join(rows) + "\n" * turn)
        assert look(bank, drop) == []
        assert len(look(bank, drop)) == 1
    assert len(versions(bank, PEOPLE[1])) == 2
    reports = [json.loads(p.read_text()) for p in sorted((drop.folder / "done").glob("*.report.json"))]
    assert sorted((r["loaded"], r["repeated"], r["quarantined"]) for r in reports) == [(0, 2, 1), (2, 0, 1)]


def test_what_cannot_be_loaded_is_refused_with_its_remedy(bank: Bank, drop: DropFolder) -> None:
    (drop.folder / "weather_on_mars.csv").write_text(HEADER)
    (drop.folder / "court_case.csv").write_bytes(b"")
    look(bank, drop)
    assert look(bank, drop) == ["refused/court_case.csv", "refused/weather_on_mars.csv"]
    report = json.loads((drop.folder / "refused" / "weather_on_mars.csv.report.json").read_text())
    assert report["code"] == "unknown_feed"
    assert report["remedy"]


def test_who_writes_already_is_waited_for(bank: Bank, drop: DropFolder) -> None:
    (drop.folder / "court_case.csv").write_text(HEADER + LINE.format(PEOPLE[2], "D1"))
    look(bank, drop)
    with Lake(bank.settings.lake_root).writing():
        assert look(bank, drop) == []
    assert look(bank, drop) == ["done/court_case.csv"]
