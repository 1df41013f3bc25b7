"""The second half of a report: what moved, where it is off, which reasons are told, which sources changed."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from features.calendar import instant, month_index
from features.matrix import Missing
from tests.training.samples import made_sample
from tests.training.test_bundle import ORIGIN
from training.bundle import FIXED, Scorer
from training.evaluation import Judged, judge, make_split
from training.models import ModelName
from training.portfolio import Folds, OutOfTime
from training.regimes import load_regimes, regime_lines
from training.review import Review, build_review
from training.review_page import review_sections
from training.sample import Sample

DAY = 86_400_000_000


def dated(rows: int, seed: int) -> Sample:
    """Rows a day apart, from 2020-09 on."""
    return replace(made_sample(rows, seed), time=np.arange(rows) * DAY + 1_600_000_000_000_000)


@pytest.fixture(scope="module")
def made() -> tuple[Sample, Judged, Review]:
    sample = dated(900, 3)
    judged = judge(ModelName.RATING, sample, make_split(sample, OutOfTime(share=0.4)), ORIGIN)
    return sample, judged, build_review(judged.bundle, sample, judged)


def moved(sample: Sample, judged: Judged, name: str, months: set[int]) -> Review:
    """As if a feature were three times as large in some months after the split."""
    place = sample.matrix.names.index(name)
    values = sample.matrix.values.copy()
    values[np.isin(month_index(sample.time), list(months)), place] *= 3
    matrix = type(sample.matrix)(sample.matrix.columns, values, sample.matrix.missing)
    return build_review(judged.bundle, replace(sample, matrix=matrix), judged)


def test_nothing_moved_where_nothing_moved(made) -> None:
    assert not any(one.large for one in made[2].drift)
    assert len(made[2].months) == len(made[2].drift[0].months)
    assert not any("moved" in text for text in made[2].warnings)


def test_the_feature_and_the_month_that_moved_are_named_and_no_other(made) -> None:
    sample, judged, _ = made
    last = int(month_index(sample.time).max()) - 1
    found = moved(sample, judged, "up", {last})
    assert [one.name for one in found.drift if one.large] == ["up"]
    worst = found.drift[0]
    assert worst.worst_month == f"{1970 + last // 12}-{last % 12 + 1:02d}"
    assert worst.worst.low <= worst.worst.value <= worst.worst.high
    assert any(text.startswith("Features moved") and "up (" in text for text in found.warnings)
    assert "moved" in review_sections(found)


def test_segments_of_one_kind_hold_every_row_judged_once(made) -> None:
    _, judged, review = made
    held = int((~np.isnan(judged.pd[0])).sum())
    kinds = {one.by for one in review.segments}
    assert "half-year" in kinds
    assert "sources with a record" in kinds
    for kind in kinds:
        assert sum(one.rows for one in review.segments if one.by == kind) == held
    for one in review.segments:
        assert one.bad_rate.low <= one.bad_rate.value <= one.bad_rate.high
        if one.calibration:
            assert one.calibration.value == pytest.approx(one.mean_pd / one.bad_rate.value)


def test_thin_files_are_those_with_the_fewest_sources(made) -> None:
    sample, judged, _ = made
    held = ~np.isnan(judged.pd[0])
    of = np.array([column.dataset for column in sample.matrix.columns])
    present = sample.matrix.missing[held] == Missing.PRESENT
    count = np.sum([present[:, of == name].any(axis=1) for name in np.unique(of)], axis=0)
    thin = next(one for one in made[2].segments if one.name.endswith("(thin files)"))
    assert thin.rows == (count <= np.quantile(count, 0.25)).sum()


def test_a_segment_that_is_off_is_a_warning_and_chance_is_none(made) -> None:
    sample, judged, review = made
    assert not any(one.off for one in review.segments)
    doubled = replace(judged, pd=np.clip(judged.pd * 2, 0, 0.99))
    found = build_review(judged.bundle, sample, doubled)
    assert any(one.off for one in found.segments)
    assert any(text.startswith("PD is surely off in segments") for text in found.warnings)


def test_reasons_are_counted_as_they_would_be_told(made) -> None:
    sample, judged, review = made
    held = sample.take(~np.isnan(judged.pd[0])).matrix
    scorer = Scorer(judged.bundle, "")
    chosen = held.select(scorer.columns)
    told: dict[str, int] = {}
    for row in scorer.score(chosen.values, chosen.missing).contributions / FIXED:
        groups: dict[str, float] = {}
        for reason, value in zip(scorer.reasons, row, strict=True):
            groups[reason] = groups.get(reason, 0.0) + value
        for reason in sorted((r for r in groups if groups[r] > 0), key=lambda r: -groups[r])[:4]:
            told[reason] = told.get(reason, 0) + 1
    assert {one.reason: round(one.told * len(chosen.values)) for one in review.reasons} == told
    assert all(one.first <= one.told for one in review.reasons)


def test_figures_without_a_formula_get_the_interval_of_a_bootstrap(made) -> None:
    review = made[2]
    assert set(review.intervals) == {"log_loss", "ece", "predicted_over_actual"}
    own = review.intervals["predicted_over_actual"]
    assert own.low < own.value < own.high
    assert own.low == pytest.approx(own.value, rel=0.4)


def test_by_folds_there_is_no_time_and_nothing_drifts() -> None:
    sample = made_sample(300, 5)
    judged = judge(ModelName.RATING, sample, make_split(sample, Folds(folds=3)), ORIGIN)
    review = build_review(judged.bundle, sample, judged)
    assert (review.months, review.drift) == ((), ())
    assert "Drift of features" not in review_sections(review)


def test_the_repair_of_2026_flags_a_model_that_reads_the_bureau_and_no_other(made) -> None:
    _, judged, review = made
    (line,) = review.regimes
    assert (line.id, line.columns, line.flag) == ("REG-CR-15", 0, "")
    columns = tuple(
        msgspec.structs.replace(c, dataset="bureau_repayment@spouse" if k == 0 else c.dataset)
        for k, c in enumerate(judged.bundle.columns)
    )
    reads = msgspec.structs.replace(judged.bundle, columns=columns, created_at=instant("2026-06-30"))
    time = np.array(
        [instant("2025-12-31"), instant("2026-01-01"), instant("2026-02-01"), instant("2025-01-01")]
    )
    target, pd = np.array([1, 0, 1, 0], dtype=np.int8), np.array([0.4, 0.1, 0.3, 0.2])
    (found,) = regime_lines(reads, target, pd, time, load_regimes())
    assert (found.columns, found.before, found.after) == (1, 2, 2)
    assert (found.auc_before.value, found.auc_after.value) == (1.0, 1.0)
    assert "mix both sides" in found.flag
    before = msgspec.structs.replace(reads, created_at=instant("2025-12-31"))
    (found,) = regime_lines(before, target, pd, time, load_regimes())
    assert "judge anew after it" in found.flag
