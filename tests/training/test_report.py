"""What the report says is what was measured; what it shows is in the file itself, and nothing runs."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest

from features.contracts.model import Text
from features.timeline.ingest import FileReport
from tests.training.samples import made_sample
from tests.training.test_bundle import ORIGIN
from training.bundle import Scorer
from training.evaluation import judge, make_split
from training.labels import Outcome
from training.leaks import check_leaks
from training.models import ModelName, train
from training.page import pictures, render
from training.population import Rows
from training.portfolio import Folds, OutOfTime
from training.report import Report, build_report
from training.sample import Sample
from training.sensitivity import ALL, HALF, WithheldLine, sensitivity
from training.validation import auc

FILE = FileReport("applicants", "a<b>.csv", 900, 897, 0, 3, 0)


@pytest.fixture(scope="module")
def made() -> tuple[Report, dict[str, str]]:
    """A scorecard over 27 months, with 30 rows that have no outcome and 100 that came at random."""
    sample = made_sample(900, 3)
    days = np.arange(900) * 86_400_000_000 + 1_600_000_000_000_000
    sample = Sample(sample.matrix, sample.target, sample.group, days, ("one", "three"))
    outcome = np.concatenate([sample.target, np.full(30, Outcome.UNDRAWN)]).astype(np.int8)
    random = np.arange(930) % 9 == 0
    more = np.append(sample.matrix.values, np.zeros((30, 6)), axis=0)
    matrix = type(sample.matrix)(sample.matrix.columns, more, np.zeros(more.shape, np.uint8))
    rows = Rows(
        matrix, np.arange(930), np.append(days, days[:30]), np.arange(930), outcome, np.arange(930), random
    )
    split = make_split(sample, OutOfTime(share=0.4))
    judged = judge(ModelName.RATING, sample, split, ORIGIN)
    title = Text("测试 & 组合", "Test & <portfolio>")
    report = build_report(
        judged.bundle, "b" * 64, title, rows, sample, judged, check_leaks(sample, list(split.parts)), [FILE]
    )
    return report, pictures(sample, judged, report)


def test_it_counts_who_came_and_what_became_of_them(made) -> None:
    report, _ = made
    assert report.population.rows == 930
    assert report.population.outcomes["undrawn"] == 30
    assert sum(report.population.outcomes.values()) == 930
    assert (report.metrics.rows, report.learned_rows) == (360, 540)


def test_the_interval_is_stated_with_what_was_seen_when_sources_were_withheld(made) -> None:
    stated = made[0].withheld
    assert stated is not None
    assert (stated.level, stated.half_width > 0) == (0.9, True)
    assert [line.what for line in stated.lines[:2]] == [HALF, ALL]
    assert {line.what for line in stated.lines[2:]} == {"one", "three"}
    half, whole, strong = stated.lines[:3]
    assert strong.what == "one"
    assert whole.auc < half.auc < made[0].metrics.auc.value
    assert whole.change > half.change > stated.lines[3].change
    assert half.covered == pytest.approx(0.9, abs=0.1)
    assert "Interval and withheld sources" in render(*made)


def test_by_folds_withheld_sources_are_seen_on_the_models_of_the_folds() -> None:
    """Each row is scored by the model that has not seen it, of the first repeat alone."""
    sample = replace(made_sample(600, 8), optional=("one",))
    judged = judge(ModelName.RATING, sample, make_split(sample, Folds(3, 2)), ORIGIN)
    assert len(judged.parts) == len(judged.split.first) == 3
    held = [
        (part, sample.take(test)) for part, (_, test) in zip(judged.parts, judged.split.first, strict=True)
    ]
    stated = sensitivity(judged.bundle, held, sample.optional)
    half, whole, one = stated.lines
    assert (half.what, whole.what, one.what) == (HALF, ALL, "one")
    assert but_its_name(whole) == but_its_name(one)
    assert whole.auc < half.auc < auc(sample.target, judged.pd[0]).value
    assert half.covered == pytest.approx(0.9, abs=0.1)
    for part, own in held:
        scorer = Scorer(part, "")
        chosen = own.matrix.select(scorer.columns)
        assert (
            scorer.score(chosen.values, chosen.missing).pd == judged.pd[0][np.isin(sample.group, own.group)]
        ).all()


def but_its_name(line: WithheldLine) -> WithheldLine:
    return msgspec.structs.replace(line, what="")


def test_a_report_claims_nothing_where_no_source_can_be_withheld_or_none_was_held_out() -> None:
    sample = made_sample(200)
    bundle = train(ModelName.RATING, replace(sample, optional=("one",)), ORIGIN)
    assert sensitivity(bundle, [], ("one",)).lines == ()
    assert sensitivity(bundle, [(bundle, sample)], ()).lines == ()
    old = msgspec.structs.replace(bundle, schema=1, uncertainty=msgspec.UNSET)
    assert sensitivity(old, [(old, sample)], ("one",)) is None
    assert judge(ModelName.RATING, sample, make_split(sample, Folds(2)), ORIGIN).parts == ()


def test_rows_approved_at_random_are_set_apart(made) -> None:
    report, _ = made
    assert report.random is not None
    assert (report.random.rows, report.random.share) == (100, pytest.approx(1 / 9))
    assert report.random.mean_pd is not None
    assert abs(report.random.mean_pd - report.random.bad_rate) < 0.15


def test_grades_hold_every_row_judged(made) -> None:
    report, _ = made
    assert sum(grade.rows for grade in report.grades) == report.metrics.rows
    assert sum(grade.bads for grade in report.grades) == report.metrics.bads


def test_the_strongest_features_come_first_with_their_information_value(made) -> None:
    report, _ = made
    weights = [line.weight for line in report.features]
    assert weights == sorted(weights, reverse=True)
    assert {line.name for line in report.features[:2]} == {"up", "down"}
    assert all(line.iv is not None and line.iv > 0 for line in report.features)
    assert next(line.absent for line in report.features if line.name == "gaps") == pytest.approx(
        0.3, abs=0.07
    )


def test_stability_is_told_by_month_of_the_rows_held_out(made) -> None:
    report, _ = made
    assert sum(month.rows for month in report.stability) == 360
    assert [month.month for month in report.stability] == sorted(month.month for month in report.stability)
    assert not any(month.large for month in report.stability)


def test_rows_in_quarantine_are_a_warning(made) -> None:
    assert "a<b>.csv: 3 of 900 rows are in quarantine." in made[0].warnings


def test_the_page_holds_its_pictures_and_runs_nothing(made) -> None:
    page = render(*made)
    assert page.count("<svg") == len(made[1]) == 5
    assert not re.search(r"<script|javascript:|\son\w+=|<link|<iframe|<object|@import|url\(", page)
    assert "http" not in page.replace("http://www.w3.org/", "")


def test_texts_of_others_are_escaped(made) -> None:
    page = render(*made)
    assert "Test &amp; &lt;portfolio&gt;" in page
    assert "a&lt;b&gt;.csv" in page
    assert "<portfolio>" not in page


def test_the_page_tells_figures_names_and_digests(made) -> None:
    report, charts = made
    page = render(report, charts)
    for text in (
        "升",
        "up",
        report.origin.bundle,
        report.origin.training,
        f"{report.metrics.ks.value:.4f}",
        "Jeffreys",
    ):
        assert text in page


def test_every_picture_is_an_svg_with_its_axes_named(made) -> None:
    for caption, svg in made[1].items():
        assert ET.fromstring(svg).tag.endswith("svg"), caption
        assert svg.count("<text") > 4, caption
