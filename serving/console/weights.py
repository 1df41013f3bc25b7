"""What a second person weighs, as a page shows it: figures side by side, their pictures, and the model card's text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from serving.access.model import Permission
from serving.console.asking import Visit
from serving.console.pages import language_of
from serving.console.pictures import picture
from serving.console.words import say
from serving.governance.weighing import Weighed
from training.promotion import ReportFigures

DIGITS = 4
Interval = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of a version and of the champion; None where nobody reported it."""

    key: str
    own: str
    champion: str


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text: a heading, a paragraph, a list or a table of which the first line names the columns."""

    kind: Literal["title", "part", "text", "list", "table"]
    lines: tuple[tuple[str, ...], ...]


def compared(found: Weighed) -> list[Line]:
    """The figures of both reports side by side; the champion's are empty where nothing else is in force."""
    if found.report is None:
        return []
    own, other = _figures(found.report), {}
    if found.champion_report is not None:
        other = _figures(found.champion_report)
    return [Line(key, value, other.get(key, "–")) for key, value in own.items()]


def _figures(report: ReportFigures) -> dict[str, str]:
    m = report.metrics
    worst = max(report.stability, key=lambda one: one.psi, default=None)
    return {
        "rows": f"{m.rows:,} / {m.bads:,}", "auc": str(m.auc), "ks": str(m.ks), "brier": str(m.brier),
        "level": f"{m.predicted_over_actual:.3f}", "ece": f"{m.ece:.{DIGITS}f} ({m.ece_by_chance:.{DIGITS}f})",
        "psi": "–" if worst is None else f"{worst.psi:.3f} ({worst.month})",
    }  # fmt: skip


def pictures_of(visit: Visit, found: Weighed) -> dict[str, str]:
    """Where the pictures of a version are, by the key of their caption; none without a report."""
    if found.report is None:
        return {}
    language, may = language_of(visit.request), Permission.READ_REGISTRY
    own, champion = (say(language, f"models.{name}") for name in ("this_version", "champion"))
    reports = [(own, found.report)] + [(champion, r) for r in (found.champion_report,) if r is not None]
    auc = [(name, _ends(report)) for name, report in reports]
    grades = [
        (name, [(g.grade, g.mean_pd, g.observed, g.rows) for g in report.grades if g.rows and g.grade])
        for name, report in reports
    ]
    months = {
        name: [(m.month, m.psi) for m in report.stability] for name, report in reports if report.stability
    }
    shown = {"auc_picture": picture(visit, may, draw_auc, auc, say(language, "models.auc"))}
    if any(lines for _, lines in grades):
        titles = (say(language, "models.mean_pd"), say(language, "models.observed"))
        shown["grades_picture"] = picture(visit, may, draw_grades, grades, *titles)
    if months:
        shown["psi_picture"] = picture(visit, may, draw_psi, months, "PSI")
    return shown


def _ends(report: ReportFigures) -> Interval:
    auc = report.metrics.auc
    return auc.value, auc.low, auc.high


def draw_auc(lines: Sequence[tuple[str, Interval]], title: str) -> str:
    """A point with its 95 % interval a version."""
    from training.charts import intervals_chart  # noqa: PLC0415 - seconds

    return intervals_chart(lines, title)


def draw_grades(
    lines: Sequence[tuple[str, Sequence[tuple[int, float, float, int]]]], along: str, title: str
) -> str:
    """The observed bad rate of each grade against its mean PD."""
    from training.charts import grades_chart  # noqa: PLC0415

    return grades_chart(lines, along, title)


def draw_psi(lines: dict[str, Sequence[tuple[str, float]]], title: str) -> str:
    """PSI by month, a line a version."""
    from training.charts import lines_chart  # noqa: PLC0415

    return lines_chart(lines, title, form=".2f")


def blocks(text: str) -> list[Block]:
    """The parts of a model card, which is written in a small part of Markdown."""
    return [_block(part) for part in text.split("\n\n") if part.strip()]


def _block(part: str) -> Block:
    lines = part.strip().split("\n")
    if lines[0].startswith("#"):
        kind: Literal["title", "part"] = "title" if lines[0].startswith("# ") else "part"
        return Block(kind, ((lines[0].lstrip("# "),),))
    if lines[0].startswith("- "):
        return Block("list", tuple((_plain(line[2:]),) for line in lines))
    if lines[0].startswith("| "):
        return Block("table", tuple(_cells(line) for at, line in enumerate(lines) if at != 1))
    return Block("text", ((_plain(" ".join(lines)),),))


def _cells(line: str) -> tuple[str, ...]:
    held = line.strip().removeprefix("|").removesuffix("|").replace("\\|", "\0")
    return tuple(_plain(cell.strip().replace("\0", "|")) for cell in held.split("|"))


def _plain(text: str) -> str:
    return text.replace("`", "").replace("&lt;", "<")
