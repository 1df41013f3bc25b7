"""The book from month to month as one page: figures, pictures, tables, and what they do not say."""

from __future__ import annotations

import string
from html import escape
from importlib.resources import files

from features.loans.whole import BUCKETS
from serving.analytics.charts import bands_chart, npl_chart, vintages_chart
from serving.analytics.model import PartView, PortfolioView, RollView
from training.tables import gallery, table

MONTH_NAMES = ("month", "open loans", "balance", "overdue", *(band.value for band in BUCKETS), "NPL")
PART_NAMES = ("part", "loans", "balance", "share", "NPL")
_MOST_PARTS = 30


def month_lines(found: PortfolioView) -> list[tuple[object, ...]]:
    """Month by month: loans, balance and overdue in yuan, loans by band, NPL."""
    return [
        (
            month.month, f"{month.loans:,}", _yuan(month.balance_fen), _yuan(month.overdue_fen),
            *(f"{band.loans:,}" for band in month.bands), share(month.npl),
        )
        for month in found.months
    ]  # fmt: skip


def part_lines(parts: tuple[PartView, ...]) -> list[tuple[object, ...]]:
    """The largest parts of the book."""
    return [
        (one.label, f"{one.loans:,}", _yuan(one.balance_fen), share(one.share), share(one.npl))
        for one in parts[:_MOST_PARTS]
    ]


def roll_lines(rolls: tuple[RollView, ...]) -> list[tuple[object, ...]]:
    """Shares of the loans of each band by where they were a month later, over these months together."""
    lines: list[tuple[object, ...]] = []
    for place, band in enumerate(BUCKETS):
        loans = [sum(cell) for cell in zip(*(roll.loans[place] for roll in rolls), strict=True)]
        whole = sum(loans)
        if whole:
            lines.append((band.value, f"{whole:,}", *(share(count / whole) for count in loans)))
    return lines


def render(found: PortfolioView) -> str:
    """The page as HTML text; it fetches nothing."""
    charts = {
        "Open loans by days past due": bands_chart(found),
        "Balance over 90 days past due": npl_chart({"NPL": found}),
    }
    for over in (30, 90):
        charts[f"Ever over {over} days, by month of drawdown"] = vintages_chart(
            found, over, f"ever over {over} days"
        )
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    body = (
        _head(found),
        _figures(found),
        gallery(charts),
        _tables(found),
        _notes(),
    )
    return page.substitute(title=f"Loan book as of {found.last[:10]}", body="\n".join(body))


def share(value: float | None) -> str:
    """A share as a person reads it; a dash where there is none."""
    return "–" if value is None else f"{value:.2%}"


def _head(found: PortfolioView) -> str:
    return (
        f"<header><h1>Loan book <span lang='zh'>贷款组合</span></h1><p class='soft'>Each month as it was known at its end, "
        f"from {found.first[:10]} to {found.last[:10]}.</p></header>"
    )


def _figures(found: PortfolioView) -> str:
    last = found.months[-1]
    cured, late = sum(r.cured for r in found.rolls[-12:]), sum(r.late for r in found.rolls[-12:])
    shown = (
        (f"{last.loans:,}", "open loans"),
        (_yuan(last.balance_fen), "yuan on the book"),
        (share(last.npl), "more than 90 days past due"),
        (
            share(cured / late if late else None),
            f"of {late:,} late loan-months cured within a month, last year",
        ),
        (share(found.flow_to_bad), "of current loans would flow to over 90 days, at last year's rates"),
        (share(found.largest), "of the balance is owed by the ten largest borrowers"),
    )
    cells = "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in shown)
    return f"<div class='figures'>{cells}</div>"


def _tables(found: PortfolioView) -> str:
    rolls = roll_lines(found.rolls[-12:])
    names = ("from", "loan-months", *(found.rolls[-1].to if found.rolls else ()))
    parts = [f"<h2>Month by month</h2>{table(MONTH_NAMES, month_lines(found), 1)}"]
    if rolls:
        parts.append(f"<h2>Roll rates, last twelve months</h2>{table(names, rolls, 1)}")
    for name, each in found.parts.items():
        index = found.herfindahl[name]
        told = (
            ""
            if index is None
            else f"<p class='soft'>Herfindahl index {index:.3f} over {len(each):,} parts.</p>"
        )
        parts.append(f"<h2>By {escape(name)}</h2>{told}{table(PART_NAMES, part_lines(each), 1)}")
    return "\n".join(parts)


def _notes() -> str:
    return (
        "<h2>How to read it</h2><p>Every month is the book as it was known at that moment: what was corrected later is seen "
        "from then on. Days past due are those at the month's end, so that a delay that was mended within a month is not "
        "seen here. A loan that was charged off counts as late in its vintage and is no balance. Vintages are told from the "
        "first month of the page on; a young one's last months are few loans' or not there yet.</p>"
    )


def _yuan(fen: int) -> str:
    return f"{fen / 100:,.0f}"
