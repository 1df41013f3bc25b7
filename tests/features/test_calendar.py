"""Instants and months of China against the standard library's own zone."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.calendar import DAY, instant, iso, local_date, month_index, month_start, months_before
from features.errors import Invalid

CHINA = timezone(timedelta(hours=8))
MOMENTS = st.integers(instant("1902-01-01"), instant("2150-01-01"))


def in_china(moment: int) -> datetime:
    return datetime.fromtimestamp(0, UTC).astimezone(CHINA) + timedelta(microseconds=moment)


@given(MOMENTS)
def test_text_and_instant_are_each_other(moment) -> None:
    assert instant(iso(moment)) == moment
    assert local_date(moment) == in_china(moment).date()


@pytest.mark.parametrize(
    ("text", "same"),
    [("2024-05-31", "2024-05-30T16:00:00Z"), ("2024-05-31T08:00:00+08:00", "2024-05-31T00:00:00+00:00"),
     ("2024-05-31T08:00:00", "2024-05-31T00:00:00Z"), ("2024-05-31T00:00:00.000001Z", "2024-05-31T08:00:00.000001")],
)  # fmt: skip
def test_a_text_without_a_zone_is_chinese_time(text, same) -> None:
    assert instant(text) == instant(same)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-02-30", "31.05.2024", "2024-05-31T25:00:00"])
def test_what_is_no_moment_is_refused_with_an_example(text) -> None:
    with pytest.raises(Invalid, match=r"is not an ISO date or date-time\. Write 2024-05-31"):
        instant(text)


def test_a_whole_day_loses_its_clock() -> None:
    assert iso(instant("2024-05-31")) == "2024-05-31"
    assert iso(instant("2024-05-31") + 1) == "2024-05-31T00:00:00.000001+08:00"


@given(MOMENTS, st.integers(-400, 400))
def test_months_before_keep_clock_and_day_as_far_as_the_month_has_it(moment, months) -> None:
    before, now = in_china(months_before(moment, months)), in_china(moment)
    assert (now.year * 12 + now.month) - (before.year * 12 + before.month) == months
    assert before.time() == now.time()
    assert before.day == min(now.day, monthrange(before.year, before.month)[1])


@given(st.lists(MOMENTS, min_size=1))
def test_a_month_holds_its_instants(moments) -> None:
    array = np.array(moments, dtype=np.int64)
    index = month_index(array)
    assert (month_start(index) <= array).all()
    assert (array < month_start(index + 1)).all()
    assert [(1970 + k // 12, k % 12 + 1) for k in index.tolist()] == [
        (in_china(m).year, in_china(m).month) for m in moments
    ]


def test_midnight_in_china_begins_the_month() -> None:
    assert month_start(month_index(np.array([instant("2024-03-01")]))).tolist() == [instant("2024-03-01")]
    assert month_index(np.array([instant("2024-03-01") - 1]))[0] == (2024 - 1970) * 12 + 1
    assert instant("2024-03-02") - instant("2024-03-01") == DAY
