"""The gates of promotion.yaml: each is missed by a model that is bad in its way, and by no other."""

from __future__ import annotations

import msgspec
import pytest

from features.contracts.documents import BrokenDocument
from training.gates import PROMOTION, load_gates, missed_gates, too_full
from training.validation import GradeTest, Interval, Metrics

GOOD = Metrics(
    2000,
    200,
    Interval(0.75, 0.72, 0.78),
    Interval(0.4, 0.35, 0.45),
    Interval(0.08, 0.07, 0.09),
    0.3,
    0.01,
    0.009,
    1.02,
)
GRADES = [GradeTest(1, 100, 1, 0.01, 0.01, 0.5), GradeTest(2, 0, 0, 0.0, 0.0, 1.0)]
EVEN = Interval(0.01, -0.01, 0.03)


def missed(
    metrics: Metrics = GOOD, gap: Interval | None = EVEN, grades: list[GradeTest] | None = None
) -> tuple[str, ...]:
    return missed_gates(load_gates(), metrics, gap, GRADES if grades is None else grades)


def test_a_good_model_misses_none() -> None:
    assert missed() == missed(gap=None) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auc": Interval(0.6, 0.52, 0.68)}, "its lower end is under"),
        ({"auc": Interval(float("nan"), float("nan"), float("nan"))}, "its lower end is under"),
        ({"predicted_over_actual": 1.4}, "outside 0.8 to 1.25"),
        ({"predicted_over_actual": 0.7}, "outside 0.8 to 1.25"),
        ({"ece": 0.03}, "where chance gives 0.0090"),
    ],
)
def test_a_figure_out_of_its_bounds_is_one_sentence(changes, said) -> None:
    (only,) = missed(msgspec.structs.replace(GOOD, **changes))
    assert said in only


def test_a_model_behind_its_scorecard_and_a_grade_that_is_told_too_low_are_named() -> None:
    (only,) = missed(gap=Interval(-0.02, -0.04, 0.0))
    assert "the simpler model ranks better" in only
    (only,) = missed(grades=[*GRADES, GradeTest(3, 200, 30, 0.05, 0.15, 0.00001, 0.00002)])
    assert only.startswith("Grade 3: 30 of 200 bad where 5.00% were expected")
    assert missed(grades=[*GRADES, GradeTest(3, 200, 18, 0.05, 0.09, 0.005, 0.05)]) == ()


def test_a_grade_that_holds_more_than_a_quarter_is_a_finding() -> None:
    quarter = [GradeTest(number, 100, 5, 0.05, 0.05, 0.5) for number in range(1, 5)]
    assert too_full(quarter) == []
    (only,) = too_full([*quarter[1:], msgspec.structs.replace(quarter[0], rows=101)])
    assert only == "Grade 1 holds 25% of the rows judged, over 25%."


def test_an_unknown_gate_is_refused_with_its_file(tmp_path) -> None:
    path = tmp_path / "promotion.yaml"
    path.write_text(PROMOTION.read_text(encoding="utf-8") + "  min_beauty: 1\n", encoding="utf-8")
    with pytest.raises(BrokenDocument, match=r"promotion\.yaml.*min_beauty"):
        load_gates(path)
