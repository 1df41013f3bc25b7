"""The page of the departments: up to date, complete, and with nothing undocumented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from features.catalogue.load import load_catalogue
from features.catalogue.page import columns_of, departments_page, undocumented
from features.contracts.load import BUILTIN, load_contracts
from features.definitions.plan import BUILTIN as DEFINITIONS
from features.definitions.plan import load_plan

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "departments.md"
CONTRACTS = load_contracts([BUILTIN])
CATALOGUE = load_catalogue(CONTRACTS)
COLUMNS = load_plan([BUILTIN], [DEFINITIONS]).columns


def test_the_page_is_that_of_the_data() -> None:
    page = departments_page(CATALOGUE, CONTRACTS, COLUMNS)
    assert PAGE.read_text(encoding="utf-8") == page, "out of date: run `yidai features docs`"


def test_nothing_is_undocumented() -> None:
    gaps = undocumented(CATALOGUE, CONTRACTS, COLUMNS)
    assert not any(gaps.values())
    assert len(gaps) == 5


def test_what_lacks_a_text_is_counted() -> None:
    vehicle = CONTRACTS["vehicle"]
    bare = msgspec.structs.replace(vehicle.fields[0], en="")
    poor = CONTRACTS | {"vehicle": msgspec.structs.replace(vehicle, refresh="", fields=(bare,))}
    nameless = msgspec.structs.replace(CATALOGUE.departments[0], en="", datasets=())
    catalogue = msgspec.structs.replace(
        CATALOGUE, departments=(nameless, *CATALOGUE.departments[1:]), partners=CATALOGUE.partners
    )
    gaps = undocumented(catalogue, poor, [replace(COLUMNS[0], rationale="")])
    assert gaps["departments without a name or law"] == ["public_security"]
    assert gaps["datasets without a department"] == ["population_register", "residence_permit"]
    assert gaps["datasets without title, refresh, lag or basis"] == ["vehicle"]
    assert gaps["fields without both names"] == ["vehicle.plate"]
    assert gaps["columns without both names, rationale or reason"] == [COLUMNS[0].name]


def test_the_page_says_of_each_department_and_dataset_what_is_asked_of_it() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for owner in CATALOGUE.owners:
        assert f"| {owner.code} | {owner.zh} | {owner.en} |" in text
        assert owner.datasets or "no dataset under contract yet" in text
    for name, contract in CONTRACTS.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| [{name}](contracts.md#{name})"))
        assert f"`{contract.consent_category}`" in row
        assert all(f"`{column}`" in row for column in columns_of(COLUMNS).get(name, []))
    assert "none: fairness_test alone" in text


def test_a_column_is_named_with_every_dataset_that_it_reads() -> None:
    used = columns_of(COLUMNS)
    assert "bur_max_dpd_6m" in used["bureau_repayment"]
    composed = next(column for column in COLUMNS if "+" in column.dataset)
    for part in composed.dataset.split("+"):
        assert composed.name in used[part.split("@")[0]]
