"""Every limit in days of the shipped parameters, at the day before it, on it and after it; and the day from which one holds."""

from __future__ import annotations

import numpy as np
import pytest

from features.calendar import instant
from features.loans.model import bucket_of
from serving.classes.checks import dpd_limit
from serving.classes.document import CLASSES, ClassRule, StageRule, effective
from serving.classes.tiers import lgd_of, say
from tests.serving.classes.rows import DOCUMENT, LOSSES, changed, values

RULES: list[ClassRule | StageRule] = [*DOCUMENT.classes, *DOCUMENT.stages]
LIMITS = [(rule, int(limit)) for rule in RULES if (limit := dpd_limit(rule)) is not None]


def rank(rules, dpd: float, least: int) -> int:
    """What rules say of one loan of which nothing else is known."""
    return int(say(rules, values(dpd=[dpd]), least).rank[0])


def test_the_limits_are_those_of_the_regulation() -> None:
    assert [limit for rule, limit in LIMITS if isinstance(rule, ClassRule)] == [0, 90, 270, 360]
    assert [limit for rule, limit in LIMITS if isinstance(rule, StageRule)] == [29, 89]


@pytest.mark.parametrize(("rule", "limit"), LIMITS, ids=[rule.code for rule, _ in LIMITS])
def test_a_rule_of_days_hits_on_the_day_after_its_limit_and_not_on_it(rule, limit) -> None:
    rules = DOCUMENT.classes if isinstance(rule, ClassRule) else DOCUMENT.stages
    least = 0 if isinstance(rule, ClassRule) else 1
    ranks = [rank(rules, limit + step, least) for step in (-1, 0, 1, 2)]
    assert ranks[2:] == [rule.rank, rule.rank]
    assert ranks[0] == ranks[1] < rule.rank


def test_classes_of_the_days_that_the_regulation_names() -> None:
    days = [0, 1, 90, 91, 270, 271, 360, 361]
    told = [CLASSES[rank(DOCUMENT.classes, day, 0)].zh for day in days]
    assert told == ["正常", "关注", "关注", "次级", "次级", "可疑", "可疑", "损失"]
    assert [rank(DOCUMENT.stages, day, 1) for day in (0, 29, 30, 31, 89, 90, 91)] == [1, 1, 2, 2, 2, 3, 3]


@pytest.mark.parametrize("segment", LOSSES.segments, ids=lambda segment: segment.code)
def test_the_share_that_is_lost_changes_on_the_first_day_of_its_band(segment) -> None:
    for before, band in zip(segment.lgd, segment.lgd[1:], strict=False):
        days = np.array([band.from_dpd - 1, band.from_dpd, band.from_dpd + 1])
        found = lgd_of([segment], np.zeros(3, dtype=np.int64), days)
        assert found.tolist() == [before.share_ppm, band.share_ppm, band.share_ppm]
        assert found.tolist() == [segment.lgd_of(int(day)) for day in days]


def test_a_limit_that_is_dated_holds_from_its_day_on_in_china() -> None:
    plain = changed(("classes", 1, "effective_to"), "2027-01-01")
    later = changed(("classes", 1, "all"), [{"feature": "dpd", "op": "gt", "value": 60}]).classes[1]
    rules = [
        *plain.classes,
        type(later)(
            **{**{f: getattr(later, f) for f in later.__struct_fields__}, "effective_from": "2027-01-01"}
        ),
    ]
    for at, wanted in (("2026-12-31T23:59:59", 1), ("2027-01-01T00:00:00", 2)):
        assert rank(effective(rules, instant(at)), 61, 0) == wanted


def test_a_band_of_the_book_does_not_decide_a_class() -> None:
    assert bucket_of(91) == bucket_of(300)
    assert rank(DOCUMENT.classes, 91, 0) < rank(DOCUMENT.classes, 300, 0)


def test_what_is_not_known_hits_nobody_and_is_counted() -> None:
    said = say(DOCUMENT.classes, values(dpd=[0.0, 10.0], court_dishonest_flag=[float("nan"), 1.0]), 0)
    assert said.rank.tolist() == [0, 2]
    assert (said.skipped["dishonest"], said.skipped["overdue"], said.skipped["overdue_elsewhere"]) == (
        1,
        0,
        2,
    )
    assert [rule.code for rule in said.decisive()[1]] == ["dishonest", "overdue"]
