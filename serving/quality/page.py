"""`quality.html`: one file with tables and pictures, no script and nothing to fetch."""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from features.calendar import iso
from features.contracts.model import Contract
from features.quality.drift import Change, SourceDrift
from serving.quality.charts import Cell, Mark, heat_map, volume_line
from serving.quality.operations import Quality, recent_findings

PERIODS = 36
"""Columns of the heat map: the last ones."""
_NAMES = {
    "accuracy": "准确性",
    "completeness": "完整性",
    "consistency": "一致性",
    "timeliness": "及时性",
    "validity": "有效性",
}
_HOW = {
    "accuracy": (
        (
            "Accepted rows of accepted rows and quarantined lines. A refused line is of the day on which it says that it "
            "became known, else of its delivery's."
        ),
        "已接收行数占已接收与隔离行数之和; 被拒行按其自述的知悉日计, 无法读取时按交付日计。",
    ),
    "completeness": (
        "Values that are there of the contract's fields that are neither times nor links, in rows that arrived in the period.",
        "当期到达各行中, 除时间与关联外的契约字段的非空比例。",
    ),
    "consistency": (
        (
            "1 - the share of the period's rows of which a later row under the same key changed a stated value, or that were "
            "taken back. Filling an empty value is no contradiction. Recent rows had less time to be contradicted."
        ),
        "1 减去被同一键的后来行更改已述值或撤回的行的比例; 补填空值不算矛盾。近期行被更正的时间较短。",
    ),
    "timeliness": (
        (
            "First rows under their key that became known within the contract's usual lag and the tolerance; rows without a "
            "known time of their own do not count."
        ),
        "各键首行在契约惯常时滞加容限之内知悉的比例; 自身没有知悉时间的行不计。",
    ),
    "validity": (
        (
            "Values within the contract's codes and limits of these and of those in quarantine as an unknown code, below the "
            "minimum or above the maximum."
        ),
        "代码与上下限之内的值, 占其与因未知代码、低于下限、高于上限而隔离的值之和。",
    ),
}


