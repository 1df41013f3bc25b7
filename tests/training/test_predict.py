"""A file that no model has seen: scored by its own keys, its bad rows named, its label not needed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from features.errors import Invalid
from features.timeline.text import UnreadableFeed
from tests.training.conftest import applicants, write_flat
from tests.training.test_run import app
from training.models import ModelName
from training.portfolio import Portfolio, find_portfolio, load_portfolio
from training.predict import (
    NeedsVault,
    NoSuchModel,
    NothingToScore,
    OtherFeatures,
    find_model,
    predict_file,
    write_answers,
)
from training.run import prepare, train_model


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[Portfolio, Path]:
    """A flat portfolio with both models trained, and the folder of its models."""
    folder = tmp_path_factory.mktemp("flat")
    found = load_portfolio(write_flat(folder, applicants(600)))
    prepared = prepare(found)
    for name in ModelName:
        train_model(prepared, name, folder / "models", tracking=False)
    return found, folder / "models"


def file_of(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def predicted(world, path: Path, name: str = "rating"):
    portfolio, models = world
    return predict_file(portfolio, find_model(portfolio, name, models), path)


def without_label(lines: list[str]) -> list[str]:
    return [",".join(part for place, part in enumerate(line.split(",")) if place != 1) for line in lines]


@pytest.mark.parametrize("name", ["rating", "risk"])
def test_each_row_is_answered_in_the_order_of_the_file_under_its_own_key(world, tmp_path, name) -> None:
    lines = applicants(60, seed=9)
    lines[1:] = reversed(lines[1:])
    found = predicted(world, file_of(tmp_path, lines), name)
    assert found.key_names == ("id",)
    assert [one.key for one in found.answers] == [(line.split(",")[0],) for line in lines[1:]]
    assert [one.line for one in found.answers] == list(range(2, 62))
    assert all(0 < one.pd < 1 and 1 <= one.grade <= 10 for one in found.answers)


def test_it_gives_training_rows_the_scores_of_the_bundle_itself(world, tmp_path) -> None:
    portfolio, models = world
    scorer = find_model(portfolio, "risk", models)
    rows = prepare(portfolio).rows.matrix.select(scorer.columns)
    theirs = sorted(scorer.score(rows.values, rows.missing).pd.tolist())
    found = predicted(world, portfolio.data_folder() / "a.csv", "risk")
    assert sorted(one.pd for one in found.answers) == theirs


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines,
        without_label,
        lambda lines: [lines[0], *(line.replace(",1,", ",,").replace(",0,", ",,") for line in lines[1:])],
    ],
)
def test_the_label_may_be_there_missing_or_empty(world, tmp_path, change) -> None:
    lines = applicants(30, seed=4)
    full = predicted(world, file_of(tmp_path, lines))
    found = predicted(world, file_of(tmp_path, change(lines)))
    assert len(found.answers) == 30
    assert [one.key for one in found.answers] == [one.key for one in full.answers]


def test_a_label_that_is_nonsense_is_not_even_read(world, tmp_path) -> None:
    lines = applicants(5, seed=4)
    lines[2] = ",".join([lines[2].split(",")[0], "seventeen", *lines[2].split(",")[2:]])
    assert not predicted(world, file_of(tmp_path, lines)).findings


def test_risk_is_told_where_it_is_and_in_both_languages(world, tmp_path) -> None:
    lines = ["id,income,late,town", "poor,5.0,5,north", "rich,90.0,0,north"]
    poor, rich = predicted(world, file_of(tmp_path, lines)).answers
    assert poor.pd > 3 * rich.pd
    assert poor.grade > rich.grade
    assert [reason.zh for reason in poor.reasons][:2] in (["收入", "逾期次数"], ["逾期次数", "收入"])
    assert len(poor.reasons) <= 4
    assert "income" not in [reason.en for reason in rich.reasons]


def test_rows_that_break_the_contract_are_named_and_the_others_scored(world, tmp_path) -> None:
    lines = [
        "id,income,late,town",
        "a,abc,1,north",
        "b,40,1,north",
        "c,40,99,north",
        "d,40",
        ",40,1,north",
        "b2,41,96,new",
    ]
    found = predicted(world, file_of(tmp_path, lines))
    assert [one.key[0] for one in found.answers] == ["b", "b2"]
    assert {(f.line, f.field, f.value_class) for f in found.findings} == {
        (2, "income", "not a number"),
        (4, "late", "above the maximum"),
        (5, "", "wrong number of columns"),
        (6, "id", "empty"),
    }
    assert all(finding.remedy for finding in found.findings)


def test_a_key_that_stands_twice_is_scored_once_and_the_other_line_is_named(world, tmp_path) -> None:
    lines = ["id,income,late,town", "a,10,5,north", "b,40,1,north", "a,90,0,north"]
    found = predicted(world, file_of(tmp_path, lines))
    assert [(one.line, one.key[0]) for one in found.answers] == [(3, "b"), (4, "a")]
    assert [(f.line, f.value_class) for f in found.findings] == [(2, "the same key stands in a later line")]


def test_columns_in_another_order_and_columns_that_nobody_asked_for_do_no_harm(world, tmp_path) -> None:
    plain = predicted(world, file_of(tmp_path, ["id,income,late,town", "a,10,5,north"])).answers
    moved = predicted(world, file_of(tmp_path, ["town,shoe,late,income,id", "north,43,5,10,a"])).answers
    assert moved == plain


@pytest.mark.parametrize(
    ("lines", "kind", "said"),
    [
        (["id,income,town", "a,1,north"], UnreadableFeed, "lacks late"),
        (["income,late,town", "1,1,north"], UnreadableFeed, "lacks id"),
        (["id,income,late,town"], NothingToScore, "no row that can be scored"),
        (["id,income,late,town", "a,x,1,north"], NothingToScore, "Line 2, income: not a number"),
    ],
)
def test_a_file_that_cannot_be_scored_is_refused_with_its_place(world, tmp_path, lines, kind, said) -> None:
    with pytest.raises(kind, match=said) as caught:
        predicted(world, file_of(tmp_path, lines))
    assert "new.csv" in str(caught.value)


def test_a_file_that_is_not_there_is_refused(world, tmp_path) -> None:
    with pytest.raises(UnreadableFeed, match="cannot be read"):
        predicted(world, tmp_path / "none.csv")


def test_an_unknown_model_is_refused(world) -> None:
    with pytest.raises(NoSuchModel, match=r"no model 'magic'.*Train it first"):
        find_model(world[0], "magic", world[1])


def test_a_bundle_may_be_named_by_its_path_and_must_read_todays_features(world, tmp_path) -> None:
    portfolio, models = world
    (path,) = (models / "flat" / "rating").glob("*/bundle.json")
    assert find_model(portfolio, str(path), tmp_path).bundle.model == "rating"
    other = load_portfolio(write_flat(tmp_path, exclude=["town"]))
    with pytest.raises(OtherFeatures, match="other definitions of features"):
        find_model(other, str(path), tmp_path)


def test_the_sample_city_is_scored_by_the_service(tmp_path) -> None:
    with pytest.raises(NeedsVault, match="POST /v1/decisions"):
        predict_file(load_portfolio(find_portfolio("city")), None, tmp_path / "x.csv")  # type: ignore[arg-type]


def test_answers_are_written_as_csv_with_the_key_as_it_stood(world, tmp_path) -> None:
    found = predicted(
        world, file_of(tmp_path, ["id,income,late,town", "  007 ,5,5,north", '"a, ""b""",5,5,x'])
    )
    write_answers(found, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["  007 ", 'a, "b"']
    assert list(rows[0]) == ["id", "pd", "pd_low", "pd_high", "grade", "reasons_zh", "reasons_en"]
    assert float(rows[0]["pd"]) == found.answers[0].pd
    assert (float(rows[0]["pd_low"]), float(rows[0]["pd_high"])) == found.answers[0].interval
    assert float(rows[0]["pd_low"]) < found.answers[0].pd < float(rows[0]["pd_high"])
    assert "times late" in rows[0]["reasons_en"]
    with pytest.raises(Invalid, match="cannot be written"):
        write_answers(found, tmp_path / "none" / "out.csv")


def test_the_command_scores_a_file(world, tmp_path, monkeypatch) -> None:
    portfolio, models = world
    monkeypatch.setenv("YIDAI_HOME", str(models.parent))
    path = file_of(tmp_path, [*applicants(20, seed=3), "x,0,oops,1,north"])
    arguments = ["predict", "--portfolio", str(portfolio.folder), "--model", "risk", "--in", str(path), "--out",
                 str(tmp_path / "out.csv")]  # fmt: skip
    told = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "20 rows scored by flat.risk" in told
    assert "not a number" in told
    found = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    assert found["scored"] == 20
    assert found["findings"][0]["line"] == 22
    assert np.loadtxt(tmp_path / "out.csv", delimiter=",", skiprows=1, usecols=1).shape == (20,)
