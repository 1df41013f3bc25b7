"""Instants are int64 microseconds of UTC; dates and months are those of China Standard Time (UTC+8).

The civil offset is fixed at eight hours: the daylight saving of 1986-1991 is deliberately ignored,
so that a month edge needs no time-zone table inside the kernel.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.errors import Invalid

SECOND = 1_000_000
DAY = 86_400 * SECOND
CHINA_OFFSET = 8 * 3_600 * SECOND
NEVER = np.iinfo(np.int64).max
"""Open end of an interval."""
NULL = np.iinfo(np.int64).min
"""A missing value in an int64 column."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (of China: what is added has its offset)


def instant(text: str) -> int:
    """Microseconds of an ISO date (midnight in China) or an ISO date-time (China time unless zoned).

    Raises:
        Invalid: not an ISO date or date-time.
    """
    try:
        moment = datetime.fromisoformat(text)
        naive = moment.tzinfo is None
        whole = ((moment.replace(tzinfo=UTC) if naive else moment) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"{text!r} is not an ISO date or date-time.",
            remedy="Write 2024-05-31 or 2024-05-31T08:00:00+08:00.",
        ) from error
    return whole - CHINA_OFFSET if naive else whole


def iso(moment: int) -> str:
    """ISO text in China time of an instant; whole days lose their clock part."""
    local = _NAIVE_EPOCH + timedelta(microseconds=moment + CHINA_OFFSET)
    if (moment + CHINA_OFFSET) % DAY == 0:
        return local.date().isoformat()
    return local.isoformat() + "+08:00"


def local_date(moment: int) -> date:
    """Calendar date in China of an instant."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + (moment + CHINA_OFFSET) // DAY)


def months_before(moment: int, months: int) -> int:
    """The same day and clock time ``months`` calendar months earlier, clamped to the month's last day."""
    day = local_date(moment)
    index = day.year * 12 + day.month - 1 - months
    year, month = index // 12, index % 12 + 1
    clamped = date(year, month, min(day.day, monthrange(year, month)[1]))
    shift = (day - clamped).days
    return moment - shift * DAY


def month_index(moments: NDArray[np.int64]) -> NDArray[np.int64]:
    """Months since January 1970 in China of each instant."""
    local = (moments + CHINA_OFFSET).astype("datetime64[us]")
    return local.astype("datetime64[M]").astype(np.int64)


def month_text(index: int) -> str:
    """A month, counted from January 1970, as people write it: 2024-03."""
    return f"{1970 + index // 12}-{index % 12 + 1:02d}"


def month_start(index: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Instant at which each month (counted from January 1970 in China) begins."""
    months = np.asarray(index, dtype=np.int64).astype("datetime64[M]")
    return np.asarray(months.astype("datetime64[us]").astype(np.int64) - CHINA_OFFSET, dtype=np.int64)