def write_page(found: Quality, folder: Path) -> Path:
    """`quality.html` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "quality.html"
    path.write_text(render(found), encoding="utf-8")
    return path


def render(found: Quality) -> str:
    """The page as HTML text; every source that has rows or refused lines is on it."""
    page = string.Template((files("serving.quality") / "quality.html").read_text(encoding="utf-8"))
    parts = (_head(found), _down(found), _map(found), _captions(), _scores(found),
             _lines(found), _findings(found))  # fmt: skip
    return page.substitute(title="Data quality 数据质量", body="\n".join(parts))


def _head(found: Quality) -> str:
    late = sum(each.late(found.now) for each in found.deliveries.values())
    return (
        f"<header><h1>Data quality {_zh('数据质量')}</h1><p class='soft'>{len(found.assessment.scores)} sources as of "
        f"{iso(found.now)[:10]}, {late} late, {len(found.poor)} too poor; scores by {found.by} of arrival.</p></header>"
    )


def _down(found: Quality) -> str:
    head = f"<h2>Sources that decisions do without {_zh('决策不采用的来源')}</h2>"
    if not found.causes:
        return f"{head}<p class='soft'>None. {_zh('无。')}</p>"
    rows = [(_label(found.contracts[name]), cause) for name, cause in found.causes.items()]
    return head + _table(("source", "SOURCE_DOWN because"), rows, texts=2)


def _map(found: Quality) -> str:
    scores = found.assessment.scores.values()
    shown = set(sorted({period.period for each in scores for period in each.periods})[-PERIODS:])
    cells = [
        Cell(_label(found.contracts[each.dataset]), period.period, *period.worst())
        for each in scores
        for period in each.periods
        if period.period in shown
    ]
    names = [_label(found.contracts[each.dataset]) for each in scores]
    head = f"<h2>Worst of the five scores {_zh('五项评分中的最低者')}</h2>"
    if not cells:
        return f"{head}<p class='soft'>No row has arrived.</p>"
    about = f"<p class='soft'>The last {len(shown)} {found.by}s in which anything arrived; empty where nothing did.</p>"
    return f"{head}{about}<figure class='wide'>{heat_map(names, cells)}</figure>"


def _captions() -> str:
    parts = (
        f"<dt>{name} {_zh(_NAMES[name])}</dt><dd>{escape(en)} {_zh(zh)}</dd>"
        for name, (en, zh) in _HOW.items()
    )
    return f"<h2>How each score is made {_zh('评分方法')}</h2><dl>{''.join(parts)}</dl>"


def _scores(found: Quality) -> str:
    rows: list[tuple[str, ...]] = []
    for each in found.assessment.scores.values():
        name = _label(found.contracts[each.dataset])
        if not each.periods:
            rows.append(
                (name, "", "0", _share(each.accuracy.value), "", "", "", _share(each.validity.value), "")
            )
            continue
        last = each.periods[-1]
        worst = last.worst()[0]
        five = [_share(score.value, worst=key == worst) for key, score in last.five().items()]
        days = "" if last.late_95 is None else f"{last.late_50:.1f} / {last.late_95:.1f}"
        rows.append((name, last.period, f"{last.rows:,}", *five, days))
    columns = ("source", "last", "rows", *_NAMES, "days late, 50 / 95 %")
    about = "Days late are after the contract's usual lag; below 0 is before it."
    head = f"<h2>Scores of each source's last {found.by} {_zh('各来源最近一期评分')}</h2>"
    return f"{head}<p class='soft'>{about}</p>" + _table(columns, rows, texts=2)


def _lines(found: Quality) -> str:
    pictures = [
        f"<figure class='lined'><figcaption>{_zh(found.contracts[each.dataset].title.zh)} "
        f"{escape(found.contracts[each.dataset].title.en)}<br/><span>{each.dataset}, {sum(each.rows):,} rows</span>"
        f"</figcaption>{volume_line(_marks(each))}</figure>"
        for each in found.assessment.drift.values()
        if each.months
    ]
    head = f"<h2>Rows a month {_zh('每月行数')}</h2>"
    about = "<p class='soft'>A dot marks a month whose volume is far from that of the six months before.</p>"
    return f"{head}{about}<div class='lines'>{''.join(pictures)}</div>"


def _marks(drift: SourceDrift) -> list[Mark]:
    levels = {each.month: each.level.value for each in drift.findings if each.change is Change.VOLUME}
    return [Mark(m, n, levels.get(m, "")) for m, n in zip(drift.months, drift.rows, strict=True)]


def _findings(found: Quality) -> str:
    head = f"<h2>Drift of the last three months {_zh('近三个月漂移')}</h2>"
    rows = [
        (each.month, each.dataset, _Html(f"<span class='{each.level}'>{each.level}</span>"), each.change.value,
         each.field, each.code, f"{each.value:,.2f}", "" if each.ratio is None else f"{each.ratio:.2f}")
        for each in recent_findings(found)
    ]  # fmt: skip
    if not rows:
        return f"{head}<p class='soft'>None. {_zh('无。')}</p>"
    about = "Value: the robust z of a volume, the PSI of codes, the rows of a code that is new or gone."
    columns = ("month", "source", "level", "change", "field", "code", "value", "of the usual volume")
    return f"{head}<p class='soft'>{about}</p>" + _table(columns, rows, texts=6)


class _Html(str):
    """Text that is markup already."""

    __slots__ = ()


def _zh(text: str) -> str:
    return f"<span lang='zh'>{escape(text)}</span>"


def _label(contract: Contract) -> str:
    return f"{contract.title.zh} {contract.dataset}"


def _share(value: float | None, *, worst: bool = False) -> str:
    if value is None:
        return ""
    level = "act" if value < 0.9 else "watch"
    return _Html(f"<span class='{level}'>{value:.4f}</span>") if worst and value < 1 else f"{value:.4f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> str:
    """A table whose first ``texts`` columns are set left, the others right."""

    def line(tag: str, cells: Sequence[str]) -> str:
        marks = ["" if place < texts else " class='n'" for place in range(len(cells))]
        shown = (cell if isinstance(cell, _Html) else escape(cell) for cell in cells)
        return f"<tr>{''.join(f'<{tag}{m}>{c}</{tag}>' for m, c in zip(marks, shown, strict=True))}</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<div class='wide'><table>{line('th', columns)}{body}</table></div>"
