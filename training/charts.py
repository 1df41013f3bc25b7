"""The pictures of a report as SVG text: no script, no font file, readable in print.

Colours are chosen to be told apart by a colour-blind reader and in grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import vl_convert as vlc
from numpy.typing import NDArray

from training.validation import roc

Floats = NDArray[np.float64]
INK, GOOD, BAD, PALE = "#1f3a5f", "#4c86b8", "#c8553d", "#9aa5b1"
WIDTH, HEIGHT = 330, 250
DECILES = 10
_PSI_MODERATE, _PSI_LARGE = 0.1, 0.25
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"gridColor": "#e6eaee", "domainColor": PALE, "tickColor": PALE, "labelColor": "#44525f",
             "titleColor": "#44525f", "titleFontWeight": "normal"},
    "legend": {"orient": "top", "title": None, "labelColor": "#44525f"},
}  # fmt: skip


def roc_chart(target: NDArray[np.int8], scores: Mapping[str, Floats]) -> str:
    """ROC curves of several scores of the same rows, with the line of chance."""
    points = []
    for name, score in scores.items():
        curve = roc(target, score)
        points += [
            {"false": x, "true": y, "model": name}
            for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
        ]
    names = list(scores)
    lines = _chart(points).mark_line(strokeWidth=2).encode(
        x=alt.X("false:Q", title="goods refused", axis=alt.Axis(format="%")),
        y=alt.Y("true:Q", title="bads refused", axis=alt.Axis(format="%")),
        color=alt.Color("model:N", scale=alt.Scale(domain=names, range=[INK, BAD][: len(names)])),
    )  # fmt: skip
    return _svg(_diagonal(1.0) + lines)


def calibration_chart(target: NDArray[np.int8], pd: Floats) -> str:
    """Observed bad rate against mean PD by decile, with 95 % intervals of the rate (Wilson)."""
    points = []
    order = np.argsort(pd, kind="stable")
    for part in np.array_split(order, DECILES):
        if len(part):
            rate = float(target[part].mean())
            low, high = _wilson(rate, len(part))
            points.append({"predicted": float(pd[part].mean()), "observed": rate, "low": low, "high": high})
    top = max(max(point["predicted"], point["high"]) for point in points)
    x = alt.X("predicted:Q", title="mean PD of the tenth", axis=alt.Axis(format="%", tickCount=6))
    spans = _chart(points).mark_rule(color=GOOD).encode(x=x, y="low:Q", y2="high:Q")
    dots = _chart(points).mark_circle(size=60, color=INK, opacity=1).encode(
        x=x, y=alt.Y("observed:Q", title="bad rate", axis=alt.Axis(format="%"))
    )  # fmt: skip
    return _svg(_diagonal(top) + spans + dots)


def distribution_chart(target: NDArray[np.int8], pd: Floats) -> str:
    """Share of goods and of bads by score; the axis is log-odds, labelled as PD."""
    odds = np.log(pd / (1 - pd))
    edges = np.linspace(odds.min() - 1e-9, odds.max() + 1e-9, 31)
    points = []
    for name, rows in (("good", target == 0), ("bad", target == 1)):
        shares = np.histogram(odds[rows], edges)[0] / max(int(rows.sum()), 1)
        points += [
            {"from": float(a), "to": float(b), "share": float(share), "outcome": name}
            for a, b, share in zip(edges[:-1], edges[1:], shares, strict=True)
        ]
    shown = "format(100 / (1 + exp(-datum.value)), '.2~g') + ' %'"
    chart = _chart(points).mark_rect(opacity=0.55).encode(
        x=alt.X("from:Q", title="PD", axis=alt.Axis(labelExpr=shown, tickCount=7), scale=alt.Scale(zero=False)),
        x2="to:Q",
        y=alt.Y("share:Q", title="share of the outcome", axis=alt.Axis(format="%"), stack=None),
        y2=alt.datum(0),
        color=alt.Color("outcome:N", scale=alt.Scale(domain=["good", "bad"], range=[GOOD, BAD])),
    )  # fmt: skip
    return _svg(chart)


def stability_chart(months: Sequence[tuple[str, float]]) -> str:
    """PSI of the score by month against the rows learned from, with the usual limits."""
    points = [{"month": month, "psi": value} for month, value in months]
    limits = [{"limit": _PSI_MODERATE}, {"limit": _PSI_LARGE}]
    bars = _chart(points).mark_bar(color=GOOD).encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60)), y=alt.Y("psi:Q", title="PSI of the score")
    )  # fmt: skip
    rules = _chart(limits).mark_rule(color=BAD, strokeDash=[4, 3]).encode(y="limit:Q")
    return _svg(bars + rules)


def drift_chart(months: Sequence[str], features: Sequence[tuple[str, Sequence[float]]]) -> str:
    """CSI of features by month as a field: pale under the moderate limit, blue under the large one, red beyond."""
    points = [
        {"month": month, "feature": name, "csi": value}
        for name, values in features
        for month, value in zip(months, values, strict=True)
    ]
    scale = alt.Scale(type="threshold", domain=[_PSI_MODERATE, _PSI_LARGE], range=["#e9edf1", GOOD, BAD])
    chart = _chart(points).mark_rect().encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("feature:N", title=None, sort=[name for name, _ in features]),
        color=alt.Color("csi:Q", scale=scale, legend=None),
    )  # fmt: skip
    return _svg(chart)


def field_chart(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]], title: str) -> str:
    """Counts as a field of rows and columns, pale for few and dark for many by their roots; none is left white."""
    points = [
        {"row": name, "column": column, "count": count}
        for name, counts in rows
        for column, count in zip(columns, counts, strict=True)
        if count
    ]
    scale = alt.Scale(type="sqrt", range=["#dbe6f0", INK])
    chart = _chart(points).mark_rect(stroke="white").encode(
        x=alt.X("column:O", title=None, axis=alt.Axis(labelAngle=-60), scale=alt.Scale(domain=list(columns))),
        y=alt.Y("row:N", title=None, sort=[name for name, _ in rows], axis=alt.Axis(labelLimit=220)),
        color=alt.Color("count:Q", title=title, scale=scale, legend=alt.Legend(orient="top", title=title, tickCount=3, tickMinStep=1, format="d")),
    ).properties(width=max(240, 22 * len(columns)), height=20 * max(len(rows), 1))  # fmt: skip
    return _svg(chart)


def pareto_chart(points: Sequence[tuple[str, float, float, bool]], chosen: str, model: str) -> str:
    """Candidates as (name, AUC, worst impact ratio, on the front), and the bound of four fifths.

    The front is a line; the model and the choice lie over the others.
    """
    kinds = {model: "the model", chosen: "chosen"}
    dots = [
        {"auc": auc, "impact": impact, "kind": kinds.get(name, "alternative")}
        for name, auc, impact, _ in points
    ]
    dots.sort(key=lambda dot: dot["kind"] != "alternative")
    front = [
        {"auc": auc, "impact": impact} for _, auc, impact, best in sorted(points, key=lambda p: p[1]) if best
    ]
    colour = alt.Scale(domain=["the model", "chosen", "alternative"], range=[INK, BAD, PALE])
    x = alt.X("auc:Q", title="AUC on held rows", scale=alt.Scale(zero=False))
    y = alt.Y("impact:Q", title="worst impact ratio", scale=alt.Scale(zero=False))
    bound = _chart([{"impact": 0.8}]).mark_rule(color=BAD, strokeDash=[4, 3]).encode(y="impact:Q")
    line = _chart(front).mark_line(color=GOOD, strokeWidth=1.5).encode(x=x, y=y)
    marks = (
        _chart(dots).mark_circle(size=70, opacity=1).encode(x=x, y=y, color=alt.Color("kind:N", scale=colour))
    )
    return _svg(bound + line + marks)


def volume_chart(months: Sequence[str], rows: Sequence[int]) -> str:
    """Records a month of one source."""
    points = [{"month": month, "rows": count} for month, count in zip(months, rows, strict=True)]
    return _svg(_chart(points).mark_bar(color=GOOD).encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60)), y=alt.Y("rows:Q", title="records")
    ))  # fmt: skip


def points_chart(names: Sequence[str], logits: Sequence[float]) -> str:
    """What each bin of a scorecard's column adds to the log-odds: red raises the risk, blue lowers it."""
    points = [{"bin": name, "logits": value} for name, value in zip(names, logits, strict=True)]
    colour = alt.condition("datum.logits > 0", alt.value(BAD), alt.value(GOOD))
    return _svg(_chart(points).mark_bar().encode(
        x=alt.X("bin:N", title=None, sort=list(names), axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("logits:Q", title="added to the log-odds"), color=colour,
    ))  # fmt: skip


def pairs_chart(lines: Sequence[tuple[str, float, float]], title: str, form: str) -> str:
    """Two bars a line, before and after."""
    points = [
        {"name": name, "value": value, "when": when}
        for name, *both in lines
        for when, value in zip(("before", "after"), both, strict=True)
    ]
    bars = _chart(points).mark_bar().encode(
        y=alt.Y("name:N", title=None, sort=[name for name, *_ in lines]),
        yOffset=alt.YOffset("when:N", sort=["before", "after"]),
        x=alt.X("value:Q", title=title, axis=alt.Axis(format=form)),
        color=alt.Color("when:N", scale=alt.Scale(domain=["before", "after"], range=[PALE, INK])),
    )  # fmt: skip
    return _svg(bars)


def intervals_chart(lines: Sequence[tuple[str, tuple[float, float, float]]], title: str) -> str:
    """A value with the ends of its interval a line, the first in the darker colour."""
    names = [name for name, _ in lines]
    points = [{"name": name, "value": v, "low": low, "high": high} for name, (v, low, high) in lines]
    colour = alt.Color(
        "name:N", legend=None, scale=alt.Scale(domain=names, range=[INK, GOOD, PALE][: len(names)])
    )
    y = alt.Y("name:N", title=None, sort=names)
    base = _chart(points).properties(height=46 * len(lines))
    spans = base.mark_rule(strokeWidth=3).encode(
        y=y,
        x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=5), scale=alt.Scale(zero=False)),
        x2="high:Q",
        color=colour,
    )
    return _svg(spans + base.mark_circle(size=110, opacity=1).encode(y=y, x="value:Q", color=colour))


