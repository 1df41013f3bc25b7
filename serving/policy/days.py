"""Days of China as whole numbers, in which policies are dated."""

from __future__ import annotations

from features.calendar import CHINA_OFFSET, DAY, NEVER, instant, iso

FOREVER = NEVER // DAY
"""After every day that an instant can name."""


def day_of(moment: int) -> int:
    """The day in China of an instant, counted from 1970-01-01."""
    return (moment + CHINA_OFFSET) // DAY


def first_day(text: str) -> int:
    """The day of a date; an empty text is before all days.

    Raises:
        Invalid: not an ISO date.
    """
    return day_of(instant(text)) if text else -FOREVER


def end_day(text: str) -> int:
    """The first day after a period that ends at a date; an empty text is after all days.

    Raises:
        Invalid: not an ISO date.
    """
    return day_of(instant(text)) if text else FOREVER


def date_text(day: int) -> str:
    """The ISO date of a day, or that there is no end."""
    return "without end" if day >= FOREVER else iso(day * DAY - CHINA_OFFSET)
