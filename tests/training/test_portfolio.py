"""A portfolio is YAML, and whatever is wrong in it is said with the file, the name and what to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.contracts.documents import BrokenDocument
from features.errors import Invalid
from tests.training.conftest import CONTRACT, write_flat
from training.documents import MODEL_KINDS
from training.portfolio import PORTFOLIOS, find_portfolio, load_portfolio

POPULATION = {"dataset": "applicants", "as_of": {"constant": "2026-01-01"}}
LABEL = {"kind": "column", "field": "bad", "bad": ["1"], "good": ["0"]}


def refusal(path: Path, kind: type[Exception] = Invalid) -> str:
    with pytest.raises(kind) as caught:
        load_portfolio(path)
    return str(caught.value)


def test_a_flat_file_gets_the_standard_features_and_never_its_label(flat) -> None:
    found = load_portfolio(flat)
    assert [column.name for column in found.plan.columns] == ["income", "late", "town"]
    assert found.name == "flat"
    assert found.data_folder() == flat.parent / "data"


def test_what_is_excluded_is_no_feature(tmp_path) -> None:
    found = load_portfolio(write_flat(tmp_path, exclude=["town"]))
    assert [column.name for column in found.plan.columns] == ["income", "late"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, ["schema 2 is not known", "Write schema: 1"]),
        ({"colour": "red"}, ["portfolio.yaml", "unknown field `colour`"]),
        ({"split": {"kind": "luck"}}, ["Invalid value 'luck'", "$.split.kind"]),
        ({"label": {"kind": "column", "field": "bad", "good": ["0"]}}, ["missing required field `bad`"]),
        ({"label": LABEL | {"field": "worst"}}, ["'worst' is no field of applicants", "Fields: bad, income"]),
        ({"population": POPULATION | {"dataset": "people"}}, ["population.dataset 'people' has no contract", "Contracts: applicants"]),
        ({"population": POPULATION | {"group": "street"}}, ["'street' is no field of applicants"]),
        ({"population": POPULATION | {"request": {"amount": "sum"}}}, ["'sum' is no field of applicants"]),
        ({"population": POPULATION | {"where": {"state": 1}}}, ["'state' is no field of applicants"]),
        ({"population": POPULATION | {"random": {"stream": "x"}}}, ["'stream' is no field of applicants"]),
        ({"population": POPULATION | {"as_of": {}}}, ["population.as_of needs a field or a constant"]),
        ({"population": POPULATION | {"as_of": {"field": "income", "constant": "2026-01-01"}}}, ["needs a field or a constant"]),
        ({"contracts": ["papers"]}, ["there is no folder 'papers'", "Make it, or mend the name"]),
        ({"features": ["own"]}, ["there is no folder 'own'"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_file(tmp_path, changes, said) -> None:
    told = refusal(write_flat(tmp_path, **changes))
    assert "portfolio.yaml" in told
    for part in said:
        assert part in told


def test_a_line_that_is_no_yaml_is_named(flat) -> None:
    flat.write_text("schema: 1\nportfolio: [flat\n", encoding="utf-8")
    assert "portfolio.yaml:3:1: not valid YAML" in refusal(flat, BrokenDocument)


def test_a_feature_that_reads_the_label_is_refused(tmp_path) -> None:
    path = write_flat(tmp_path, features=["own"])
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "applicants.yaml").write_text(
        "schema: 1\ndataset: applicants\nreasons: {R: {zh: 甲, en: r}}\nfeatures:\n"
        "  - {name: sly, aggregate: last, column: bad, zh: 甲, en: sly, rationale: none, reason: R}\n",
        encoding="utf-8",
    )
    assert "feature sly: it reads the label." in refusal(path)


def test_two_contracts_of_one_dataset_are_refused(flat) -> None:
    (flat.parent / "contracts" / "again.yaml").write_text(CONTRACT, encoding="utf-8")
    assert "dataset 'applicants' is declared twice" in refusal(flat)


def test_a_portfolio_is_found_by_file_folder_or_shipped_name(flat) -> None:
    assert find_portfolio(str(flat)) == find_portfolio(str(flat.parent)) == flat
    assert find_portfolio("gmsc").parent.name == "gmsc"


def test_an_unknown_portfolio_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(Invalid, match=r"there is no such portfolio.*berka, city, .*gmsc"):
        find_portfolio("atlantis")


def test_data_under_a_variable_that_is_not_set_are_refused_with_its_name(tmp_path, monkeypatch) -> None:
    found = load_portfolio(write_flat(tmp_path, data="${NOWHERE_SET}/data"))
    with pytest.raises(Invalid, match=r"\$\{NOWHERE_SET\}, which is not set. Set it, or pass --data"):
        found.data_folder()
    monkeypatch.setenv("NOWHERE_SET", str(tmp_path))
    assert found.data_folder() == tmp_path / "data"


def test_a_data_folder_that_is_not_there_is_refused(tmp_path) -> None:
    found = load_portfolio(write_flat(tmp_path))
    with pytest.raises(Invalid, match=r"no such data folder. Pass --data FOLDER"):
        found.data_folder(tmp_path / "gone")
    with pytest.raises(Invalid, match="it names no data folder"):
        load_portfolio(write_flat(tmp_path, data="")).data_folder()


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PORTFOLIOS.glob("*/portfolio.yaml")))
def test_every_shipped_portfolio_loads_and_is_of_a_statutory_kind(name) -> None:
    found = load_portfolio(find_portfolio(name))
    assert found.name == name
    assert found.plan.columns
    assert found.file.model_kind in MODEL_KINDS