def grades_chart(
    lines: Sequence[tuple[str, Sequence[tuple[int, float, float, int]]]], along: str, title: str
) -> str:
    """Observed rate against the mean PD of each grade (grade, mean PD, rate, rows), larger for more rows, by version."""
    names = [name for name, _ in lines]
    points = [
        {"name": name, "grade": grade, "pd": pd, "rate": rate, "rows": rows}
        for name, each in lines
        for grade, pd, rate, rows in each
    ]
    top = max(max(pd, rate) for _, each in lines for _, pd, rate, _ in each)
    dots = _chart(points).mark_circle(opacity=0.85).encode(
        x=alt.X("pd:Q", title=along, axis=alt.Axis(format="%")),
        y=alt.Y("rate:Q", title=title, axis=alt.Axis(format="%")),
        size=alt.Size("rows:Q", legend=None, scale=alt.Scale(range=[30, 320])),
        color=alt.Color("name:N", scale=alt.Scale(domain=names, range=[INK, GOOD, PALE][: len(names)])),
    )  # fmt: skip
    return _svg(_diagonal(top) + dots)


def lines_chart(
    lines: Mapping[str, Sequence[tuple[Any, float]]], title: str, along: str | None = None, form: str = ".1%"
) -> str:
    """Shares, or figures of another ``form``, by month, a line each; by steps where ``along`` names them."""
    points = [{"line": name, "x": x, "y": y} for name, each in lines.items() for x, y in each]
    kind = "x:O" if along is None else "x:Q"
    axis = alt.Axis(labelAngle=-60) if along is None else alt.Axis(tickMinStep=1)
    scheme = alt.Scale(range=[INK]) if len(lines) == 1 else alt.Scale(scheme="blues")
    legend = None if len(lines) == 1 else alt.Legend(title=None, columns=4)
    marks = _chart(points).mark_line(strokeWidth=2, point=along is None).encode(
        x=alt.X(kind, title=along, axis=axis),
        y=alt.Y("y:Q", title=title, axis=alt.Axis(format=form)),
        color=alt.Color("line:O", scale=scheme, legend=legend),
    )  # fmt: skip
    return _svg(marks)


