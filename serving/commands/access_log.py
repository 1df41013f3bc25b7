"""``yidai access-log``: the auditor's question of who read what, when and why (REG-CR-10)."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from features.terminal import console, show_json, show_table


def access_log(
    subject: Annotated[
        str,
        typer.Option(
            help="person or legal_person: only reads of the one whose number stands on the standard input."
        ),
    ] = "",
    actor: Annotated[str, typer.Option(help="Only reads by this person, system or process.")] = "",
    purpose: Annotated[
        str, typer.Option(help="Only reads for this purpose, such as credit_assessment.")
    ] = "",
    since: Annotated[str, typer.Option(help="Only reads from then on, such as 2026-01-31.")] = "",
    until: Annotated[str, typer.Option(help="Only reads before then.")] = "",
    most: Annotated[int, typer.Option(min=1, help="The oldest so many.")] = 1_000,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Who read whose records, what of them, when, and why: purpose, basis and consent.

    A decision, a prefill, a watch, a training, a replay: each read is there. Reads of everybody's records (for
    statistics) are told for each subject too.
    """
    from serving.commands import access_reading
    from serving.settings import Settings

    number = sys.stdin.readline().strip() if subject else ""
    wanted = access_reading.asked(subject, number, actor, purpose, since, until, most)
    found = access_reading.reads(Settings.load(), wanted)
    if as_json:
        show_json(found)
        return
    rows = [
        (
            one.when,
            one.who,
            ", ".join(one.categories),
            one.whose,
            one.purpose,
            "; ".join(filter(None, (", ".join(one.why), one.reason))),
        )
        for one in found
    ]
    show_table(f"{len(found)} reads", ("when", "who", "what", "whose", "for", "on the ground of"), rows)
    if len(found) == most:
        console.print(f"The oldest {most} are shown; --since goes on from there.")
