"""The pictures of a back-test as SVG text, in the colours of the reports."""

from __future__ import annotations

from collections.abc import Sequence

from serving.swaps.model import Backtest
from training.charts import pairs_chart

MOST = 12


def segments_chart(found: Backtest) -> str:
    """Share of each segment that is approved, before and after."""
    lines = [(s.segment, s.approved_before / s.rows, s.approved_after / s.rows) for s in found.segments]
    return pairs_chart(lines, "approved", "%")


def reasons_chart(found: Backtest) -> str:
    """The commonest first causes, before and after."""
    lines: Sequence[tuple[str, float, float]] = [(r.code, r.before, r.after) for r in found.reasons[:MOST]]
    return pairs_chart(lines, "applications", "~s")
