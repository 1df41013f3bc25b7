"""The warning models: judged on later months with windows that had ended, PDs of three horizons, a roll model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from features.calendar import NEVER, instant, months_before
from features.errors import Invalid
from tests.training.conftest import write_flat
from tests.training.samples import made_sample
from tests.training.test_run import app
from training.bundle import load_bundle
from training.challenge import compare
from training.curve import horizon_pd
from training.evaluation import make_split
from training.panel import NoPanel, Panel, ends
from training.population import Rows
from training.portfolio import Portfolio, load_portfolio
from training.run import Trained
from training.sample import Unlearnable, folds
from training.warning import (
    ROLL,
    WARNING,
    Stage,
    embargoed,
    for_inner_folds,
    make_stage,
    stages,
    thinned,
    train_stage,
)

BEGIN = 1_577_808_000_000_000
CONTRACT = """
schema: 1
dataset: months
department: lender
title: {zh: 月度, en: Months}
subject: opaque
subject_field: id
consent_category: bank
legal_basis: [contract]
times: {valid_from: {field: begins}, known_from: {usual_lag_days: 0}}
key: [begins]
source: {files: ["*.csv"]}
fields:
  - {name: begins, type: date, required: true}
  - {name: judged, type: date, required: true}
  - {name: late, type: integer, min: 0}
  - {name: use, type: decimal, scale: 2}
  - {name: defaulted, type: integer}
