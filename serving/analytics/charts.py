"""The pictures of a loan book as SVG text, in the colours of the reports."""

from __future__ import annotations

from features.loans.whole import BUCKETS
from serving.analytics.model import PortfolioView
from training.charts import bands_area, lines_chart

_BANDS = [band.value for band in BUCKETS]


def bands_chart(found: PortfolioView) -> str:
    """Late loans by band and month; those that are not late would hide them."""
    months = [month.month for month in found.months]
    late = {
        band: [float(m.bands[place].loans) for m in found.months]
        for place, band in enumerate(_BANDS)
        if place
    }
    return bands_area(months, late, "late loans")


def npl_chart(found: PortfolioView) -> str:
    """The share of the balance over 90 days past due by month."""
    points = [(month.month, month.npl) for month in found.months]
    return lines_chart(
        {"NPL": [(month, value) for month, value in points if value is not None]}, "share of balance"
    )


def vintages_chart(found: PortfolioView, over: int, most: int = 8) -> str:
    """Share ever later than that by months on book, of the largest vintages; nothing where there is none."""
    own = sorted((v for v in found.vintages if v.over == over), key=lambda v: -v.loans)[:most]
    lines = {v.month: list(enumerate(v.share)) for v in sorted(own, key=lambda v: v.month)}
    return lines_chart(lines, f"ever over {over} days", "months on book") if lines else ""
