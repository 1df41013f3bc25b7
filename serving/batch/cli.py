"""``yidai decide``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table


def decide(
    file: Annotated[Path, typer.Argument(help="One application a line, each with its idempotency_key.")],
    out: Annotated[Path, typer.Option(help="Where the answers go, one a line, in the same order.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Decide a file of applications, as POST /v1/decisions decides one, under YIDAI_TOKEN.

    A line that is refused says why in its place; the others go on. A run that was stopped is run again: what it
    decided is repeated, and the file of answers is there only when it is whole.
    """
    from serving.batch import operations
    from serving.settings import Settings

    with progress("deciding") as step:
        report = operations.decide_file(Settings.load(), file, out, step)
    if as_json:
        show_json(report)
        return
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(report.outcomes.items()))
    console.print(
        f"{report.decided:,} decided, {report.repeated:,} answered before, {report.refused:,} refused: {outcomes or 'none'}"
    )
    if report.refused:
        rows = [(each.place, each.detail, each.remedy) for each in report.first_refused]
        show_table(f"{report.refused:,} lines were refused; the first:", ("place", "why", "remedy"), rows)
