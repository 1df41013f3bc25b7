"""``yidai grants``: a village decided together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table


def grants(
    file: Annotated[
        Path,
        typer.Argument(
            help="Applicants as CSV: id_number, consent_id, product, amount_yuan, term_months, purpose, region, identity, aml."
        ),
    ],
    village: Annotated[str, typer.Option(help="Its name: on the report, and in each line's key.")],
    out: Annotated[Path, typer.Option(help="Folder for report, answers and list.")],
    until: Annotated[
        str, typer.Option(help="Last day of the pre-approval; a year without it (REG-IL-19).")
    ] = "",
    apart: Annotated[
        str, typer.Option(help="The policy's segment of applicants whom few sources know.")
    ] = "thin_file",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Decide a village together: its report with thin files apart, and the list of whom it pre-approves.

    It may be run again: the same line is answered as before. Example:
    yidai grants zhaozhuang.csv --village Zhaozhuang --out zhaozhuang
    """
    from serving.grants.operations import grant
    from serving.grants.page import group_line
    from serving.settings import Settings

    with progress("grants") as step:
        done = grant(Settings.load(), file, village, out, until=until, apart=apart, progress=step)
    if as_json:
        show_json(done.report)
        return
    report = done.report
    names = ("", "applicants", "approved", "referred", "declined", "limits, yuan", "median", "bads expected")
    lines = [
        group_line("all", report.whole),
        group_line("known", report.known),
        group_line("thin", report.thin),
    ]
    show_table(f"{report.village}, to {report.until}", names, lines)
    show_table("reasons of the others", ("", ""), [(one.code, one.count) for one in report.reasons])
    if report.refused:
        wrong = [(one.line, one.place, one.problem, one.remedy) for one in report.refused]
        show_table("lines that were not decided", ("line", "place", "problem", "remedy"), wrong)
    console.print(f"The page: {done.page}", soft_wrap=True)
    console.print(f"Next: yidai policy list preapproved {done.listed} --kind allow", soft_wrap=True)
