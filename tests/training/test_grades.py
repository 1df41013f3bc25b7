"""The level of PDs that a portfolio states: what it does to a model, what the report tells of it, what is refused."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from features.contracts.model import Text
from tests.training.conftest import write_flat
from tests.training.samples import made_sample
from tests.training.test_bundle import ORIGIN
from tests.training.test_portfolio import refusal
from training.bundle import FIXED, Scorer
from training.evaluation import Judged, judge, make_split
from training.grades import level_of, with_bounds
from training.leaks import check_leaks
from training.level import LongRun, LowDefault, Method, StatedLevel
from training.models import ModelName, train
from training.page import render
from training.population import Rows
from training.portfolio import Folds, OutOfTime, find_portfolio, load_portfolio
from training.report import Report, build_report
from training.sample import Sample
from training.scale import concentration, most_prudent, shift_to
from training.validation import by_grade

RATE = 0.4
STATED = StatedLevel(LongRun(RATE, "a <register>", (2006, 2012)), 0.25)
FEW = StatedLevel(low_default=LowDefault(Method.PLUTO_TASCHE, 0.9, 0.12))


@pytest.fixture(scope="module")
def sample() -> Sample:
    return made_sample(500, 4)


@pytest.fixture(scope="module")
def judged(sample: Sample) -> Judged:
    """A scorecard by folds, anchored to the stated rate."""
    origin = replace(ORIGIN, level=STATED)
    return judge(ModelName.RATING, sample, make_split(sample, Folds(2)), origin)


def report_of(sample: Sample, judged: Judged, stated: StatedLevel | None) -> Report:
    rows = Rows(sample.matrix, np.arange(500), sample.time, sample.group, sample.target, np.arange(500), None)
    leaks = check_leaks(sample, list(judged.split.parts))
    return build_report(judged.bundle, "b" * 64, Text("甲", "a"), rows, sample, judged, leaks, (), stated)


def test_a_stated_rate_moves_the_intercept_and_nothing_else(sample, judged) -> None:
    plain = train(ModelName.RATING, sample, ORIGIN)
    shift = shift_to(sample.bads / len(sample), RATE)
    assert judged.bundle.base - plain.base == round(shift * FIXED)
    assert (judged.bundle.bins, judged.bundle.columns) == (plain.bins, plain.columns)
    notes = judged.bundle.notes
    assert notes["base_rate_shift"] == pytest.approx(shift)
    assert [notes[key] for key in ("long_run_rate", "long_run_source", "long_run_years", "downturn_margin")] == [
        RATE, "a <register>", "2006-2012", 0.25,
    ]  # fmt: skip
    assert Scorer(judged.bundle, "").score(
        sample.matrix.values, sample.matrix.missing
    ).pd.mean() == pytest.approx(RATE, abs=0.05)


def test_rows_held_out_are_judged_at_the_stated_level(sample, judged) -> None:
    """Whether by folds or by time; what a sample's own earlier rows say counts only where nothing is stated."""
    assert judged.pd[0].mean() == pytest.approx(RATE, abs=0.05)
    later = judge(
        ModelName.RATING, sample, make_split(sample, OutOfTime(share=0.4)), replace(ORIGIN, level=STATED)
    )
    assert later.bundle.notes["base_rate"] == RATE


def test_the_report_tells_the_level_and_tests_grades_and_book_against_it(sample, judged) -> None:
    report = report_of(sample, judged, STATED)
    level = report.level
    assert level.stated == STATED
    assert level.shift == pytest.approx(shift_to(level.learned_rate, RATE))
    assert level.book.rows == sum(one.rows for one in report.grades) == 500
    assert sum(one.share for one in report.grades) == pytest.approx(1)
    assert level.share == max(one.share for one in report.grades)
    for one in report.grades:
        assert one.downturn_pd == pytest.approx(min(one.mean_pd * 1.25, 0.9999))
    page = render(report, {})
    for text in (
        "anchored to a long-run average of 40.00% (2006 to 2012; a &lt;register&gt;)",
        "adds 25%",
        "downturn PD",
    ):
        assert text in page
    assert "Pluto" not in page
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report).level == level


