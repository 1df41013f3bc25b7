"""``yidai backtest``: what a change of policy or model would have done to past applications."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table


def backtest(
    policy: Annotated[str, typer.Option(help="The policy to try: a file, a slot or a digest.")] = "policy",
    against: Annotated[
        str, typer.Option(help="The policy to compare with; the one in force without it.")
    ] = "policy",
    model: Annotated[str, typer.Option(help="The model to try: a bundle.json, a slot or a digest.")] = "",
    against_model: Annotated[
        str, typer.Option(help="The model to compare with; the one in force without it.")
    ] = "",
    portfolio: Annotated[str, typer.Option(help="Whose applications.")] = "city",
    out: Annotated[Path | None, typer.Option(help="Write the page for the committee here, as .html.")] = None,
    *,
    band: Annotated[
        bool, typer.Option(help="Ask what the refused would have done; --no-band is faster.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Decide past applications by another policy or model: swap set, expected bads, reasons, segments.

    Example: yidai backtest --policy new.yaml --out backtest.html
    """
    from features.files import put_file
    from serving.settings import Settings
    from serving.swaps import reading
    from serving.swaps.page import MOVE_NAMES, SEGMENT_NAMES, move_lines, render, segment_lines

    asked = reading.Asked(policy, against, model, against_model)
    with progress("back-test") as step:
        found = reading.run(Settings.load(), portfolio, asked, band=band, progress=step)
    if out is not None:
        put_file(out, render(found).encode())
    if as_json:
        show_json(found)
        return
    show_table(
        f"{found.rows:,} applications, {found.first[:10]} to {found.last[:10]}",
        MOVE_NAMES,
        move_lines(found.moves),
    )
    show_table("by segment", SEGMENT_NAMES, segment_lines(found))
    lines = [(r.code, r.before, r.after, f"{r.after - r.before:+,}") for r in found.reasons]
    show_table("first causes of what is not approved", ("", "before", "after", "change"), lines)
    low, high = found.band
    console.print(
        f"PDs stand in where no outcome is known, times {low:.2f} to {high:.2f}: {found.band_from}."
    )
    if out is not None:
        console.print(f"The page: {out}")
