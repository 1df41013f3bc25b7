"""Fraud against every other outcome; few frauds, or frauds like everybody, are told and do no harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import applicants, write_flat
from training.fraud import FRAUD, fraud_case, train_fraud
from training.labels import Outcome
from training.portfolio import load_portfolio
from training.run import Prepared, prepare


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(load_portfolio(write_flat(tmp_path_factory.mktemp("flat"), applicants(500))))


def with_frauds(prepared: Prepared, which: np.ndarray, times: np.ndarray | None = None) -> Prepared:
    outcome = np.where(which, Outcome.FRAUD, prepared.rows.outcome).astype(np.int8)
    as_of = prepared.rows.as_of if times is None else times
    return replace(prepared, rows=replace(prepared.rows, outcome=outcome, as_of=as_of))


def chosen(prepared: Prepared, share: float, *, alike: bool) -> np.ndarray:
    """Frauds among those who are often late, or among anybody."""
    matrix = prepared.rows.matrix
    late = matrix.values[:, matrix.names.index("late")]
    able = np.ones(len(late), dtype=bool) if alike else (late >= 2) & (late < 90)
    return able & (np.random.default_rng(4).random(len(late)) < share)


def test_frauds_that_differ_are_ranked_by_a_scorecard_of_its_own_kind(prepared, tmp_path: Path) -> None:
    frauds = chosen(prepared, 0.5, alike=False)
    found = train_fraud(with_frauds(prepared, frauds), tmp_path, tracking=False)
    assert (found.rows, found.frauds) == (500, frauds.sum())
    assert found.trained is not None
    assert (found.trained.bundle.model, found.trained.bundle.model_kind) == (FRAUD, "anti_fraud")
    assert found.trained.report.metrics.auc.low > 0.8
    assert found.trained.folder.parts[-2] == FRAUD
    assert "chance" not in found.summary


def test_frauds_like_everybody_are_told_to_be_no_better_than_chance(prepared, tmp_path: Path) -> None:
    found = train_fraud(with_frauds(prepared, chosen(prepared, 0.1, alike=True)), tmp_path, tracking=False)
    assert "no better than chance" in found.summary or "no column" in found.summary


@pytest.mark.parametrize("count", [0, 5])
def test_few_frauds_teach_nothing_and_that_is_told(prepared, tmp_path: Path, count) -> None:
    found = train_fraud(with_frauds(prepared, np.arange(500) < count), tmp_path, tracking=False)
    assert found.trained is None
    assert f"{count} confirmed frauds among 500 outcomes teach no fraud scorecard" in found.summary
    assert not list(tmp_path.iterdir())


def test_goods_and_bads_are_alike_and_frauds_newer_than_every_ended_window_are_left_out(prepared) -> None:
    frauds = np.arange(500) >= 450
    times = np.arange(500) * 1_000
    immature = with_frauds(prepared, frauds, times)
    outcome = np.where((np.arange(500) >= 480) & ~frauds, Outcome.IMMATURE, immature.rows.outcome).astype(
        np.int8
    )
    case = fraud_case(replace(immature, rows=replace(immature.rows, outcome=outcome)))
    assert (len(case.sample), case.sample.bads) == (450, 0)
    some = fraud_case(with_frauds(prepared, frauds & (np.arange(500) < 460), times))
    assert (len(some.sample), some.sample.bads) == (500, 10)
    assert some.portfolio.file.model_kind == "anti_fraud"