def test_few_defaults_get_the_bounds_of_pluto_and_tasche(sample, judged) -> None:
    report = report_of(sample, judged, FEW)
    filled = [one for one in report.grades if one.rows]
    bounds = most_prudent(
        [one.rows for one in filled], [one.bads for one in filled], confidence=0.9, correlation=0.12
    )
    assert [one.upper for one in filled] == bounds
    assert all(one.upper is None for one in report.grades if not one.rows)
    assert any(text.startswith("Few defaults") for text in report.warnings)
    assert "upper PD (Pluto-Tasche)" in render(report, {})


@pytest.mark.parametrize(("bads", "bounded"), [(49, True), (50, False)])
def test_bounds_come_by_themselves_under_fifty_bads(bads, bounded) -> None:
    target = np.array([1] * bads + [0] * 950, dtype=np.int8)
    pd, grade = np.full(len(target), 0.05), np.full(len(target), 2)
    level = level_of(target, pd, concentration(grade, 3), None, {"rows": 10, "bads": 1})
    assert level.few_defaults is bounded
    assert [one.upper is not None for one in with_bounds(by_grade(target, pd, grade, 3), level)] == [
        False, bounded, False,
    ]  # fmt: skip


def test_where_nothing_is_stated_the_level_is_that_of_the_rows() -> None:
    target, fullest = np.array([1, 0] * 60, np.int8), concentration(np.array([1]), 1)
    plain = level_of(target, np.full(120, 0.5), fullest, None, {"rows": 2, "bads": 1})
    later = level_of(target, np.full(120, 0.5), fullest, None, {"rows": 2, "bads": 1, "base_rate_shift": 0.2})
    assert plain.told[0].endswith("at the level of the rows learned from.")
    assert later.told[0].endswith("at the level of all rows before the split.")


def test_an_average_of_few_years_is_a_finding() -> None:
    short = StatedLevel(LongRun(RATE, "own", (2020, 2023)))
    level = level_of(np.array([1, 0] * 60, np.int8), np.full(120, 0.5), concentration(np.array([1]), 1), short, {"rows": 2, "bads": 1})  # fmt: skip
    assert level.warnings == ("The long-run average covers 4 years, under 5 (REG-IRB-02).",)


LONG_RUN = {"rate": 0.1, "source": "own", "years": [2010, 2020]}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"long_run": LONG_RUN | {"rate": 0}}, ["`calibration.long_run.rate: 0` is no bad rate", "0.05 is five of a hundred"]),
        ({"long_run": LONG_RUN | {"rate": 1.0}}, ["rate: 1` is no bad rate"]),
        ({"long_run": LONG_RUN | {"rate": float("nan")}}, ["rate: nan` is no bad rate"]),
        ({"long_run": LONG_RUN | {"source": " "}}, ["source` is empty", "so that others can check"]),
        ({"long_run": LONG_RUN | {"years": [2020, 2010]}}, ["years: [2020, 2010]` are no years"]),
        ({"long_run": {"rate": 0.1}}, ["missing required field `source`", "$.calibration.long_run"]),
        ({"downturn_margin": -0.1}, ["downturn_margin: -0.1` is no margin", "0.2 adds a fifth"]),
        ({"low_default": {"method": "guess"}}, ["Invalid enum value 'guess'", "$.calibration.low_default.method"]),
        ({"low_default": {"confidence": 1}}, ["confidence: 1` is no confidence"]),
        ({"low_default": {"correlation": -0.1}}, ["correlation: -0.1` is no correlation"]),
        ({"low_default": {"under_bads": -1}}, ["under_bads: -1` is no number of bads"]),
        ({"floor": 0.1}, ["unknown field `floor`"]),
    ],
)  # fmt: skip
def test_a_level_that_is_none_is_refused_with_its_place(tmp_path, block, said) -> None:
    told = refusal(write_flat(tmp_path, calibration=block))
    assert "portfolio.yaml" in told
    for part in said:
        assert part in told


def test_a_shipped_portfolio_states_its_level() -> None:
    stated = load_portfolio(find_portfolio("sba_case")).file.calibration
    assert stated is not None
    assert stated.long_run is not None
    assert stated.long_run.span >= 5
