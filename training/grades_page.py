"""The report's section about grades: the level that PDs were brought to, and the table by grade."""

from __future__ import annotations

from html import escape

from training.report import Report
from training.tables import table
from training.validation import GradeTest, Interval

_ABOUT = (
    "p is the probability that the true rate is at most the mean PD; a small one says that the grade is told too low. "
    "The verdict is at 5 % over all grades together (Holm); power is the chance that the test would see a true rate half "
    "as large again, and under one half it cannot tell. The bad rate stands with its 95 % interval (Jeffreys)."
)


def grades_section(report: Report) -> str:
    """Heading, the level in words, and the table; the last line is the book as a whole."""
    level = report.level
    bounds = any(one.upper is not None for one in report.grades)
    margin = level is not None and level.stated.downturn_margin > 0
    names = [
        "grade", "rows", "share", "bads", "mean PD", "bad rate", "p (Jeffreys)", "p over all (Holm)", "power", "verdict",
    ]  # fmt: skip
    names += ["downturn PD"] * margin + ["upper PD (Pluto-Tasche)"] * bounds
    grades = (*report.grades, *((level.book,) if level else ()))
    lines = [_line(one, margin=margin, bounds=bounds) for one in grades]
    told = "" if level is None else f"<p>{escape(' '.join(level.told))}</p>"
    return f"<h2>Calibration by grade</h2><p class='soft'>{_ABOUT}</p>" + told + table(names, lines)


def _line(one: GradeTest, *, margin: bool, bounds: bool) -> list[object]:
    if not one.rows:
        return [one.grade, 0, *[""] * (8 + margin + bounds)]
    line: list[object] = [
        one.grade or "all", f"{one.rows:,}", f"{one.share:.1%}", one.bads, f"{one.mean_pd:.2%}",
        _rate(one.observed, one.interval), f"{one.p_value:.3f}", f"{one.p_adjusted:.3f}", f"{one.power:.0%}",
        one.verdict.value if one.verdict else "",
    ]  # fmt: skip
    of_grade = one.grade > 0
    line += [f"{one.downturn_pd:.2%}" if of_grade else ""] * margin
    line += ["" if one.upper is None else f"{one.upper:.2%}"] * bounds
    return line


def _rate(observed: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{observed:.2%}"
    return f"{observed:.2%} ({interval.low:.2%} to {interval.high:.2%})"