def scores_chart(lines: Mapping[str, Sequence[tuple[str, float]]], title: str) -> str:
    """Shares by day, a small picture each below the other, so that none hides another."""
    points = [{"line": name, "day": day, "share": y} for name, each in lines.items() for day, y in each]
    chart = alt.Chart(alt.Data(values=points), width=2 * WIDTH, height=44).mark_line(
        color=INK, strokeWidth=1.6, point=alt.OverlayMarkDef(size=14, color=INK)
    )
    y = alt.Y(
        "share:Q", title=title or None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=2)
    )
    header = alt.Header(title=None, labelAngle=0, labelAlign="left", labelOrient="top", labelAnchor="start")
    rows = alt.Row("line:N", title=None, header=header, sort=list(lines), spacing=6)
    x = alt.X("day:T", title=None, axis=alt.Axis(format="%Y-%m-%d", tickCount=6))
    return str(vlc.vegalite_to_svg(chart.encode(x=x, y=y, row=rows).configure(**_CONFIG).to_dict()))


def bands_area(months: Sequence[str], bands: Mapping[str, Sequence[float]], title: str) -> str:
    """Counts by month, one band on the other; the graver the darker."""
    points = [
        {"month": month, "band": band, "count": count, "order": order}
        for order, (band, counts) in enumerate(bands.items())
        for month, count in zip(months, counts, strict=True)
    ]
    shades = alt.Scale(domain=list(bands), range=[PALE, GOOD, INK, BAD][-len(bands) :])
    bars = _chart(points).mark_bar().encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("count:Q", title=title),
        color=alt.Color("band:N", scale=shades),
        order=alt.Order("order:Q"),
    )  # fmt: skip
    return _svg(bars)


def _chart(points: list[dict[str, Any]]) -> alt.Chart:
    """A chart over plain values, so that no DataFrame is made."""
    return alt.Chart(alt.Data(values=points), width=WIDTH, height=HEIGHT)


def _diagonal(top: float) -> alt.Chart:
    ends = [{"x": 0.0, "y": 0.0}, {"x": top, "y": top}]
    return _chart(ends).mark_line(color=PALE, strokeDash=[4, 3]).encode(x="x:Q", y="y:Q")


def _svg(chart: alt.Chart | alt.LayerChart) -> str:
    return str(vlc.vegalite_to_svg(chart.configure(**_CONFIG).to_dict()))


def _wilson(rate: float, rows: int) -> tuple[float, float]:
    z = 1.96
    middle = (rate + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(rate * (1 - rate) / rows + z * z / (4 * rows * rows)))
    return max(middle - half, 0.0), min(middle + half, 1.0)
