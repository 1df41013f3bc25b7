"""`yidai quality`: which sources may be relied on."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table


def quality(
    dataset: Annotated[str, typer.Option(help="Only this dataset.")] = "",
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put it in force: decisions do without what is late.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say when each source delivered last, until when it has to deliver again, and which are late.

    Ingest and flush put it in force by themselves. A sample is judged as of YIDAI_AS_OF.
    """
    from features.calendar import iso
    from serving.quality.operations import sources
    from serving.settings import Settings

    with progress("reading the feeds") as step:
        found, now = sources(Settings.load(), step, apply=apply)
    chosen = [each for each in found.values() if dataset in {"", each.dataset}]
    if as_json:
        show_json([
            {"dataset": d.dataset, "last_known": iso(d.last_known), "due_by": iso(d.due_by), "late": d.late(now)}
            for d in chosen
        ])  # fmt: skip
        return
    rows = [
        (
            d.dataset,
            iso(d.last_known)[:10],
            iso(d.due_by)[:10],
            "[red]SOURCE_DOWN[/]" if d.late(now) else "ok",
        )
        for d in chosen
    ]
    late = sum(each.late(now) for each in chosen)
    show_table(
        f"{len(rows)} sources as of {iso(now)[:10]}, {late} late", ("dataset", "last", "due by", ""), rows
    )
    if late and not apply:
        console.print("Decisions do without them after: yidai quality --apply")
