"""`yidai quality`: which sources may be relied on, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from features.terminal import console, progress, show_json, show_table

if TYPE_CHECKING:
    from features.quality.drift import Drift
    from features.quality.scores import SourceScores
    from features.timeline.feed import Finding
    from serving.quality.operations import Quality

quality_app = typer.Typer(invoke_without_command=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@quality_app.callback()
def quality(
    context: typer.Context,
    dataset: Annotated[str, typer.Option(help="Only this dataset.")] = "",
    by: Annotated[Literal["day", "month"], typer.Option(help="Scores by day or month of arrival.")] = "month",
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put it in force: decisions do without what is late or poor.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write quality.html into this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Say which sources are late or too poor, how good each is in five scores, and which feeds change.

    Ingest and flush put that in force by themselves. A sample is judged as of YIDAI_AS_OF.
    """
    from features.quality.scores import Period
    from serving.quality.operations import quality_of
    from serving.settings import Settings

    if context.invoked_subcommand:
        return
    with progress("reading the feeds") as step:
        found = quality_of(Settings.load(), Period(by), step, dataset=dataset, apply=apply)
    written = None
    if out:
        from serving.quality.page import write_page  # seconds that only a page pays

        written = write_page(found, out)
    if as_json:
        show_json(_document(found))
        return
    _show_standing(found)
    _show_scores(found)
    _show_drift(found)
    if found.causes and not apply:
        console.print("Decisions do without those that are SOURCE_DOWN after: yidai quality --apply")
    if written:
        console.print(f"Written: {written}", soft_wrap=True)


@quality_app.command("quarantine")
def quarantine(
    dataset: Annotated[str, typer.Argument(help="Only this dataset; all without it.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """List every reason for which a row was refused: its place and what to do, never the value itself."""
    from serving.quality.operations import refused
    from serving.settings import Settings

    found = refused(Settings.load(), dataset)
    if as_json:
        show_json(found)
        return
    show_findings(f"{len(found):,} findings in quarantine", found)


def show_findings(title: str, found: Sequence[Finding]) -> None:
    """A table of findings: where each is, of what class the value, and what to do."""
    rows = [(f.dataset, escape(f.file), f.line, escape(f.field), f.value_class, f.remedy) for f in found]
    show_table(title, ("dataset", "file", "line", "field", "class", "remedy"), rows)


def _document(found: Quality) -> dict[str, object]:
    from features.calendar import iso

    return {
        "as_of": iso(found.now),
        "by": found.by,
        "sources": [
            {"dataset": d.dataset, "last_known": iso(d.last_known), "due_by": iso(d.due_by), "late": d.late(found.now)}
            for d in found.deliveries.values()
        ],
        "down": found.causes,
        "scores": list(found.assessment.scores.values()),
        "drift": list(found.assessment.drift.values()),
    }  # fmt: skip


def _show_standing(found: Quality) -> None:
    """The table of the sources that can be judged, and why decisions do without some."""
    from features.calendar import iso

    rows = []
    for name in sorted({*found.deliveries, *found.poor}):
        d, cause = found.deliveries.get(name), found.causes.get(name)
        when = (iso(d.last_known)[:10], iso(d.due_by)[:10]) if d else ("", "")
        rows.append((name, *when, f"[red]SOURCE_DOWN[/] {cause}" if cause else "ok"))
    late = sum(each.late(found.now) for each in found.deliveries.values())
    title = f"{len(rows)} sources as of {iso(found.now)[:10]}, {late} late, {len(found.poor)} too poor"
    show_table(title, ("dataset", "last", "due by", ""), rows)


def _show_scores(found: Quality) -> None:
    names = ("accuracy", "completeness", "consistency", "timeliness", "validity")
    rows = [_score_row(each) for each in found.assessment.scores.values()]
    title = f"Scores of each source's last {found.by}"
    show_table(title, ("dataset", found.by, "rows", *names, "days late 50/95 %"), rows)


def _score_row(each: SourceScores) -> tuple[str, ...]:
    if not each.periods:
        accuracy, validity = (_share(score.value) for score in (each.accuracy, each.validity))
        return (each.dataset, "", "0", accuracy, "", "", "", validity, "")
    last = each.periods[-1]
    worst = last.worst()[0]
    five = [_share(score.value, worst=name == worst) for name, score in last.five().items()]
    days = "" if last.late_95 is None else f"{last.late_50:.1f} / {last.late_95:.1f}"
    return (each.dataset, last.period, f"{last.rows:,}", *five, days)


def _share(value: float | None, *, worst: bool = False) -> str:
    if value is None:
        return ""
    colour = "red" if value < 0.9 else "yellow"
    return f"[{colour}]{value:.4f}[/]" if worst and value < 1 else f"{value:.4f}"


def _show_drift(found: Quality) -> None:
    from serving.quality.operations import RECENT, recent_findings

    every = sum(len(each.findings) for each in found.assessment.drift.values())
    rows = [_drift_row(each) for each in recent_findings(found)]
    title = f"Drift: {len(rows)} findings in the last {RECENT} whole months, {every} in all (--json has them)"
    show_table(title, ("dataset", "month", "level", "change", "what"), rows)


def _drift_row(each: Drift) -> tuple[str, ...]:
    what = {
        "volume": f"{each.ratio or 0:.2f} x the usual, z {each.value:.1f}",
        "codes": f"{each.field}: PSI {each.value:.3f}",
    }
    level = f"[red]{each.level}[/]" if each.level == "act" else f"[yellow]{each.level}[/]"
    told = what.get(each.change, f"{each.field} {each.code}: {each.value:.0f} rows")
    return (each.dataset, each.month, level, each.change, told)
