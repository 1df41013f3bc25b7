"""Weights by hand score as they were written, in the bundle's own form, and nonsense is refused with its place."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.canonical import code_of
from features.contracts.documents import BrokenDocument
from features.matrix import Missing
from serving.cli import app
from tests.training.conftest import write_flat
from tests.training.engines import by_duckdb, check, probes_of, table_of
from training.bundle import FIXED, Scorer, dump_bundle, load_bundle
from training.expert import NoScorecard, read_expert
from training.portfolio import PORTFOLIOS, Portfolio, find_portfolio, load_portfolio

LATE = {"feature": "late", "edges": [1, 3], "points": [10, -5, -40], "codes": {"96": -20}, "no_record": -3}
INCOME = {"feature": "income", "weight": 0.5, "centre": 40, "no_record": 0}
TOWN = {"feature": "town", "codes": {"north": 7, "south": -7}, "points": [-2], "no_record": 0}


def weights(folder: Path, *features: dict[str, object], **changes: object) -> Path:
    document = {
        "schema": 1, "name": "rating", "title": {"zh": "专家", "en": "Expert"}, "model_kind": "credit_approval",
        "dated": "2026-01-01", "basis": "a handbook", "scale": {"base_points": 600, "base_odds": 20, "pdo": 40},
        "features": list(features) or [LATE, INCOME, TOWN],
    } | changes  # fmt: skip
    path = folder / "weights.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Portfolio:
    return load_portfolio(write_flat(tmp_path_factory.mktemp("flat")))


@pytest.fixture(scope="module")
def scorer(portfolio, tmp_path_factory) -> Scorer:
    return load_bundle(dump_bundle(read_expert(weights(tmp_path_factory.mktemp("w")), portfolio)))


def points_of(late: float, income: float, town: str) -> float:
    """The sum as a clerk would add it up."""
    of_late = -20.0 if late == 96 else 10.0 if late < 1 else -5.0 if late < 3 else -40.0
    return of_late + 0.5 * (income - 40) + {"north": 7.0, "south": -7.0}.get(town, -2.0)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([0, 1, 2, 3, 7, 96]),
    st.floats(0, 200).map(lambda x: round(x, 1)),
    st.sampled_from(["north", "south", "elsewhere"]),
)
def test_a_sum_of_points_has_the_odds_that_were_written(scorer, late, income, town) -> None:
    values = np.array([[late, income, float(code_of(town))]])
    pd = scorer.score(values, np.zeros((1, 3), dtype=np.uint8)).pd[0]
    odds = 20 * 2 ** (points_of(late, income, town) / 40)
    assert pd == pytest.approx(max(1 / (1 + odds), 0.0005), abs=2e-9)


def test_every_forty_points_double_the_odds_and_nothing_withheld_counts(scorer) -> None:
    withheld = np.full((1, 3), Missing.NOT_AUTHORISED, dtype=np.uint8)
    scores = scorer.score(np.zeros((1, 3)), withheld)
    assert scores.log_odds[0] == scorer.base == round(-log(20) * FIXED)
    assert scores.pd[0] == pytest.approx(1 / 21, abs=1e-9)
    plain = np.array([[0.0, 40.0, float(code_of("north"))]])
    richer = plain + np.array([[0.0, 80.0, 0.0]])
    low, high = (
        scorer.score(one, np.zeros((1, 3), dtype=np.uint8)).log_odds[0] / FIXED for one in (plain, richer)
    )
    assert exp(low - high) == pytest.approx(2.0)


def test_a_department_that_knows_nothing_has_points_of_its_own(scorer) -> None:
    kinds = np.array([[Missing.NO_RECORD, 0, 0]], dtype=np.uint8)
    found = scorer.score(np.array([[0.0, 40.0, float(code_of("south"))]]), kinds).contributions[0]
    assert found.tolist() == [round(3 * log(2) / 40 * FIXED), 0, round(7 * log(2) / 40 * FIXED)]


def test_it_becomes_sql_as_any_other(scorer) -> None:
    probes = probes_of(scorer.bundle)
    check(
        scorer.bundle,
        probes,
        by_duckdb(scorer.bundle, table_of(scorer.bundle, probes.values, probes.missing)),
    )


def test_the_same_weights_are_the_same_bytes_and_others_are_others(portfolio, tmp_path) -> None:
    one, again = (dump_bundle(read_expert(weights(tmp_path), portfolio)) for _ in range(2))
    assert one == again
    other = read_expert(weights(tmp_path, LATE | {"no_record": -4}), portfolio)
    assert other.training_digest != load_bundle(one).bundle.training_digest


REFUSED = {
    "unknown-feature": ([LATE | {"feature": "lates"}], r"feature lates: .*no such feature.*Did you mean late\?"),
    "points-and-edges": ([LATE | {"points": [1, 0]}], "feature late: 2 points for 2 edges.*Write 3 points"),
    "edges-fall": ([LATE | {"edges": [3, 1]}], "edges do not rise"),
    "special-code-forgotten": ([LATE | {"codes": {}}], "differ in 96.*every special code"),
    "code-is-no-number": ([LATE | {"codes": {"none": 1}}], "A special code is a number"),
    "category-with-edges": ([TOWN | {"edges": [1], "points": [1, 2]}], "a category has no edges"),
    "weight-of-a-category": ([TOWN | {"weight": 1}], "a weight needs a plain numeric feature"),
    "twice": ([INCOME, INCOME], "stands there twice"),
    "infinite": ([INCOME | {"weight": float("inf")}], "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_a_feature_that_cannot_be_meant_is_refused_with_its_place(portfolio, tmp_path, name) -> None:
    features, problem = REFUSED[name]
    with pytest.raises(NoScorecard, match=problem):
        read_expert(weights(tmp_path, *features), portfolio)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model_kind": "magic"}, "'magic' is no kind.*credit_approval"),
        ({"name": "My Card"}, "no name of a model"),
        ({"basis": " "}, "Write on what experience"),
        ({"scale": {"base_points": 600, "base_odds": 0, "pdo": 20}}, "base_odds and pdo must be above 0"),
        ({"features": []}, "Name at least one"),
        ({"schema": 2}, "Write schema: 1"),
    ],
    ids=["kind", "name", "basis", "odds", "empty", "schema"],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_place(portfolio, tmp_path, changes, problem) -> None:
    with pytest.raises(NoScorecard, match=problem):
        read_expert(weights(tmp_path, **changes), portfolio)


def test_a_file_of_another_shape_is_refused(portfolio, tmp_path) -> None:
    with pytest.raises(BrokenDocument, match="pointz"):
        read_expert(weights(tmp_path, LATE | {"pointz": [1]}), portfolio)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"points": [-10, 5, 40], "no_record": 0}, "a larger value raises risk.*declared sign"),
        ({"points": [], "edges": [], "weight": 2.0}, "a larger value raises risk.*Turn the sign"),
    ],
    ids=["bins", "weight"],
)
def test_points_against_the_declared_sign_are_refused(tmp_path, change, problem) -> None:
    city = load_portfolio(find_portfolio("city"))
    feature = {"feature": "bur_max_dpd_12m", "edges": [1, 2], "points": [5, 0, -5], "no_record": 0}
    read_expert(weights(tmp_path, feature), city)
    with pytest.raises(NoScorecard, match=problem):
        read_expert(weights(tmp_path, feature | change), city)


def test_the_command_writes_a_bundle_that_can_be_submitted(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, ["models", "expert", str(PORTFOLIOS / "city" / "expert.yaml"), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    bundle = load_bundle(Path(found["path"]).read_bytes(), found["digest"]).bundle
    assert (bundle.portfolio, bundle.model, bundle.model_kind) == ("city", "rating", "credit_approval")
    assert bundle.notes["learner"] == "expert"
