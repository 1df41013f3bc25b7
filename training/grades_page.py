"""The report's section about grades: the level that PDs were brought to, and the table by grade."""

from __future__ import annotations

from html import escape

from training.grades import Level
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
    told = "" if level is None else f"<p>{' '.join(_level(level))}</p>"
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


def _level(level: Level) -> list[str]:
    """What was stated, and what it did."""
    stated, told = level.stated, []
    if stated.long_run is None:
        told.append(
            "The portfolio states no long-run average: PDs are at the level of the rows learned from."
        )
    else:
        first, last = stated.long_run.years
        told.append(
            f"PDs are anchored to a long-run average of {stated.long_run.rate:.2%} ({first} to {last}; "
            f"{stated.long_run.source}): {level.shift:+.3f} logits from the {level.learned_rate:.2%} of the rows learned from."
        )
    if stated.downturn_margin:
        told.append(f"A downturn adds {stated.downturn_margin:.0%} of the PD.")
    if level.few_defaults:
        rule = stated.low_default
        told.append(
            f"Defaults are few, so that upper PDs at {rule.confidence:.0%} confidence and an asset correlation of "
            f"{rule.correlation:g} are told: those that the rows of a grade and of all worse ones do not refute."
        )
    told.append(f"The fullest grade, {level.fullest}, holds {level.share:.1%} of the rows judged.")
    return [escape(text) for text in told]


def _rate(observed: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{observed:.2%}"
    return f"{observed:.2%} ({interval.low:.2%} to {interval.high:.2%})"
