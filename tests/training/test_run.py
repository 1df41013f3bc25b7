"""From a newcomer's folder to a bundle and its report, by command, and the same bytes again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from features.canonical import digest
from features.errors import Invalid
from tests.training.conftest import applicants, write_flat
from training import cli
from training.bundle import load_bundle
from training.models import ModelName
from training.portfolio import load_portfolio
from training.run import (
    NoLake,
    Trained,
    UnknownModel,
    lake_door,
    model_name,
    out_of_fold,
    prepare,
    train_model,
)
from training.sample import Unlearnable

app = typer.Typer()
app.command("train")(cli.train)
app.command("predict")(cli.predict)


@pytest.fixture(autouse=True)
def no_server(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path / "home"))


def trained(path: Path, name: ModelName, out: Path):
    return train_model(prepare(load_portfolio(path)), name, out)


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> dict[ModelName, Trained]:
    """Both models of 300 applicants."""
    folder = tmp_path_factory.mktemp("both")
    prepared = prepare(load_portfolio(write_flat(folder, applicants(300))))
    return {name: train_model(prepared, name, folder / "out", tracking=False) for name in ModelName}


@pytest.mark.parametrize("name", list(ModelName))
def test_a_training_leaves_a_bundle_that_loads_a_page_and_its_twin(both, name) -> None:
    found = both[name]
    assert found.folder.parts[-4:] == ("out", "flat", name, found.digest[:12])
    data = (found.folder / "bundle.json").read_bytes()
    assert digest(data) == found.digest
    assert load_bundle(data, found.digest).bundle.model == name
    page, twin = (
        (found.folder / "report.html").read_text(),
        json.loads((found.folder / "report.json").read_text()),
    )
    assert twin["origin"]["bundle"] == found.digest
    assert twin["metrics"]["rows"] == 300
    assert twin["metrics"]["auc"]["value"] > 0.6
    assert f"{twin['metrics']['auc']['value']:.3f}" in page
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/", "")
    assert {path.suffix for path in (found.folder / "plots").iterdir()} == {".svg"}


def test_the_booster_stands_beside_the_scorecard(both) -> None:
    report = both[ModelName.RISK].report
    assert report.challenger == both[ModelName.RATING].report.metrics
    assert report.gap is not None
    assert report.gap.value == pytest.approx(report.metrics.auc.value - report.challenger.auc.value)
    assert both[ModelName.RATING].report.challenger is None


def test_the_same_data_give_the_same_bundle_and_another_file_another(flat, tmp_path) -> None:
    first, again = (trained(flat, ModelName.RATING, tmp_path / "out") for _ in range(2))
    assert (first.digest, first.folder) == (again.digest, again.folder)
    other = trained(
        write_flat(tmp_path / "other", applicants(500, seed=1)), ModelName.RATING, tmp_path / "out"
    )
    assert other.digest != first.digest
    assert first.bundle.created_at == prepare(load_portfolio(flat)).sample.time.max()


def test_out_of_time_ships_the_bundle_that_was_judged(tmp_path) -> None:
    prepared = prepare(load_portfolio(write_flat(tmp_path / "p")))
    sample = prepared.sample
    dated = prepared.portfolio.file
    object.__setattr__(sample, "time", np.arange(len(sample)) * 86_400_000_000)
    folder = write_flat(tmp_path / "q", split={"kind": "out_of_time", "share": 0.4})
    assert dated.split != load_portfolio(folder).file.split
    late = type(prepared)(load_portfolio(folder), prepared.rows, sample, prepared.files)
    found = train_model(late, ModelName.RATING, tmp_path / "out")
    chosen = sample.matrix.select(load_bundle(found.data).columns)
    known = ~np.isnan(found.held_out)
    assert known.sum() == 200
    assert found.bundle.notes["rows"] == 300
    scores = load_bundle(found.data).score(chosen.values[known], chosen.missing[known])
    assert (scores.pd == found.held_out[known]).all()
    assert len(found.report.stability) > 3


def test_every_row_gets_a_prediction_out_of_fold(flat) -> None:
    prepared = prepare(load_portfolio(flat))
    pd = out_of_fold(prepared, ModelName.RATING)
    assert np.isfinite(pd).all()
    assert abs(pd.mean() - prepared.sample.target.mean()) < 0.03


def test_repeats_are_averaged(flat, tmp_path) -> None:
    prepared = prepare(load_portfolio(flat))
    once, thrice = (train_model(prepared, ModelName.RATING, tmp_path, repeats=n).report for n in (1, 3))
    assert once.split == "cross-validation in 3 folds"
    assert thrice.split == "cross-validation in 3 folds, 3 times"
    assert (
        once.metrics.auc.value != thrice.metrics.auc.value == pytest.approx(once.metrics.auc.value, abs=0.03)
    )


def test_ten_rows_are_refused_in_plain_words(tmp_path) -> None:
    with pytest.raises(Unlearnable, match="rows are too few"):
        trained(write_flat(tmp_path, applicants(10)), ModelName.RATING, tmp_path)


def test_columns_that_are_empty_or_constant_do_no_harm(tmp_path) -> None:
    lines = [",".join([*line.split(",")[:3], "", "north"]) for line in applicants(300)[1:]]
    found = trained(write_flat(tmp_path, ["id,bad,income,late,town", *lines]), ModelName.RATING, tmp_path)
    assert [column.name for column in found.bundle.columns] == ["income"]


@pytest.mark.parametrize("text", ["inf", "nan", "1e400"])
def test_a_number_that_is_not_finite_goes_to_quarantine(tmp_path, text) -> None:
    lines = applicants(200)
    first = lines[1].split(",")
    lines[1] = ",".join([first[0], first[1], text, first[3], first[4]])
    prepared = prepare(load_portfolio(write_flat(tmp_path, lines)))
    assert prepared.files[0].quarantined == 1
    assert np.isfinite(prepared.sample.matrix.values).all()


def test_a_portfolio_of_the_lake_without_a_lake_says_what_comes_first(tmp_path) -> None:
    with pytest.raises(NoLake, match=r"city reads the lake, and there is none.*yidai ingest"):
        lake_door(
            load_portfolio(Path(cli.__file__).parent / "portfolios" / "city" / "portfolio.yaml"),
            tmp_path / "none",
            0,
        )


def test_an_unknown_model_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(UnknownModel, match=r"no model 'magic'. Choose of: rating, risk"):
        model_name("magic")


def test_the_command_trains_prints_its_figures_and_what_comes_next(flat, tmp_path) -> None:
    done = CliRunner().invoke(app, ["train", "rating", "--portfolio", str(flat)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "flat.rating: AUC 0." in done.stdout
    assert "yidai models submit bundle" in done.stdout
    (bundle,) = (tmp_path / "home" / "models" / "flat" / "rating").glob("*/bundle.json")
    assert str(bundle) in done.stdout


def test_the_command_prints_one_json_document(flat) -> None:
    arguments = ["train", "rating", "--portfolio", str(flat), "--json"]
    found = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    assert found["figures"]["auc"] == found["report"]["metrics"]["auc"]["value"]
    assert len(found["digest"]) == 64
    assert found["run_id"] == ""


def test_a_command_on_a_broken_portfolio_raises_a_plain_error(tmp_path) -> None:
    with pytest.raises(Invalid, match="there is no such portfolio"):
        CliRunner().invoke(app, ["train", "rating", "--portfolio", str(tmp_path)], catch_exceptions=False)
