"""The report as one page: tables and pictures in the file itself, no script and nothing to fetch."""

from __future__ import annotations

import string
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from training.evaluation import Judged
from training.grades_page import grades_section
from training.overrides import overrides_section
from training.points import PointTable
from training.rejects_page import rejects_section
from training.report import Report, held_out_rows
from training.review_page import review_sections
from training.sample import Sample
from training.tables import Html, gallery, table
from training.validation import Interval, Metrics

_MOST_DRIFT = 12
_SIGNS = {-1: "lowers", 0: "free", 1: "raises"}


def pictures(sample: Sample, judged: Judged, report: Report) -> dict[str, str]:
    """SVG text by caption, over the rows held out (of the first repeat)."""
    from training.charts import (  # noqa: PLC0415 - three seconds that only a report pays
        calibration_chart,
        distribution_chart,
        drift_chart,
        roc_chart,
        stability_chart,
    )

    rows = held_out_rows(judged)
    target, pd = sample.target[rows], judged.pd[0][rows]
    scores = {report.model: pd}
    if judged.challenger is not None:
        scores["scorecard beside it"] = judged.challenger[0][rows]
    found = {
        "Discrimination: ROC": roc_chart(target, scores),
        "Calibration by tenths": calibration_chart(target, pd),
        "Score by outcome": distribution_chart(target, pd),
    }
    if report.stability:
        found["Stability of the score by month"] = stability_chart(
            [(m.month, m.psi) for m in report.stability]
        )
    if report.review and report.review.drift:
        shown = [(one.name, one.months) for one in report.review.drift[:_MOST_DRIFT]]
        found["Drift of features by month: CSI, blue over 0.1, red over 0.25"] = drift_chart(
            report.review.months, shown
        )
    return found


def render(report: Report, charts: Mapping[str, str]) -> str:
    """The page as HTML text."""
    parts = (
        _head(report), _warnings(report), _figures(report.metrics), gallery(charts), _judgement(report),
        _horizons(report), grades_section(report), _withheld(report), _features(report),
        _points(report.points) if report.points else "",
        rejects_section(report.rejects) if report.rejects else "",
        review_sections(report.review) if report.review else "", overrides_section(report.overrides), _rows(report), _leaks(report),
        _origin(report),
    )  # fmt: skip
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    title = escape(f"{report.portfolio}.{report.model} {report.origin.bundle[:12]}")
    return page.substitute(title=title, body="\n".join(parts))


def _head(report: Report) -> str:
    return (
        f"<header><h1>{escape(report.title.en)} <span lang='zh'>{escape(report.title.zh)}</span></h1>"
        f"<p class='soft'>Validation report of <b>{escape(report.portfolio)}.{escape(report.model)}</b>, "
        f"{escape(report.model_kind.replace('_', ' '))}; bundle <code>{report.origin.bundle[:12]}</code>, data to "
        f"{escape(report.created[:10])}; judged {escape(report.split)}.</p></header>"
    )


def _warnings(report: Report) -> str:
    if not report.warnings:
        return "<div class='clear'><b>No warning.</b> Every gate of promotion.yaml is met.</div>"
    items = "".join(f"<li>{escape(text)}</li>" for text in report.warnings)
    return f"<div class='warnings'><b>{len(report.warnings)} to look at</b><ul>{items}</ul></div>"


def _figures(metrics: Metrics) -> str:
    shown = (
        (f"{metrics.auc.value:.3f}", f"AUC, {metrics.auc.low:.3f} to {metrics.auc.high:.3f}"),
        (f"{metrics.ks.value:.3f}", f"KS, {metrics.ks.low:.3f} to {metrics.ks.high:.3f}"),
        (f"{metrics.brier.value:.4f}", "Brier score"),
        (f"{metrics.ece:.4f}", "calibration error (ECE)"),
        (f"{metrics.predicted_over_actual:.2f}", "predicted over actual"),
        (f"{metrics.bads:,}", f"bads of {metrics.rows:,} rows judged"),
    )
    return (
        "<div class='figures'>"
        + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in shown)
        + "</div>"
    )


def _judgement(report: Report) -> str:
    names = ["figure, with its 95 % interval", report.model]
    both = [report.metrics]
    if report.challenger is not None:
        names.append("scorecard beside it")
        both.append(report.challenger)
    lines = [
        ("AUC (DeLong)", *(str(m.auc) for m in both)),
        ("KS (bootstrap of groups)", *(str(m.ks) for m in both)),
        ("Brier", *(str(m.brier) for m in both)),
        ("log loss", *_told(report, "log_loss", [f"{m.log_loss:.5f}" for m in both])),
        ("ECE, ten equal bins", *_told(report, "ece", [f"{m.ece:.4f}" for m in both])),
        (
            "predicted over actual",
            *_told(report, "predicted_over_actual", [f"{m.predicted_over_actual:.3f}" for m in both]),
        ),
    ]
    apart = "" if report.gap is None else f"<p>AUC over the scorecard's: <b>{report.gap}</b>, paired.</p>"
    how = (
        "The bundle that ships is the one that was judged: it learned from the rows before the split only."
        if report.out_of_time
        else "The bundle that ships learned from all rows; the figures are those of its recipe on rows held out."
    )
    return f"<h2>Figures</h2><p class='soft'>{how}</p>" + table(names, lines, 1) + apart


def _horizons(report: Report) -> str:
    if not report.curve:
        return ""
    lines = [
        (f"within {one.months} months", f"{one.rows:,}", f"{one.bads:,}", f"{one.bads / one.rows:.2%}",
         f"{one.mean_pd:.2%}", str(one.auc))
        for one in report.curve
    ]  # fmt: skip
    about = "First default; rows held out whose window of the horizon has ended. A PD never falls with the horizon."
    names = ("horizon", "rows", "bads", "bad rate", "mean PD", "AUC (DeLong)")
    return f"<h2>Horizons</h2><p class='soft'>{about}</p>" + table(names, lines, 1)


