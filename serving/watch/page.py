"""A back-test of signals as one page for the committee: figures, the signals one by one, a picture, how to read it."""

from __future__ import annotations

import string
from collections.abc import Iterable
from importlib.resources import files

from serving.watch.backtest import Backtest, Line, Rate
from training.tables import gallery, table

NAMES = (
    "signal", "yellow a month", "orange", "red", "at 0 days, of loans", "coverage", "precision", "precision of red",
    "median lead, days", "not told",
)  # fmt: skip


def render(found: Backtest, before: Backtest | None = None) -> str:
    """The page as HTML text; it fetches nothing."""
    from training.charts import pairs_chart  # noqa: PLC0415 - three seconds

    earlier = {line.code: line for line in before.lines} if before else {}
    bars = [
        (line.code, _orange_and_red(earlier.get(line.code)), _orange_and_red(line))
        for line in found.lines
        if _orange_and_red(line) or _orange_and_red(earlier.get(line.code))
    ]
    body = [_head(found, before), "<h2>Together</h2>", table(NAMES, lines(found.totals), 1)]
    if before is not None:
        body += [f"<h2>Together, by signals {before.digest[:12]}</h2>", table(NAMES, lines(before.totals), 1)]
    picture = pairs_chart(bars, "new oranges and reds a month", "~s") if bars else ""
    body += [
        gallery({"New oranges and reds a month": picture}),
        "<h2>Signal by signal</h2>",
        table(NAMES, lines(found.lines), 1),
        "<h2>Month by month</h2>",
    ]
    body += [table(("month", "new yellow", "new orange", "new red"), found.by_month, 1), _NOTES]
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    return page.substitute(title=f"Back-test of signals {found.digest[:12]}", body="\n".join(body))


def lines(rows: Iterable[Line]) -> list[tuple[object, ...]]:
    """Lines as a table of texts."""
    return [
        (
            f"{line.number} {line.code}" if line.number else line.code, f"{line.yellow:.1f}", f"{line.orange:.1f}",
            f"{line.red:.1f}", f"{line.alerted_share:.2%}", _told(line.coverage), _told(line.precision),
            _told(line.red_precision), "" if line.lead_days is None else f"{line.lead_days:.0f}",
            f"{line.skipped_share:.0%}",
        )
        for line in rows
    ]  # fmt: skip


def _told(rate: Rate | None) -> str:
    return "" if rate is None else f"{rate.value:.1%} ({rate.low:.1%} to {rate.high:.1%}) of {rate.of:,}"


def _orange_and_red(line: Line | None) -> float:
    return line.orange + line.red if line else 0.0


def _head(found: Backtest, before: Backtest | None) -> str:
    beside = f" beside <code>{before.digest[:12]}</code>" if before else ""
    return (
        f"<header><h1>Back-test of signals <span lang='zh'>预警信号回测</span></h1><p class='soft'>Signals "
        f"<code>{found.digest[:12]}</code>{beside} over {found.months} months, {found.first} to {found.last}: "
        f"{found.loan_months:,} loans and months, {found.defaults:,} defaults.</p></header>"
    )


_NOTES = (
    "<h2>How to read it</h2><p>An alert is new where its level was not reached at the month's end before. A default (90 days "
    "past due, or an end that was no repayment) is covered where an orange or red stood, at 0 days past due, 30 to 365 "
    "days before the first due date that was missed. An alert was right where its loan defaulted within 365 days; only alerts whose "
    "365 days are over are counted. Intervals are of 95 %, as if loans were independent. What could not be told is never "
    "read as zero. Models in force are asked as they are: months that they "
    "learned from flatter them. Without models what reads them is skipped; values of guarantors are not part of it.</p>"
)
