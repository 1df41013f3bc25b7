"""What the console draws, in the words of the page. The drawing library is loaded by the first picture, not by the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.loans.whole import BUCKETS
from serving.analytics.model import PortfolioView

MOST_VINTAGES = 8


def load() -> None:
    """Load the drawing library, which takes seconds, so that the first who looks does not wait for it."""
    import training.charts  # noqa: F401, PLC0415


def bands(found: PortfolioView, title: str) -> str:
    """Late loans by band and month; those that are not late would hide them."""
    from training.charts import bands_area  # noqa: PLC0415 - seconds

    late = {
        band.value: [float(month.bands[place].loans) for month in found.months]
        for place, band in enumerate(BUCKETS)
        if place
    }
    return bands_area([month.month for month in found.months], late, title)


def npl(lines: Mapping[str, PortfolioView], title: str) -> str:
    """The share of the balance over 90 days past due by month, a line each."""
    from training.charts import lines_chart  # noqa: PLC0415

    told = {
        name: [(month.month, month.npl) for month in each.months if month.npl is not None]
        for name, each in lines.items()
    }
    return lines_chart(told, title)


def vintages(found: PortfolioView, over: int, title: str, along: str) -> str:
    """Share ever later than that by months on book, of the largest vintages."""
    from training.charts import lines_chart  # noqa: PLC0415

    own = sorted((one for one in found.vintages if one.over == over), key=lambda one: -one.loans)
    lines = {
        one.month: list(enumerate(one.share))
        for one in sorted(own[:MOST_VINTAGES], key=lambda one: one.month)
    }
    return lines_chart(lines, title, along)


def sources(months: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]], title: str) -> str:
    """Records by source and month as a field: the more the darker."""
    from training.charts import field_chart  # noqa: PLC0415

    return field_chart(months, rows, title)
