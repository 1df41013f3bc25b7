"""The command that tests fairness: who asks is logged, what cannot be tested is said, page and twin are written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.contracts.load import BUILTIN, load_contracts
from features.errors import Invalid
from features.identity.vault import MemoryVault
from features.timeline.door import FileLog
from features.timeline.ingest import ingest_folder
from features.timeline.lake import Lake
from serving.cli import app
from serving.governance.fairness import NoLakeOfGroups, fairness_of
from serving.policy.load import CITY
from serving.settings import Settings
from tests.features.conftest import small_city
from tests.training.conftest import write_flat
from training.bundle import Bins, Bundle, BundleColumn, dump_bundle
from training.models import master_scale
from training.portfolio import find_portfolio, load_portfolio
from training.predict import OtherFeatures

__all__ = ["small_city"]


def bundle(folder: Path, portfolio: str, definitions: str = "") -> Path:
    """A scorecard of one column by hand."""
    plan = load_portfolio(find_portfolio(portfolio)).plan
    column = next(c for c in plan.columns if c.name in {"bank_inflow_sum_12m", "income"})
    bins = Bins((30_000.0,), (500_000_000, -500_000_000), 0)
    columns = (BundleColumn(column.name, column.dataset, -1, "入", "inflow", column.reason),)
    made = Bundle(
        1, "city", "rating", "scorecard", "credit_approval", -2_500_000_000, columns, master_scale(),
        definitions or plan.digest, "", 0, (bins,),
    )  # fmt: skip
    path = folder / "bundle.json"
    path.write_bytes(dump_bundle(made))
    return path


@pytest.fixture(scope="module")
def settings(store, small_city: Path) -> Settings:
    """A home with the small city in its lake."""
    found, _ = store
    ingest_folder(small_city, load_contracts([BUILTIN]), MemoryVault(), Lake(found.lake_root))
    return found


def test_page_and_twin_are_written_and_the_read_is_logged_with_its_purpose(
    settings, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(settings.home))
    monkeypatch.setenv("YIDAI_DATABASE_URL", settings.database_url)
    out = tmp_path / "out"
    arguments = ["models", "fairness", str(bundle(tmp_path, "city")), "--out", str(out), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    twin = json.loads(Path(told["twin"]).read_text(encoding="utf-8"))
    assert twin["approved_to"] == 8
    assert "<svg" in Path(told["page"]).read_text(encoding="utf-8")
    assert 0 < told["figures"]["impact_ratio"] <= 1
    entries = [one for one in FileLog(settings.lake_root).entries() if one.purpose == "fairness_test"]
    assert [one.actor for one in entries] == ["yidai models fairness"]
    assert "fairness_attributes" in entries[0].datasets


def test_a_model_of_other_definitions_is_refused(settings, tmp_path) -> None:
    path = bundle(tmp_path, "city", definitions="0" * 64)
    with pytest.raises(OtherFeatures):
        fairness_of(settings, str(path), "city", CITY, tmp_path)


def test_a_portfolio_of_its_own_files_has_no_groups(settings, tmp_path) -> None:
    flat = write_flat(tmp_path / "flat")
    with pytest.raises(NoLakeOfGroups, match="use_lake"):
        fairness_of(settings, str(bundle(tmp_path, str(flat))), str(flat), CITY, tmp_path)


def test_without_a_lake_the_remedy_is_told(settings, tmp_path) -> None:
    empty = replace(settings, home=tmp_path / "empty")
    with pytest.raises(Invalid, match="yidai ingest"):
        fairness_of(empty, str(bundle(tmp_path, "city")), "city", CITY, tmp_path)
