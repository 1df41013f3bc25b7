"""A back-test as one page for the credit committee: figures, the swap set, pictures, and what is not known."""

from __future__ import annotations

import string
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from serving.swaps.model import Backtest, Expected, Move
from training.tables import gallery, table

_WORDS = {"approve": "approved", "refer": "referred", "decline": "declined"}


def render(found: Backtest) -> str:
    """The page as HTML text; it fetches nothing."""
    from serving.swaps.charts import reasons_chart, segments_chart  # noqa: PLC0415 - three seconds

    charts = {
        "Approvals by segment": segments_chart(found),
        "First causes of what is not approved": reasons_chart(found),
    }
    parts = (
        _head(found),
        _figures(found),
        _moves(found.moves),
        gallery(charts),
        _segments(found),
        _notes(found),
    )
    page = string.Template((files("training") / "report.html").read_text(encoding="utf-8"))
    return page.substitute(title=f"Back-test of {found.after.policy[:12]}", body="\n".join(parts))


def move_lines(moves: Sequence[Move]) -> list[tuple[object, ...]]:
    """The swap set as lines: what changed, how many, what they asked for, their bads."""
    return [
        (
            f"{_WORDS[m.before]} → {_WORDS[m.after]}", f"{m.expected.rows:,}", f"{m.asked_fen / 1e6:,.1f}",
            f"{m.expected.labelled:,}", f"{m.expected.seen:,}", f"{m.expected.bads:,.1f}", _rate(m.expected),
        )
        for m in moves
    ]  # fmt: skip


MOVE_NAMES = ("before → after", "applications", "asked, 10,000 yuan", "outcome known", "bads seen", "bads expected", "bad rate, and its band")  # fmt: skip
SEGMENT_NAMES = ("segment", "applications", "approved before", "after", "bad rate before", "after")


def segment_lines(found: Backtest) -> list[tuple[object, ...]]:
    """Approvals by segment as lines."""
    return [
        (
            s.segment, f"{s.rows:,}", f"{s.approved_before:,}", f"{s.approved_after:,}", f"{s.bad_rate_before:.2%}",
            f"{s.bad_rate_after:.2%}",
        )
        for s in found.segments
    ]  # fmt: skip


def _rate(expected: Expected) -> str:
    if not expected.rows:
        return ""
    low, high = expected.low / expected.rows, expected.high / expected.rows
    return f"{expected.rate:.2%}" + ("" if low == high else f" ({low:.2%} to {high:.2%})")


def _head(found: Backtest) -> str:
    return (
        f"<header><h1>Back-test <span lang='zh'>政策回测</span></h1><p class='soft'>Policy "
        f"<code>{found.after.policy[:12]}</code> with model <code>{found.after.model[:12]}</code> beside policy "
        f"<code>{found.before.policy[:12]}</code> with model <code>{found.before.model[:12]}</code>, over "
        f"{found.rows:,} applications from {escape(found.first[:10])} to {escape(found.last[:10])}.</p></header>"
    )


def _figures(found: Backtest) -> str:
    before, after = found.before, found.after
    swapped_in, swapped_out = found.moved(approved_after=True), found.moved(approved_after=False)
    shown = (
        (
            f"{after.approved.rows / found.rows:.1%}",
            f"approved; before {before.approved.rows / found.rows:.1%}",
        ),
        (f"{after.approved.rate:.2%}", f"bad rate of the approved; before {before.approved.rate:.2%}"),
        (f"{after.referred / found.rows:.1%}", f"referred; before {before.referred / found.rows:.1%}"),
        (f"{swapped_in.rows:,}", f"swapped in, bad rate {_rate(swapped_in) or 'none'}"),
        (f"{swapped_out.rows:,}", f"swapped out, bad rate {_rate(swapped_out) or 'none'}"),
    )
    cells = "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in shown)
    return f"<div class='figures'>{cells}</div>"


def _moves(moves: Sequence[Move]) -> str:
    return f"<h2>The swap set</h2>{table(MOVE_NAMES, move_lines(moves), 1)}"


def _segments(found: Backtest) -> str:
    lines = [(r.code, f"{r.before:,}", f"{r.after:,}", f"{r.after - r.before:+,}") for r in found.reasons]
    return (
        f"<h2>By segment</h2>{table(SEGMENT_NAMES, segment_lines(found), 1)}"
        f"<h2>Why not approved</h2>{table(('first cause', 'before', 'after', 'change'), lines, 1)}"
    )


def _notes(found: Backtest) -> str:
    low, high = found.band
    return (
        f"<h2>How to read it</h2><p>Where an outcome is known it is counted; elsewhere the PD of the model after stands "
        f"in, times {low:.2f} to {high:.2f}: {escape(found.band_from)}. The model has learned from some of these "
        f"outcomes, so that its PDs of them are a little too sure; nobody is taken to withhold a source; each policy is "
        f"applied as on the day on which all of its parts are in force. Limits, prices, exposure and the random stream "
        f"are left out.</p>"
    )
