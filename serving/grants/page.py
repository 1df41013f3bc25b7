"""The report of a village as one page."""

from __future__ import annotations

import string
from html import escape
from importlib.resources import files

from serving.grants.model import Group, Report
from training.tables import table

_NAMES = ("", "applicants", "approved", "referred", "declined", "limits together, yuan", "median limit", "bads expected of the approved")  # fmt: skip


def render(report: Report) -> str:
    """The page as HTML text; it names nobody and fetches nothing."""
    whole = report.whole
    shown = (
        (f"{whole.approved:,}", f"approved of {report.applicants:,} applicants"),
        (f"{whole.limit_fen / 100:,.0f}", "yuan of limits together"),
        (f"{whole.median_limit_fen / 100:,.0f}", "yuan, the median limit"),
        (
            f"{whole.bads / whole.approved:.2%}" if whole.approved else "none",
            "expected bad rate of the approved",
        ),
        (f"{report.thin.rows:,}", "thin files, reported apart below"),
    )
    cells = "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in shown)
    groups = [
        group_line("all", whole),
        group_line("known", report.known),
        group_line("thin files", report.thin),
    ]
    grades = [(f"grade {place}", f"{count:,}") for place, count in enumerate(report.grades, start=1) if count]
    reasons = [(one.code, f"{one.count:,}") for one in report.reasons]
    wrong = [(str(one.line), one.place, one.problem, one.remedy) for one in report.refused]
    body = (
        f"<header><h1>{escape(report.village)} <span lang='zh'>整村授信报告</span></h1><p class='soft'>Pre-approved to "
        f"{escape(report.until)}; each is decided again when they draw.</p></header><div class='figures'>{cells}</div>"
        f"<h2>Known and thin files</h2>{table(_NAMES, groups, 1)}"
        f"<p>Few sources know whoever has a thin file: their grades rest on less, and their limits are kept lower.</p>"
        f"<h2>Grades of the approved</h2>{table(('', 'applicants'), grades, 1)}"
        f"<h2>Reasons of the others</h2>{table(('reason', 'applicants'), reasons, 1)}"
        f"<h2>Lines that were not decided</h2>{table(('line', 'place', 'problem', 'remedy'), wrong, 4)}"
    )
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    return page.substitute(title=escape(report.village), body=body)


def group_line(name: str, group: Group) -> tuple[str, ...]:
    """A group as a line of a table."""
    return (
        name, f"{group.rows:,}", f"{group.approved:,}", f"{group.referred:,}", f"{group.declined:,}",
        f"{group.limit_fen / 100:,.0f}", f"{group.median_limit_fen / 100:,.0f}", f"{group.bads:,.2f}",
    )  # fmt: skip
