"""The pictures of a loan book as SVG text, in the colours of the reports. The drawing library is loaded by the first of them."""

from __future__ import annotations

from collections.abc import Mapping

from features.loans.whole import BUCKETS
from serving.analytics.model import PortfolioView

MOST_VINTAGES = 8


def bands_chart(found: PortfolioView, title: str = "late loans") -> str:
    """Late loans by band and month; those that are not late would hide them."""
    from training.charts import bands_area  # noqa: PLC0415 - seconds

    late = {
        band.value: [float(month.bands[place].loans) for month in found.months]
        for place, band in enumerate(BUCKETS)
        if place
    }
    return bands_area([month.month for month in found.months], late, title)


def npl_chart(books: Mapping[str, PortfolioView], title: str = "share of balance") -> str:
    """The share of the balance over 90 days past due by month, a line a book."""
    from training.charts import lines_chart  # noqa: PLC0415

    lines = {
        name: [(month.month, month.npl) for month in book.months if month.npl is not None]
        for name, book in books.items()
    }
    return lines_chart(lines, title)


def vintages_chart(found: PortfolioView, over: int, title: str, along: str = "months on book") -> str:
    """Share ever later than that by months on book, of the largest vintages; nothing where there is none."""
    from training.charts import lines_chart  # noqa: PLC0415

    own = sorted((one for one in found.vintages if one.over == over), key=lambda one: -one.loans)
    shown = sorted(own[:MOST_VINTAGES], key=lambda one: one.month)
    lines = {one.month: list(enumerate(one.share)) for one in shown}
    return lines_chart(lines, title, along) if lines else ""
