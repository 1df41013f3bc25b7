"""``yidai audit deeds``: the auditor's question of who did what to which object."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, show_json, show_table


def deeds(
    who: Annotated[str, typer.Option(help="Only what this person or system did.")] = "",
    action: Annotated[
        str, typer.Option(help="Only this, such as token.created, or a group of deeds, such as token.")
    ] = "",
    since: Annotated[str, typer.Option(help="Only what was done from then on, such as 2026-01-31.")] = "",
    until: Annotated[str, typer.Option(help="Only what was done before then.")] = "",
    after: Annotated[
        int | None, typer.Option(min=1, help="Go on after this entry, the last one that was told.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Who did what to which object and when, the newest first: keys, people, versions, stops, cases, upkeep.

    Where nobody is named, a command did it that asks for no key.
    """
    from serving.commands import deeds_reading
    from serving.settings import Settings

    found = deeds_reading.done(Settings.load(), deeds_reading.asked(who, action, since, until, after, most))
    if as_json:
        show_json(found)
        return
    rows = [(one.entry, one.when, one.who or "–", one.action, one.thing, _said(one.detail)) for one in found]
    show_table(f"{len(found)} deeds", ("entry", "when", "who", "did", "to", "more"), rows)
    if len(found) == most:
        console.print(f"The newest {most} are shown; --after {found[-1].entry} goes on from there.")


def _said(detail: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in detail.items())