"""


def lines(subjects: int = 90, months: int = 30) -> list[str]:
    """A row a subject and month until the first default; late payments and use raise its chance."""
    g, found = np.random.default_rng(4), ["id,begins,judged,late,use,defaulted"]
    for one in range(subjects):
        taste = g.normal()
        for month in range(months):
            late, use = int(g.poisson(np.exp(taste - 1))), round(float(g.random()), 2)
            bad = g.random() < 1 / (1 + np.exp(3.9 - 0.9 * min(late, 4) - use))
            day = f"{2020 + month // 12}-{month % 12 + 1:02}"
            found.append(f"S{one:03},{day}-01,{day}-02,{late},{use},{int(bad)}")
            if bad:
                break
    return found


def write_monthly(folder: Path) -> Path:
    """A portfolio whose rows are a panel already."""
    path = write_flat(
        folder / "monthly", lines(),
        population={"dataset": "months", "as_of": {"field": "judged"}},
        label={"kind": "column", "field": "defaulted", "bad": ["1"], "good": ["0"]},
        split={"kind": "out_of_time", "start": "2021-07-02"}, warning={"months": 12, "curve": [3, 6]},
    )  # fmt: skip
    (path.parent / "contracts" / "applicants.yaml").rename(path.parent / "contracts" / "months.yaml")
    (path.parent / "contracts" / "months.yaml").write_text(CONTRACT, encoding="utf-8")
    return path


@pytest.fixture
def monthly(tmp_path: Path) -> Path:
    return write_monthly(tmp_path)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    (one,) = stages(load_portfolio(write_monthly(tmp_path_factory.mktemp("stage"))))
    return one


@pytest.fixture(scope="module")
def found(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train_stage(stage, tmp_path_factory.mktemp("out"), None, tracking=False)


def told(path: Path, **rule: object) -> Portfolio:
    document = yaml.safe_load(path.read_text()) | {"warning": rule}
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    return load_portfolio(path)


def test_no_outcome_that_was_learned_from_is_later_than_the_split(stage, found) -> None:
    time = stage.prepared.sample.time
    start = int(time[~np.isnan(found.held_out)].min())
    assert found.bundle.notes["rows"] == (ends(time, 12) <= start).sum()
    assert np.isnan(found.held_out[time < start]).all()
    assert found.report.metrics.auc.value > 0.6


def test_each_horizon_is_told_and_judged(found) -> None:
    assert found.bundle.model == WARNING
    assert found.bundle.model_kind == "early_warning"
    assert [line.months for line in found.report.curve] == [3, 6, 12]
    assert [line.bads for line in found.report.curve] == sorted(line.bads for line in found.report.curve)
    scorer = load_bundle(found.data)
    values = np.zeros((1, len(scorer.columns)))
    pd = horizon_pd(scorer.bundle, scorer.score(values, values.astype(np.uint8)).log_odds)[0]
    assert 0 < pd[0] < pd[1] < pd[2] < 1
    assert (found.folder / "report.html").read_text().count("within 6 months") == 1


def test_the_command_gives_the_same_bytes_and_tells_each_horizon(
    monthly, found, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("YIDAI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = CliRunner().invoke(app, ["train", "warning", "--portfolio", str(monthly), "--json"])
    assert done.exit_code == 0, done.output
    told_of = json.loads(done.stdout)
    assert told_of["digest"] == found.digest
    assert [one["months"] for one in told_of["report"]["curve"]] == [3, 6, 12]


def test_a_shorter_horizon_learns_from_rows_nearer_to_the_split(monthly, found) -> None:
    portfolio = told(monthly, months=12, curve=[3, 6], learn=3)
    (short,) = stages(portfolio)
    sample, start = short.prepared.sample, instant("2021-07-02")
    (learned, _), *_ = embargoed(
        make_split(sample, portfolio.file.split), sample, portfolio.file.warning
    ).parts
    assert len(learned) > 1.3 * int(found.bundle.notes["rows"])
    assert (ends(sample.time[learned], 3) <= start).all()


@pytest.mark.campaign
def test_who_relearns_is_judged_as_before_and_ships_what_learned_from_all_rows(
    monthly, found, tmp_path
) -> None:
    (stage,) = stages(told(monthly, months=12, curve=[3, 6], relearn=True))
    again = train_stage(stage, tmp_path, None, tracking=False)
    assert again.bundle.notes["rows"] == len(stage.prepared.sample) > int(found.bundle.notes["rows"])
    assert again.bundle.model == WARNING
    assert again.report.metrics == found.report.metrics
    assert again.report.curve == found.report.curve
    assert again.report.split == f"{found.report.split}; what ships learned once more from all rows"
    assert "learned from all rows" in (again.folder / "report.html").read_text()
    assert "the one that was judged" in (found.folder / "report.html").read_text()
    judged = load_bundle(found.data)
    assert compare(judged, judged, stage.prepared).unseen
    assert not compare(judged, load_bundle(again.data), stage.prepared).unseen
    mature = stage.prepared.sample.target.mean()
    scorer = load_bundle(again.data)
    chosen = stage.prepared.sample.matrix.select(scorer.columns)
    assert scorer.score(chosen.values, chosen.missing).pd.mean() == pytest.approx(mature, rel=0.1)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"months": 6, "curve": [3, 12]}, "do not rise"),
        ({"months": 12, "curve": [4, 6], "period_months": 3}, "not all multiples of 3"),
        ({"months": 12, "curve": [3, 6], "learn": 9}, "is no horizon"),
    ],
    ids=["falling", "broken-periods", "no-horizon"],
)
def test_horizons_that_make_no_sense_are_refused(monthly, rule, problem) -> None:
    with pytest.raises(Invalid, match=problem):
        told(monthly, **rule)


def test_a_portfolio_without_a_panel_says_how_to_get_one(flat) -> None:
    with pytest.raises(NoPanel, match=r"warning: \{months: 12"):
        stages(load_portfolio(flat))


def test_inner_folds_share_no_default_where_windows_overlap(stage) -> None:
    sample, rule = stage.prepared.sample, stage.prepared.portfolio.file.warning
    for train, test in folds(for_inner_folds(sample, rule), 5, 1):
        assert not np.isin(sample.group[test], sample.group[train]).any()
    single = msgspec.structs.replace(rule, curve=(1, 3), learn=1)
    (first, last), *_ = [
        (sample.time[train], sample.time[test])
        for train, test in folds(for_inner_folds(sample, single), 5, 1)
    ]
    assert last.max() < first.min()


def test_a_long_panel_keeps_every_bad_and_goods_evenly_in_time(monkeypatch) -> None:
    monkeypatch.setattr("training.warning.MOST_LEARNED", 900)
    sample = made_sample(3000)
    rows = np.arange(200, 3000)
    kept = thinned(sample, rows)
    bads = int(sample.target[rows].sum())
    assert len(kept) == max(900, 2 * bads)
    assert sample.target[kept].sum() == bads
    assert (np.diff(kept) > 0).all()
    goods = kept[sample.target[kept] == 0]
    assert np.abs(np.quantile(goods, [0.25, 0.5, 0.75]) - np.quantile(rows, [0.25, 0.5, 0.75])).max() < 100
    assert (thinned(sample, rows[:300]) == rows[:300]).all()


def late_borrowers(portfolio: Portfolio, rows: int, *, cures: bool = True) -> tuple[Rows, Panel]:
    """Borrowers between 1 and 89 days past due over forty months, most of whom cure."""
    sample = made_sample(rows)
    as_of = np.sort(np.array([months_before(BEGIN, -(k % 40)) for k in range(rows)]))
    late = np.random.default_rng(5).integers(1, 90, rows)
    bad = (sample.target == 1) | (not cures)
    default = np.where(bad, ends(as_of, 2), NEVER)
    subject = np.arange(rows)
    seen_to = int(ends(as_of, 12).max())
    panel = Panel(subject, as_of, late, default, np.zeros(rows, dtype=bool), seen_to)
    return Rows(sample.matrix, subject, as_of, subject, panel.outcome(12), subject), panel


def test_a_roll_model_ranks_who_is_late(monthly, tmp_path) -> None:
    portfolio = load_portfolio(monthly)
    file = msgspec.structs.replace(
        portfolio.file, split=msgspec.structs.replace(portfolio.file.split, start="")
    )
    portfolio = replace(portfolio, file=file)
    found = train_stage(
        make_stage(ROLL, portfolio, *late_borrowers(portfolio, 600), []), tmp_path, None, tracking=False
    )
    assert found.bundle.model == ROLL
    assert found.report.metrics.auc.low > 0.65
    assert found.folder.parts[-2] == ROLL


def test_a_book_in_which_nobody_cures_teaches_no_roll_model(monthly, tmp_path) -> None:
    portfolio = load_portfolio(monthly)
    stage = make_stage(ROLL, portfolio, *late_borrowers(portfolio, 300, cures=False), [])
    with pytest.raises(Unlearnable, match="300 bads among 300 rows"):
        train_stage(stage, tmp_path, None, tracking=False)
