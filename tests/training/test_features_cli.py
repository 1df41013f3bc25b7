"""`yidai features build` and `verify`, as an analyst types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from features.calendar import instant
from features.errors import Invalid
from features.timeline.compaction import compact
from features.timeline.events import Pin
from features.timeline.lake import Lake
from tests.features.conftest import loaded, small_city
from training.features_cli import build_features, verify_features
from training.run import NoLake

__all__ = ["loaded", "small_city"]  # fixtures of this module


@pytest.fixture
def cli():
    app = typer.Typer()
    app.command("build")(build_features)
    app.command("verify")(verify_features)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words], env={"COLUMNS": "300"})


def test_the_city_is_built_begun_again_and_verified(cli, loaded, tmp_path) -> None:
    out, lake = tmp_path / "out", loaded.lake.root
    told = json.loads(cli("build", "--out", out, "--lake", lake, "--json").stdout)
    applications = loaded.lake.read(loaded.contracts["application"])
    assert told["rows"] == len(applications)
    assert told["columns"] == len(pq.read_schema(told["files"][0]).names) - 3
    assert told["manifest"]["pin_lake"] == loaded.lake.settled()
    again = cli("build", "--out", out, "--lake", lake, "--threads", 1)
    assert "Next: yidai features verify" in again.stdout
    assert json.loads(cli("verify", out, "--lake", lake, "--json").stdout)["different"] == 0
    assert "100 % equal bytes" in cli("verify", out, "--lake", lake).stdout


def test_a_difference_is_named_and_ends_with_code_one(cli, loaded, tmp_path) -> None:
    out, lake, pairs = tmp_path / "out", loaded.lake.root, tmp_path / "pairs.csv"
    person = int(loaded.lake.read(loaded.contracts["bank_transaction"]).subject[0])
    pairs.write_text(f"subject,as_of\n{person},2024-05-31\n")
    path = Path(json.loads(cli("build", pairs, "--out", out, "--lake", lake, "--json").stdout)["files"][0])
    table = pq.read_table(path)
    place = table.schema.names.index("bank_tenure")
    pq.write_table(
        table.set_column(place, "bank_tenure", pa.array([table["bank_tenure"][0].as_py() + 1])), path
    )
    found = cli("verify", out, "--lake", lake)
    assert found.exit_code == 1
    assert "1 of 1 rows differ" in found.stdout
    assert "bank_tenure" in found.stdout
    assert "2024-05-31" in found.stdout


def test_retention_is_named_as_the_cause_and_is_no_failure(cli, loaded, tmp_path) -> None:
    lake, pairs = tmp_path / "lake", tmp_path / "pairs.csv"
    shutil.copytree(loaded.lake.root, lake)
    person = int(loaded.lake.read(loaded.contracts["bank_transaction"]).subject[0])
    pairs.write_text(f"subject,as_of\n{person},2024-05-31\n")
    before = cli("build", pairs, "--out", tmp_path / "before", "--lake", lake)
    assert "what retention has left" not in before.stdout
    assert sum(done.aged for done in compact(Lake(lake), loaded.contracts, instant("2060-01-01"))) > 0
    found = cli("verify", tmp_path / "before", "--lake", lake)
    assert found.exit_code == 0
    assert "1 of 1 rows are aged: retention has dropped" in found.stdout
    told = json.loads(cli("verify", tmp_path / "before", "--lake", lake, "--json").stdout)
    assert (told["aged"], told["different"]) == (1, 0)
    after = cli("build", pairs, "--out", tmp_path / "after", "--lake", lake)
    assert "1 rows are as of a moment older than what retention has left" in after.stdout


def test_a_build_goes_on_in_the_lake_state_in_which_it_was_begun(cli, loaded, tmp_path) -> None:
    from features.build import manifest_of

    out, lake, pairs = tmp_path / "out", loaded.lake.root, tmp_path / "pairs.parquet"
    pq.write_table(pa.table({"subject": np.arange(3), "as_of": ["2024-05-31"] * 3}), pairs)
    assert cli("build", pairs, "--out", out, "--lake", lake).exit_code == 0
    state = out / "build.json"
    state.write_text(state.read_text().replace(f'"pin_lake":{loaded.lake.settled()}', '"pin_lake":1'))
    assert cli("build", pairs, "--out", out, "--lake", lake).exit_code == 0
    assert manifest_of(out).pin == Pin(1)


def test_without_a_lake_or_with_a_portfolio_outside_of_it_nothing_is_built(cli, loaded, tmp_path) -> None:
    found = cli("build", "--out", tmp_path / "out", "--lake", tmp_path / "none")
    assert isinstance(found.exception, NoLake)
    other = cli("build", "--out", tmp_path / "out", "--lake", loaded.lake.root, "--portfolio", "gmsc")
    assert isinstance(other.exception, Invalid)
    assert "not in the lake" in str(other.exception)
    assert not (tmp_path / "out").exists()
