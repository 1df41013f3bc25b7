"""The second half of a report as HTML: drift, segments, reasons, changes of the world."""

from __future__ import annotations

from html import escape

from training.review import Drift, Review
from training.tables import Html, table
from training.validation import Interval

MOST_DRIFT, MOST_REASONS = 15, 15


def review_sections(review: Review) -> str:
    """Headings and tables."""
    parts = (_drift(review), _segments(review), _reasons(review), _regimes(review))
    return "".join(parts)


def _drift(review: Review) -> str:
    if not review.drift:
        return ""
    about = (
        "CSI of each feature by month against the rows before the split, on tenths frozen there and a cell for each kind "
        "of absence; the worst month of those that moved most, with the interval of a month of so many rows."
    )
    lines = [
        (_name(one), one.worst_month, _told(one.worst), "moved" if one.large else "")
        for one in review.drift[:MOST_DRIFT]
    ]
    return f"<h2>Drift of features</h2><p class='soft'>{about}</p>" + table(
        ("feature", "month", "CSI", ""), lines, 2
    )


def _segments(review: Review) -> str:
    about = "Bad rates with Jeffreys intervals. Calibration is mean PD over bad rate: 1 is right."
    lines = [
        (
            s.by,
            s.name,
            f"{s.rows:,}",
            s.bads,
            f"{s.mean_pd:.2%}",
            _share(s.bad_rate),
            _told(s.calibration),
            _told(s.auc),
        )
        for s in review.segments
    ]
    names = ("segment by", "", "rows", "bads", "mean PD", "bad rate", "calibration", "AUC")
    return f"<h2>Segments and thin files</h2><p class='soft'>{about}</p>" + table(names, lines, 2)


def _reasons(review: Review) -> str:
    about = "Of the rows judged, how often a reason would be among the four that are told, and how often the first."
    lines = [(one.reason, f"{one.told:.1%}", f"{one.first:.1%}") for one in review.reasons[:MOST_REASONS]]
    return f"<h2>Reasons</h2><p class='soft'>{about}</p>" + table(("reason", "told", "first"), lines, 1)


def _regimes(review: Review) -> str:
    lines = [
        (
            Html(f"{escape(one.id)} {escape(one.title.en)} <span lang='zh'>{escape(one.title.zh)}</span><br><small>{escape(one.flag) or 'reads nothing that changed'}</small>"),
            one.begins, one.columns, f"{one.before:,}", _told(one.auc_before), f"{one.after:,}", _told(one.auc_after),
        )
        for one in review.regimes
    ]  # fmt: skip
    names = ("change", "from", "features", "rows before", "AUC before", "rows after", "AUC after")
    return "<h2>Changes of the world</h2>" + table(names, lines, 2)


def _name(one: Drift) -> Html:
    return Html(f"<span lang='zh'>{escape(one.zh)}</span> {escape(one.en)}<br><small><code>{escape(one.name)}</code></small>")  # fmt: skip


def _told(interval: Interval | None) -> str:
    if interval is None:
        return "too few"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _share(interval: Interval) -> str:
    return f"{interval.value:.2%} ({interval.low:.2%} to {interval.high:.2%})"
