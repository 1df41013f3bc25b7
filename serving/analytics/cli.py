"""``yidai loans portfolio``: the book month by month."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table
from serving.loans.cli import AsOf, Json


def portfolio(
    *,
    as_of: AsOf = "",
    months: Annotated[int, typer.Option(min=1, max=60, help="So many month ends.")] = 24,
    out: Annotated[Path | None, typer.Option(help="Also write a page with pictures there.")] = None,
    as_json: Json = False,
) -> None:
    """The book month by month: bands, roll rates, cures, vintages, NPL, concentration, by amount, year and village."""
    from features.calendar import instant
    from serving.analytics import operations, page
    from serving.settings import Settings

    with progress("portfolio") as step:
        found = operations.portfolio(Settings.load(), instant(as_of) if as_of else None, months, step)
        if out is not None:
            step("pictures", 1, 1)
            out.write_text(page.render(found), encoding="utf-8")
    if as_json:
        show_json(found)
        return
    show_table(
        "The open book, each month as it was known at its end, yuan",
        page.MONTH_NAMES,
        page.month_lines(found),
    )
    if found.rolls:
        names = ("from", "loan-months", *found.rolls[-1].to)
        show_table("Roll rates of the last twelve months", names, page.roll_lines(found.rolls[-12:]))
    console.print(
        f"Flow to bad {page.share(found.flow_to_bad)}, ten largest borrowers {page.share(found.largest)} of the balance."
    )
    for name, parts in found.parts.items():
        show_table(f"By {name}", page.PART_NAMES, page.part_lines(parts))
    if out is not None:
        console.print(f"Written: {out}", markup=False)


def monitor(
    model: Annotated[
        str, typer.Argument(help="A version's digest, or a slot such as bundle.risk.")
    ] = "bundle.risk",
    portfolio: Annotated[str, typer.Option(help="Whose rows: a name or a folder.")] = "city",
    since: Annotated[
        str, typer.Option(help="The first day of use; where the portfolio's split begins, if not given.")
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Also write a page with pictures there.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """A model in use, month by month: drift, ranking, level, reasons, silent sources. What is past its limit opens an issue."""
    from serving.analytics import monitor as monitoring
    from serving.analytics import monitor_page as page
    from serving.settings import Settings

    with progress("monitor") as step:
        step("rows and scores", 0, 1)
        found = monitoring.look(Settings.load(), model, portfolio, since)
        if out is not None:
            out.write_text(page.render(found), encoding="utf-8")
    if as_json:
        show_json(found)
        return
    show_table(
        f"{found.found.model} since {found.found.since[:10]}",
        page.MONTH_NAMES,
        page.month_lines(found.found.months),
    )
    lines = page.finding_lines(found.found.findings)
    if lines:
        show_table(f"{len(lines)} findings, {found.opened} issues opened", page.FINDING_NAMES, lines)
        console.print("Next: yidai models issues", markup=False)
    else:
        console.print("Nothing is past its limit.")


def issues(
    *,
    every: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: Json = False,
) -> None:
    """The open issues of models in use, the first due first."""
    from serving.analytics import monitor as monitoring
    from serving.settings import Settings

    rows = monitoring.listed(Settings.load(), closed=every)
    if as_json:
        show_json(rows)
        return
    cells = [
        (r.issue_id[:13], r.model, r.month, r.kind.replace("_", " "), r.about, f"{r.figure:.3f}", f"{r.limit:.3f}",
         r.owner, r.due_at[:10], r.reason or r.todo)
        for r in rows
    ]  # fmt: skip
    names = (
        "issue",
        "model",
        "month",
        "what",
        "about",
        "figure",
        "limit",
        "owner",
        "due",
        "what to do, or why closed",
    )
    show_table(f"{len(rows)} issues", names, cells)


def close(
    issue: Annotated[str, typer.Argument(help="The issue's id, or its first 8 characters or more.")],
    reason: Annotated[str, typer.Option(help="What was found and what will be done.")],
) -> None:
    """Close an issue with a reason; it stays on record."""
    from serving.analytics import monitor as monitoring
    from serving.settings import Settings

    monitoring.closed(Settings.load(), issue, reason)
    console.print(f"{issue} is closed.", markup=False)
