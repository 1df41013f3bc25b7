"""Models of other makers predict the same as a bundle, or are refused with the place and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from features.canonical import code_of
from features.errors import Invalid
from features.matrix import Missing
from serving.cli import app
from tests.training.conftest import write_flat
from training.bundle import Bundle, Scorer, dump_bundle, load_bundle
from training.importing import import_model
from training.lightgbm_text import read_lightgbm
from training.logistic import logistic_document
from training.portfolio import Portfolio, load_portfolio

TOWNS = {"north": 0.0, "south": 1.0}
FEATURES = {"inc": "income", "lat": "late", "twn": "town"}


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory) -> Portfolio:
    return load_portfolio(write_flat(tmp_path_factory.mktemp("flat")))


def rows(count: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Income with gaps, times late, town as a number; and an outcome."""
    g = np.random.default_rng(seed)
    x = np.column_stack(
        [g.gamma(4, 10, count).round(1), g.poisson(1, count), g.integers(0, 2, count)]
    ).astype(float)
    odds = -1.5 - 0.05 * (x[:, 0] - 40) + 0.9 * x[:, 1] * (x[:, 2] > 0) + 0.3 * np.sin(x[:, 0] / 5)
    x[g.random(count) < 0.1, 0] = np.nan
    return x, (g.random(count) < 1 / (1 + np.exp(-odds))).astype(int)


def reasons_of(folder: Path, **changes: object) -> Path:
    columns = {name: {"feature": feature} for name, feature in FEATURES.items()}
    columns["twn"] |= {"codes": TOWNS, "unseen": 0.5}
    path = folder / "reasons.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, "columns": columns | changes}), encoding="utf-8")
    return path


def fitted(folder: Path, rounds: int = 30, **parameters: object) -> tuple[Path, lgb.Booster]:
    x, y = rows()
    settings = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 10,
        **parameters,
    }
    categorical = settings.pop("categorical", [])
    data = lgb.Dataset(x, label=y, feature_name=list(FEATURES), categorical_feature=categorical)
    booster = lgb.train(settings, data, rounds)
    path = folder / "model.txt"
    booster.save_model(path)
    return path, booster


def scored(bundle: Bundle, x: np.ndarray) -> np.ndarray:
    """PD [rows] of source rows through the bundle, its columns in its own order."""
    scorer = load_bundle(dump_bundle(bundle))
    town = np.array([code_of("north"), code_of("south")], dtype=float)
    held = {"income": x[:, 0], "late": x[:, 1], "town": town[x[:, 2].astype(int)]}
    values = np.column_stack([held[name] for name in scorer.columns])
    missing = np.where(np.isnan(values), Missing.NO_RECORD, Missing.PRESENT).astype(np.uint8)
    return 1 / (1 + np.exp(-scorer.score(np.where(missing == 0, values, 0.0), missing).log_odds / 1e9))


@pytest.mark.parametrize(
    "parameters",
    [
        {"num_leaves": 8}, {"max_depth": 3}, {"max_depth": 7, "num_leaves": 60}, {"num_leaves": 31, "max_depth": 6},
        {"use_missing": False}, {"is_unbalance": True}, {"num_leaves": 2}, {"num_leaves": 8, "sigmoid": 1.7},
    ],
    ids=["leaves8", "depth3", "depth7", "default", "no-missing", "unbalanced", "stumps", "sigmoid"],
)  # fmt: skip
def test_a_lightgbm_model_predicts_the_same(portfolio, tmp_path, parameters) -> None:
    path, booster = fitted(tmp_path, **({"max_depth": 7} | parameters))
    bundle = import_model(path, portfolio, reasons_of(tmp_path))
    fresh, _ = rows(600, seed=1)
    assert np.abs(scored(bundle, fresh) - booster.predict(fresh)).max() < 1e-9 * (
        1 + len(bundle.trees) ** 0.5
    )


def test_ten_trees_are_within_a_billionth(portfolio, tmp_path) -> None:
    path, booster = fitted(tmp_path, rounds=10, max_depth=7)
    fresh, _ = rows(600, seed=1)
    ours = scored(import_model(path, portfolio, reasons_of(tmp_path)), fresh)
    assert np.abs(ours - booster.predict(fresh)).max() < 1e-9