def _told(report: Report, figure: str, values: list[str]) -> list[str]:
    """The model's own figure with the interval that the review gives it."""
    interval = report.review.intervals.get(figure) if report.review else None
    return (
        values
        if interval is None
        else [f"{values[0]} ({interval.low:.4f} to {interval.high:.4f})", *values[1:]]
    )


def _withheld(report: Report) -> str:
    """The stated interval, and what was seen of it."""
    stated = report.withheld
    if stated is None:
        return ""
    about = (
        f"With everything known the model states its log-odds to ±{stated.half_width:.2f} at {stated.level:.0%}; "
        "each source that is withheld adds nothing to the score and widens that. Covered: how often the fully known "
        "score lies in the part of the interval that the withheld sources make."
    ) + (
        ""
        if report.out_of_time
        else " Seen on the models of the folds, each on the rows that it has not seen."
    )
    lines = [
        (
            one.what, f"{one.auc:.4f}", f"{one.log_loss:.5f}", f"{one.predicted_over_actual:.3f}", f"{one.change:.3f}",
            f"{one.covered:.1%}",
        )
        for one in stated.lines
    ]  # fmt: skip
    names = (
        "withheld from every row judged",
        "AUC",
        "log loss",
        "predicted over actual",
        "change, logits",
        "covered",
    )
    shown = table(names, lines, 1) if lines else ""
    return f"<h2>Interval and withheld sources</h2><p class='soft'>{about}</p>" + shown


def _features(report: Report) -> str:
    is_card = any(line.iv is not None for line in report.features)
    lines = [
        (
            Html(f"<span lang='zh'>{escape(f.zh)}</span> {escape(f.en)}<br><small><code>{escape(f.name)}</code></small>"),
            f.dataset, _SIGNS[f.sign], f"{f.weight:.3f}", f"{f.iv:.3f}" if f.iv is not None else "", f"{f.absent:.1%}",
        )
        for f in report.features
    ]  # fmt: skip
    about = "Weight is the mean absolute contribution to the log-odds over the rows judged."
    names = ["feature", "source", "risk", "weight", "IV" if is_card else "", "absent"]
    return f"<h2>Strongest features</h2><p class='soft'>{about}</p>" + table(names, lines, 3)


def _points(points: PointTable) -> str:
    lines = [
        (
            Html(f"<span lang='zh'>{escape(one.zh)}</span> {escape(one.en)}") if place == 0 or points.lines[place - 1].feature != one.feature else "",
            one.bin, *(("", "") if one.goods is None else (f"{one.goods:,}", f"{one.bads:,}")), one.points,
        )
        for place, one in enumerate(points.lines)
    ]  # fmt: skip
    names = ("feature", "bin", "goods", "bads", "points")
    return f"<h2>Scorecard in points</h2><p class='soft'>{escape(points.told)}</p>" + table(names, lines, 2)


def _rows(report: Report) -> str:
    reached = report.population
    outcomes = ", ".join(f"{count:,} {name}" for name, count in reached.outcomes.items())
    lines = [
        (
            "rows of the portfolio",
            f"{reached.rows:,} in {reached.groups:,} groups, {reached.first[:10]} to {reached.last[:10]}",
        ),
        ("outcomes", outcomes),
        ("learned from by the bundle", f"{report.learned_rows:,} rows"),
    ]
    if report.random is not None:
        pd = (
            ""
            if report.random.mean_pd is None
            else f"; mean PD of those held out {report.random.mean_pd:.2%}"
        )
        text = f"{report.random.rows:,} rows ({report.random.share:.1%}), bad rate {report.random.bad_rate:.2%}{pd}"
        lines.append(("approved at random", text))
    return "<h2>Rows</h2>" + table(("", ""), lines, 2)


def _leaks(report: Report) -> str:
    suspects = ", ".join(f"{one.name} ({one.auc:.3f})" for one in report.leaks.suspects) or "none"
    afterwards = ", ".join(f"{one.name} ({one.bads})" for one in report.leaks.afterwards) or "none"
    future = report.leaks.future
    told = (
        "not asked"
        if future is None
        else f"none: {future.rows} rows, {future.records:,} records of theirs shuffled"
    )
    lines = [
        ("AUC after the outcomes were shuffled (should be 0.5)", str(report.leaks.shuffled)),
        ("features that alone reach AUC 0.95", suspects),
        ("features with a value that stands with bads only", afterwards),
        ("features that changed when what was not known yet was shuffled", told),
    ]
    return "<h2>Looks for leaks</h2>" + table(("", ""), lines, 2)


def _origin(report: Report) -> str:
    digests = [(name, Html(f"<code>{escape(getattr(report.origin, name))}</code>")) for name in
               ("bundle", "definitions", "training")]  # fmt: skip
    settings = [
        (key, f"{value:.6g}" if isinstance(value, float) else value) for key, value in report.settings.items()
    ]
    parts = [
        "<h2>Origin</h2>", table(("digest of", "SHA-256"), digests, 2),
        "<h2>Settings and inner figures</h2>", table(("", ""), settings, 2),
    ]  # fmt: skip
    if report.origin.files:
        lines = [
            (f.dataset, f.file, f"{f.rows:,}", f"{f.loaded:,}", f.quarantined) for f in report.origin.files
        ]
        parts += ["<h2>Files</h2>", table(("dataset", "file", "rows", "loaded", "quarantined"), lines, 2)]
    return "".join(parts)


def interval_text(interval: Interval) -> str:
    """An interval as the commands print it."""
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"
