"""A test of fairness as one page: tables and the picture in the file itself, no script and nothing to fetch."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from training.alternatives import Choice
from training.fairness import GroupResult, Proxy
from training.fairness_report import FairnessReport
from training.validation import Interval

MOST_PROXIES = 40
_BOUNDS = (
    "Bounds: impact ratio between 0.80 and 1.25, standardised difference of the log-odds under 0.3, approval among goods "
    "within 5 points, price within a grade within 0.25 points a year (0 where the policy prices by grade). The premium is what is paid beyond what the "
    "group's own bad rate costs."
)


def fairness_page(report: FairnessReport) -> str:
    """The report as one HTML file with its picture in it."""
    from training.charts import pareto_chart  # noqa: PLC0415 - three seconds that only a report pays

    points = [(one.name, one.auc, one.impact, one.on_front) for one in report.choice.candidates]
    picture = pareto_chart(points, report.choice.chosen, report.choice.candidates[0].name)
    parts = (
        _head(report), _findings(report), "<h2>Groups</h2>", _groups(report.groups), f"<p class='soft'>{_BOUNDS}</p>",
        "<h2>Less discriminatory alternatives</h2>", _chosen(report.choice), f"<figure>{picture}</figure>",
        _candidates(report.choice), "<h2>Features that tell of a group</h2>", _proxies(report.proxies),
    )  # fmt: skip
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(f"Fairness of {report.portfolio}.{report.model}"), body="\n".join(parts)
    )


def _head(report: FairnessReport) -> str:
    return (
        f"<header><h1>Fairness of {escape(report.portfolio)}.{escape(report.model)}</h1><p class='soft'>Bundle "
        f"<code>{report.digest[:12]}</code>; {escape(report.period)}: {report.rows:,} rows, {report.labelled:,} of them "
        f"with an outcome; grades 1 to {report.approved_to} count as approved. Groups are read to test and never to "
        "train; each stands beside the largest of its attribute. Intervals are of 95 %, households drawn whole.</p>"
        "</header>"
    )


def _chosen(choice: Choice) -> str:
    return (
        f"<p>{len(choice.candidates) - 1} candidates, each approving as many as the model. Chosen: "
        f"<b>{escape(choice.chosen)}</b>: {escape(choice.reason)}.</p>"
    )


def _findings(report: FairnessReport) -> str:
    if not report.findings:
        return "<div class='clear'><b>No finding.</b> Every group is within the bounds.</div>"
    items = "".join(f"<li>{escape(text)}</li>" for text in report.findings)
    return f"<div class='warnings'><b>{len(report.findings)} to look at</b><ul>{items}</ul></div>"


def _groups(groups: Sequence[GroupResult]) -> str:
    names = ("group", "beside", "rows", "bads", "approved", "impact", "SMD", "goods approved", "PD / bad rate",
             "price gap", "premium gap")  # fmt: skip
    lines = [
        (
            f"{one.attribute}: {one.group}", one.reference, f"{one.rows:,}", one.bads, _told(one.approved, "{:.1%}"),
            _told(one.impact), _told(one.smd), _told(one.opportunity, "{:+.1%}"), _told(one.calibration),
            _told(one.price_gap_ppm, "{:+,.0f}"), _told(one.premium_gap_ppm, "{:+,.0f}"),
        )
        for one in groups
    ]  # fmt: skip
    return _table(names, lines, 2)


def _candidates(choice: Choice) -> str:
    lines = [
        (one.name, f"{one.auc:.4f}", f"{one.impact:.3f}", "on the front" if one.on_front else "")
        for one in sorted(choice.candidates, key=lambda one: -one.auc)
    ]
    return _table(("candidate", "AUC", "worst impact ratio", ""), lines, 1)


def _proxies(proxies: Sequence[Proxy]) -> str:
    if not proxies:
        return "<p>No feature of the model tells 2 % of any attribute's entropy.</p>"
    lines = [
        (one.feature, one.attribute, one.rationale or "none written", f"{one.share:.1%}")
        for one in proxies[:MOST_PROXIES]
    ]
    more = (
        f"<p>{len(proxies) - MOST_PROXIES} more are in the JSON.</p>" if len(proxies) > MOST_PROXIES else ""
    )
    return _table(("feature", "tells of", "why it is used", "share of the entropy"), lines, 3) + more


def _told(one: Interval | None, form: str = "{:.2f}") -> str:
    if one is None:
        return "-"
    return f"{form.format(one.value)} ({form.format(one.low)} to {form.format(one.high)})"


def _table(names: Sequence[str], lines: Iterable[Sequence[object]], texts: int) -> str:
    """The first ``texts`` columns are set left, the numbers after them right."""

    def row(tag: str, values: Sequence[object]) -> str:
        cells = (
            f"<{tag}{'' if place < texts else ' class=n'}>{escape(str(value))}</{tag}>"
            for place, value in enumerate(values)
        )
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<div class='wide'><table>{row('th', names)}{body}</table></div>"
