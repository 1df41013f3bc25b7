"""`yidai quality`: three tables, one document, and a page of one file that names every source."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from features.contracts.load import BUILTIN, load_contracts
from features.identity.vault import MemoryVault
from features.terminal import console
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.quality.cli import quality_app
from serving.quality.operations import UnknownDataset
from tests.features.timeline.test_ingest import number

CONTRACTS = load_contracts([BUILTIN])
MONTHS = [f"2024-{month:02}" for month in range(1, 10)]


def insurance(month: str, people: int) -> str:
    """What became known on the 20th of a month of the month before; every tenth base is empty."""
    before = f"{month[:5]}{int(month[5:]) - 1:02}" if month > "2024-01" else "2023-12"
    rows = (
        f"{number(p)},{before},{'' if p % 10 == 0 else 4000},E1,paid,{month}-20T09:00:00+08:00"
        for p in range(people)
    )
    return "\n".join(rows)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monthly feed whose last month is a tenth of the others, a feed refused whole, and nothing else."""
    home, feeds = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("feeds")
    months = [insurance(month, 10 if month == MONTHS[-1] else 100) for month in MONTHS]
    refused = f"{number(1)},2024-01-31,-1,E1,unpaid,"
    text = "\n".join(["id_number,period,base,employer,status,published_at", *months, refused])
    (feeds / "social_insurance.csv").write_text(text, encoding="utf-8")
    fields = [CONTRACTS["vehicle"].subject_field, *(f.name for f in CONTRACTS["vehicle"].fields)]
    (feeds / "vehicle.csv").write_text(
        ",".join(fields) + "\n" + "x," * (len(fields) - 1) + "\n", encoding="utf-8"
    )
    ingest_folder(feeds, CONTRACTS, MemoryVault(), Lake(home / "lake"))
    return home


def run(home: Path, *words: object) -> str:
    environment = {"YIDAI_HOME": str(home), "YIDAI_AS_OF": "2024-10-01"}
    console.width = 250  # as wide as the tables, whatever was set when it was made
    done = CliRunner().invoke(quality_app, [str(word) for word in words], env=environment)
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_three_tables_say_what_is_late_how_good_it_is_and_what_changes(home) -> None:
    said = run(home)
    assert "1 sources as of 2024-10-01, 0 late, 0 too poor" in said
    assert "2024-09" in next(line for line in said.splitlines() if "0.9091" in line)
    assert "0.10 x the usual" in said
    assert "vehicle" in said


def test_the_document_holds_all_of_it(home) -> None:
    found = json.loads(run(home, "--json", "--by", "day", "--dataset", "social_insurance"))
    assert (found["as_of"], found["by"]) == ("2024-10-01", "day")
    (scores,) = found["scores"]
    assert scores["accuracy"] == {"value": 810 / 811, "rows": 811}
    assert [each["period"] for each in scores["periods"]] == [f"{month}-20" for month in MONTHS]
    assert scores["periods"][0]["completeness"]["value"] == pytest.approx(1 - 0.1 / 3)
    (drift,) = found["drift"]
    assert drift["rows"] == [100] * 8 + [10]
    assert [(each["month"], each["change"], each["level"]) for each in drift["findings"]] == [
        ("2024-09", "volume", "act")
    ]


def test_the_page_is_well_formed_names_every_source_and_fetches_nothing(home, tmp_path) -> None:
    said = run(home, "--out", tmp_path / "out")
    text = (tmp_path / "out" / "quality.html").read_text(encoding="utf-8")
    assert str(tmp_path / "out" / "quality.html") in said.replace("\n", "")
    page = ET.fromstring(text)
    tags = [element.tag.rsplit("}", 1)[-1] for element in page.iter()]
    assert tags.count("svg") == 2, "the heat map and the one source with whole months"
    assert not {"script", "link", "img", "iframe", "image"} & set(tags)
    words = "".join(page.itertext())
    for name in ("social_insurance", "vehicle"):
        assert CONTRACTS[name].title.zh in words
        assert name in words
    for score in (
        "accuracy 准确性",
        "completeness 完整性",
        "consistency 一致性",
        "timeliness 及时性",
        "validity 有效性",
    ):
        assert score in words
    assert "prefers-color-scheme: dark" in text


def test_a_lake_without_a_row_has_a_page_too(tmp_path) -> None:
    assert "0 sources" in run(tmp_path, "--out", tmp_path)
    ET.fromstring((tmp_path / "quality.html").read_text(encoding="utf-8"))


def test_a_dataset_that_no_contract_has_is_refused(tmp_path) -> None:
    from serving.quality.operations import UnknownDataset

    done = CliRunner().invoke(quality_app, ["--dataset", "vehicles"], env={"YIDAI_HOME": str(tmp_path)})
    assert isinstance(done.exception, UnknownDataset)
    assert "vehicle" in str(done.exception)


def test_the_quarantine_lists_every_finding_of_a_dataset_or_of_all(home: Path) -> None:
    own = json.loads(run(home, "quarantine", "social_insurance", "--json"))
    assert [(f["file"], f["line"], f["field"], f["value_class"]) for f in own] == [
        ("social_insurance.csv", 812, "base", "below the minimum"),
        ("social_insurance.csv", 812, "period", "not a month"),
        ("social_insurance.csv", 812, "status", "unknown code"),
    ]
    every = json.loads(run(home, "quarantine", "--json"))
    assert {f["dataset"] for f in every} == {"social_insurance", "vehicle"}
    shown = run(home, "quarantine", "social_insurance")
    assert "3 findings in quarantine" in shown
    assert "812" in shown
    assert "Send the month as 2024-05." in shown


def test_the_quarantine_of_a_dataset_without_a_contract_is_refused(home: Path) -> None:
    done = CliRunner().invoke(quality_app, ["quarantine", "*"], env={"YIDAI_HOME": str(home)})
    assert isinstance(done.exception, UnknownDataset)
