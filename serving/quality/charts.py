"""The pictures of the quality page as SVG text: no script, nothing to fetch, and readable on light and dark.

The page's style sheet colours the text; marks have colours that are told apart on both and by the colour-blind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert as vlc

BAD, MIDDLE, GOOD, LINE, GREY = "#c8553d", "#d9b44a", "#4c86b8", "#5b8fc4", "#8a94a0"
_STEP = 17
_WIDE = 20
_LABEL = 330
_MARGIN = {"left": 36, "right": 5, "top": 5, "bottom": 5}
"""The reader's fonts may be wider than those that the picture was measured with."""
_CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {"domainColor": GREY, "tickColor": GREY, "labelColor": GREY, "labelFontSize": 11, "grid": False},
    "legend": {"orient": "top", "title": None, "labelColor": GREY, "gradientLength": 240},
}


@dataclass(frozen=True, slots=True)
class Cell:
    """The worst score of a source in a period."""

    source: str
    period: str
    score: str
    value: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A month on a volume line, with the level of a finding about its volume or empty."""

    month: str
    rows: int
    level: str


def heat_map(sources: Sequence[str], cells: Sequence[Cell]) -> str:
    """Source by period, coloured by the worst score; empty where nothing arrived."""
    points = [{"source": c.source, "period": c.period, "score": c.score, "value": c.value} for c in cells]
    periods = sorted({cell.period for cell in cells})
    chart = alt.Chart(
        alt.Data(values=points), padding=_MARGIN, width=alt.Step(_WIDE), height=alt.Step(_STEP)
    ).mark_rect()
    return _svg(chart.encode(
        x=alt.X("period:O", title=None, sort=periods, axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("source:N", title=None, scale=alt.Scale(domain=sources), axis=alt.Axis(labelLimit=_LABEL)),
        color=alt.Color(
            "value:Q",
            legend=alt.Legend(format=".0%"),
            scale=alt.Scale(domain=[0.5, 0.9, 1], range=[BAD, MIDDLE, GOOD], clamp=True, interpolate="lab"),
        ),
    ))  # fmt: skip


def volume_line(marks: Sequence[Mark]) -> str:
    """Rows a month of one source, with a dot where its volume changed."""
    points = [{"month": m.month, "rows": m.rows, "level": m.level} for m in marks]
    x = alt.X("month:T", title=None, axis=alt.Axis(format="%Y", tickCount="year", labelFontSize=9))
    y = alt.Y("rows:Q", title=None, axis=alt.Axis(tickCount=2, format="~s", labelFontSize=9))
    base = alt.Chart(alt.Data(values=points), width=200, height=48)
    colour = alt.Color("level:N", legend=None, scale=alt.Scale(domain=["watch", "act"], range=[MIDDLE, BAD]))
    dots = (
        base.transform_filter("datum.level != ''")
        .mark_circle(size=34, opacity=1)
        .encode(x=x, y=y, color=colour)
    )
    return _svg(base.mark_line(color=LINE, strokeWidth=1.6).encode(x=x, y=y) + dots)


def _svg(chart: alt.Chart | alt.LayerChart) -> str:
    return str(vlc.vegalite_to_svg(chart.configure(**_CONFIG).to_dict()))
