"""A model in use as one page: what was found, pictures, months, and what the figures do not say."""

from __future__ import annotations

import string
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from serving.analytics.monitor import Looked
from training.monitoring import Finding, MonthFigures
from training.tables import gallery, table
from training.validation import Interval

MONTH_NAMES = (
    "month",
    "rows",
    "known",
    "mean PD",
    "bad rate",
    "level",
    "AUC",
    "estimated",
    "PSI",
    "reasons",
    "moved most",
)
FINDING_NAMES = ("month", "what", "about", "figure", "limit", "what to do")
OVERRIDE_NAMES = ("month", "decisions", "cases decided", "overrides")
_FEATURES = 8


def month_lines(months: Sequence[MonthFigures]) -> list[tuple[object, ...]]:
    """Month by month; intervals are of 95 %."""
    return [
        (
            one.month, f"{one.rows:,}", f"{one.known:,}", f"{one.mean_pd:.2%}", *_level(one), _interval(one.auc),
            _interval(one.estimated), f"{one.score.psi:.3f}", f"{one.reasons.psi:.3f}",
            f"{one.features[0].name} {one.features[0].psi:.3f}" if one.features else "",
        )
        for one in months
    ]  # fmt: skip


def finding_lines(findings: Sequence[Finding]) -> list[tuple[object, ...]]:
    """What is past its limit."""
    return [
        (
            one.month,
            one.kind.value.replace("_", " "),
            one.about,
            f"{one.figure:.3f}",
            f"{one.limit:.3f}",
            one.todo,
        )
        for one in findings
    ]


def override_lines(looked: Looked) -> list[tuple[object, ...]]:
    """How people decided beside the model."""
    pairs = zip(looked.found.months, looked.overrides, strict=True)
    return [(m.month, f"{o.decisions:,}", f"{o.reviewed:,}", f"{o.overrides:,}") for m, o in pairs]


def render(looked: Looked) -> str:
    """The page as HTML text; it fetches nothing."""
    from training.charts import drift_chart, lines_chart, stability_chart  # noqa: PLC0415 - seconds

    found = looked.found
    names = list(dict.fromkeys(one.name for month in found.months for one in month.features[:_FEATURES]))[
        :_FEATURES
    ]
    moved = [(name, [_psi(month, name) for month in found.months]) for name in names]
    known = [(one.month, one.auc.value) for one in found.months if one.auc is not None]
    auc = {"estimated": [(one.month, one.estimated.value) for one in found.months]}
    charts = {
        "AUC, where outcomes are known and as the PDs promise": lines_chart(
            auc | ({"known": known} if known else {}), "AUC"
        ),
        "PSI of the score": stability_chart([(one.month, one.score.psi) for one in found.months]),
        "Columns that moved most": drift_chart([one.month for one in found.months], moved),
    }
    body = (
        _head(looked), _findings(found.findings), gallery(charts),
        f"<h2>Month by month</h2>{table(MONTH_NAMES, month_lines(found.months), 1)}",
        f"<h2>People beside the model</h2>{table(OVERRIDE_NAMES, override_lines(looked), 1)}", _notes(),
    )  # fmt: skip
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    return page.substitute(title=f"{found.model} in use", body="\n".join(body))


def _psi(month: MonthFigures, name: str) -> float:
    return next((one.psi for one in month.features if one.name == name), 0.0)


def _head(looked: Looked) -> str:
    found = looked.found
    before = "" if found.reference_auc is None else f", AUC {_interval(found.reference_auc)}"
    return (
        f"<header><h1>{escape(found.model)} in use <span lang='zh'>模型监测</span></h1><p class='soft'>Version "
        f"<code>{found.bundle[:12]}</code> from {escape(found.since[:10])} on, against {found.reference_rows:,} rows before"
        f"{before}.</p></header>"
    )


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p class='clear'>Nothing is past its limit.</p>"
    return f"<h2>{len(findings)} findings</h2>{table(FINDING_NAMES, finding_lines(findings), 3)}"


def _notes() -> str:
    return (
        "<h2>How to read it</h2><p>A distribution counts as moved where its PSI is past the limit and past what chance gives "
        "in 99 of 100 such months. The estimated AUC takes the PDs to be right: it falls where applicants have become more "
        "alike, and says nothing of a change in what they do. The level is tested by Jeffreys' posterior on the rows whose "
        "outcome is known. Nothing is retrained by itself: a person proposes a challenger, another approves it.</p>"
    )


def _level(one: MonthFigures) -> tuple[str, str]:
    if one.level is None or one.level.verdict is None:
        return "–", "–"
    return f"{one.level.observed:.2%}", one.level.verdict.value


def _interval(one: Interval | None) -> str:
    return "–" if one is None else f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})"