def test_the_contributions_of_a_tree_that_was_cut_are_lightgbms(portfolio, tmp_path) -> None:
    path, booster = fitted(tmp_path, rounds=3, max_depth=7, num_leaves=60)
    found = read_lightgbm(path)
    assert len(found.trees) > found.source_trees == 3
    bundle = import_model(path, portfolio, reasons_of(tmp_path))
    fresh, _ = rows(200, seed=1)
    theirs = booster.predict(fresh, pred_contrib=True)
    town = np.array([code_of("north"), code_of("south")], dtype=float)
    values = np.column_stack([fresh[:, 0], fresh[:, 1], town[fresh[:, 2].astype(int)]])
    missing = np.isnan(values).astype(np.uint8)
    ours = Scorer(bundle, "").score(np.where(missing, 0.0, values), missing)
    assert [column.name for column in bundle.columns] == list(FEATURES.values())
    assert ours.contributions / 1e9 == pytest.approx(theirs[:, :-1], abs=1e-6)
    assert ours.base / 1e9 == pytest.approx(theirs[0, -1], abs=1e-6)


@pytest.mark.parametrize(
    ("parameters", "problem", "remedy"),
    [
        ({"categorical": ["twn"], "min_data_per_group": 1, "cat_smooth": 0}, r"tree \d+, split on twn: .*set of categories", "as numbers"),
        ({"objective": "regression"}, "objective: .*'regression'", "objective=binary"),
        ({"objective": "multiclass", "num_class": 3}, "objective", "objective=binary"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "random forest", "boosting=gbdt"),
        ({"zero_as_missing": True}, r"split on \w+: it reads 0 as absent", "zero_as_missing=false"),
        ({"linear_tree": True}, "leaves are linear models", "linear_tree=false"),
    ],
    ids=["categories", "regression", "classes", "forest", "zeros", "linear"],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_with_place_and_remedy(
    portfolio, tmp_path, parameters, problem, remedy
) -> None:
    path, _ = fitted(tmp_path, **parameters)
    with pytest.raises(Invalid, match=problem) as refusal:
        import_model(path, portfolio, reasons_of(tmp_path))
    assert remedy in refusal.value.remedy


def test_a_leaf_behind_more_bounds_than_a_tree_can_hold_is_refused(tmp_path) -> None:
    x = np.random.default_rng(0).integers(0, 2, (4000, 9)).astype(float)
    settings = {
        "objective": "regression",
        "verbosity": -1,
        "num_leaves": 400,
        "min_data_in_leaf": 1,
        "num_threads": 1,
    }
    booster = lgb.train(settings, lgb.Dataset(x, label=x @ 2.0 ** np.arange(9)), 1)
    path = tmp_path / "model.txt"
    path.write_text(booster.model_to_string().replace("objective=regression", "objective=binary sigmoid:1"))
    with pytest.raises(Invalid, match=r"tree 0: a leaf of it lies behind [89] different bounds") as refusal:
        read_lightgbm(path)
    assert "max_depth=7" in refusal.value.remedy


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"inc": {"feature": "salary"}}, "'salary', for inc, is no feature"),
        ({"inc": {"feature": "late"}}, "late stands for two columns"),
        ({"inc": {"feature": "income", "reason": "WHIM"}}, "'WHIM' is no reason"),
        ({"twn": {"feature": "town"}}, "town is a category"),
        ({"twn": {"feature": "town", "codes": TOWNS}}, "has codes and no `unseen`"),
        ({"inc": {}}, "feature"),
    ],
    ids=["unknown", "twice", "reason", "category", "unseen", "shape"],
)
def test_a_wrong_map_is_refused(portfolio, tmp_path, changes, problem) -> None:
    path, _ = fitted(tmp_path, rounds=5, max_depth=3)
    with pytest.raises(Invalid, match=problem):
        import_model(path, portfolio, reasons_of(tmp_path, **changes))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x80\x04pickle", "neither a LightGBM text model nor"),
        (b"tree\nversion=v4\nrubbish", "LightGBM cannot read it"),
        (b"{", "it is no logistic regression"),
        (b'{"schema": 2, "kind": "logistic_regression", "intercept": 0}', "schema 2"),
        (b'{"schema": 1, "kind": "logistic_regression", "intercept": 0}', "no columns"),
    ],
    ids=["pickle", "rubbish", "brace", "schema", "empty"],
)  # fmt: skip
def test_a_file_that_is_no_model_is_refused(portfolio, tmp_path, data, problem) -> None:
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(Invalid, match=problem):
        import_model(path, portfolio, reasons_of(tmp_path))


