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
