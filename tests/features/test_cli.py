"""The commands over what is known, as a user types them; and the pages that they write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.cli import city_app, features_app
from features.contracts.load import BUILTIN as CONTRACTS
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan
from features.reference import contracts_page, features_page

PAGES = Path(__file__).parents[2] / "docs" / "reference"
PLAN = load_plan([CONTRACTS], [DEFINITIONS])


@pytest.fixture
def cli():
    app = typer.Typer()
    app.add_typer(city_app, name="city")
    app.add_typer(features_app, name="features")
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words], env={"COLUMNS": "300"})


def test_city_make_writes_a_city_and_says_what_to_do_next(cli, tmp_path) -> None:
    found = cli("city", "make", "--out", tmp_path / "c", "--households", 30, "--months", 36, "--seed", 4)
    assert found.exit_code == 0
    assert "30 households, 54 months" in found.stdout
    assert f"Next: yidai ingest {tmp_path / 'c'}" in found.stdout.replace("\n", "")
    assert (tmp_path / "c" / "city.json").exists()
    again = cli(
        "city",
        "make",
        "--out",
        tmp_path / "c",
        "--households",
        30,
        "--months",
        36,
        "--seed",
        4,
        "--json",
        "--shifted",
    )
    assert again.exit_code == 0
    assert json.loads(again.stdout.splitlines()[-1])["households"] == 30
    assert json.loads((tmp_path / "c" / "city.json").read_text())["shifted"] is True


@pytest.mark.parametrize("words", [("--households", 3), ("--months", 2), ("--months", 500), ()])
def test_a_city_out_of_bounds_or_without_a_folder_is_refused(cli, tmp_path, words) -> None:
    place = ("--out", tmp_path / "c") if words else ()
    found = cli("city", "make", *place, *words)
    assert found.exit_code == 2
    assert not (tmp_path / "c").exists()


def test_features_are_listed_all_or_of_one_dataset(cli) -> None:
    every = json.loads(cli("features", "list", "--json").stdout)
    assert [column["name"] for column in every] == [column.name for column in PLAN.columns]
    some = json.loads(cli("features", "list", "--dataset", "bureau_enquiry", "--json").stdout)
    assert {column["name"] for column in some} >= {"bur_hard_enq_cnt_6m", "enq_per_new_account"}
    assert all("bureau_enquiry" in column["dataset"].split("+") for column in some)
    table = cli("features", "list", "--dataset", "court_case").stdout
    assert "court_de" in table  # a narrow table wraps names and titles
    assert "被告" in table
    assert "free" in cli("features", "list", "--dataset", "loan").stdout


@pytest.mark.parametrize("name", ["contracts", "features"])
def test_the_reference_pages_are_those_of_the_data(name: str) -> None:
    page = contracts_page(PLAN.contracts) if name == "contracts" else features_page(PLAN)
    stored = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert stored == page, f"docs/reference/{name}.md is out of date: run `yidai features docs`"


def test_the_pages_are_written_by_the_command(cli, tmp_path) -> None:
    found = cli("features", "docs", "--out", tmp_path / "pages")
    assert found.exit_code == 0
    for name in ("contracts", "features", "departments"):
        assert (tmp_path / "pages" / f"{name}.md").read_bytes() == (PAGES / f"{name}.md").read_bytes()


def test_the_pages_name_every_column_reason_dataset_and_field() -> None:
    features, contracts = features_page(PLAN), contracts_page(PLAN.contracts)
    for column in PLAN.columns:
        assert f"| `{column.name}` | {column.zh} | {column.en} |" in features
    for code, text in PLAN.reasons.items():
        assert f"- `{code}`: {text.zh} / {text.en}" in features
    for name, contract in PLAN.contracts.items():
        section = contracts.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert f"- consent category: `{contract.consent_category}`" in section
        assert f"- retention: {contract.retention_months} months" in section
        assert all(f"| `{field.name}` | {field.type} |" in section for field in contract.fields)


def test_a_page_says_of_a_field_all_that_its_contract_demands() -> None:
    import msgspec

    from features.contracts.model import Contract
    from tests.features.worlds import WAGES

    fields = [{"name": "paid_on", "type": "date", "required": True}, {"name": "told_on", "type": "date"}, {"name": "until", "type": "date"},
              {"name": "x", "type": "decimal", "scale": 2, "min": 0, "max": 9.5, "special_codes": [96, 98], "unit": "m", "zh": "甲"}]  # fmt: skip
    times = {"valid_from": {"constant": "1990-01-01"}}
    contract = msgspec.convert(WAGES | {"fields": fields, "key": [], "times": times}, Contract)
    page = contracts_page({"wages": contract})
    assert "| `x` | decimal | 甲 |  | unit m; at least 0; at most 9.5; 2 decimals; special 96, 98 |" in page
    assert "- key: one row a subject" in page
    assert "- true from: 1990-01-01" in page
    assert "- known from: the usual lag; without it 0 days after" in page