def logistic(folder: Path, *, flipped: bool = False, **changes: object) -> tuple[Path, np.ndarray]:
    """A pipeline of scikit-learn as a document, and its PD of fresh rows."""
    x, y = rows()
    x = x[:, :2]
    imputer, scaler = SimpleImputer(), StandardScaler()
    model = LogisticRegression().fit(scaler.fit_transform(imputer.fit_transform(x)), 1 - y if flipped else y)
    document = logistic_document(
        model, ["inc", "lat"], scaler=scaler, imputer=imputer, bad=0 if flipped else 1
    )
    path = folder / "model.json"
    path.write_text(json.dumps(document | changes))
    fresh, _ = rows(500, seed=1)
    chances = model.predict_proba(scaler.transform(imputer.transform(fresh[:, :2])))
    return path, chances[:, 0 if flipped else 1]


@pytest.mark.parametrize("flipped", [False, True])
def test_a_logistic_regression_predicts_the_same(portfolio, tmp_path, flipped) -> None:
    path, theirs = logistic(tmp_path, flipped=flipped)
    bundle = import_model(path, portfolio, reasons_of(tmp_path))
    fresh, _ = rows(500, seed=1)
    assert np.abs(scored(bundle, fresh) - theirs).max() < 1e-9
    assert [column.sign for column in bundle.columns] == [-1, 1]


def test_categories_of_a_logistic_regression_are_texts(portfolio, tmp_path) -> None:
    town = {"name": "twn", "levels": {"north": -0.5, "south": 0.25}, "unseen": 0.125, "absent": 0.75}
    path, theirs = logistic(tmp_path, categories=[town])
    bundle = import_model(path, portfolio, reasons_of(tmp_path))
    fresh, _ = rows(500, seed=1)
    expected = np.log(theirs / (1 - theirs)) + np.where(fresh[:, 2] == 0, -0.5, 0.25)
    assert np.abs(scored(bundle, fresh) - 1 / (1 + np.exp(-expected))).max() < 1e-9


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        ({"name": "inc", "coefficient": 1.0}, "column inc: it says nothing of absent values"),
        ({"name": "inc", "coefficient": 1.0, "scale": 0, "absent": 0}, "its scale is 0"),
        ({"name": "twn", "coefficient": 1.0, "absent": 0}, "twn is a numeric there, and town a category"),
        ({"name": "age", "coefficient": 1.0, "absent": 0}, "column 'age' is not in it"),
    ],
)
def test_a_logistic_regression_with_a_gap_is_refused(portfolio, tmp_path, column, problem) -> None:
    path, _ = logistic(tmp_path, columns=[column])
    with pytest.raises(Invalid, match=problem):
        import_model(path, portfolio, reasons_of(tmp_path))


def test_the_command_writes_a_bundle_that_can_be_submitted(portfolio, tmp_path) -> None:
    path, _ = logistic(tmp_path)
    arguments = [
        "models",
        "import",
        str(path),
        "--portfolio",
        str(portfolio.folder),
        "--out",
        str(tmp_path / "models"),
    ]
    result = CliRunner().invoke(app, [*arguments, "--reasons", str(reasons_of(tmp_path)), "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    scorer = load_bundle(Path(found["path"]).read_bytes(), found["digest"])
    assert scorer.bundle.model == "challenger"
    assert scorer.bundle.definitions_digest == portfolio.plan.digest
