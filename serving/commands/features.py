"""``yidai features show``: one subject as a decision would see it, or a lake by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import show_json, show_table


def show_features(
    subject: Annotated[int, typer.Argument(help="The subject's id.")],
    as_of: Annotated[str, typer.Option(help="The moment, such as 2024-05-31 or 2024-05-31T08:00:00+08:00.")],
    lake: Annotated[
        Path | None,
        typer.Option(help="Another lake, read alone. Without it: the lake and store of YIDAI_HOME."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one subject's features as of a moment, with the datasets that each comes from.

    With a store the records that are not in the lake yet are read too, as a decision reads them, and what the subject
    disputes is marked. It is read to develop models, on the contracts' bases for that, and written to the access log.
    """
    from features.calendar import instant
    from serving.operations import show_subject
    from serving.settings import Settings

    found = show_subject(Settings.load(), subject, instant(as_of), lake)
    if as_json:
        show_json(found)
        return
    rows = [
        (each.column, each.value, each.unit, each.sources, "disputed" if found.disputes(each) else "")
        for each in found.features
    ]
    title = f"subject {subject} as of {as_of}; read: {found.read}"
    show_table(title, ("column", "value", "unit", "sources", ""), rows)
