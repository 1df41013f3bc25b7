"""``yidai backup`` and ``yidai restore``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress


def backup(folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")]) -> None:
    """Copy store and lake as of one moment into a folder. The API goes on; what writes to the lake waits.

    The keys are not in it: keep their files elsewhere, for without them nothing personal opens.
    """
    from serving.backup import operations
    from serving.settings import Settings

    settings = Settings.load()
    with progress("backing up") as step:
        made = operations.backup(settings, folder, step)
    console.print(f"{len(made.files)} files as of {made.made_at}, schema {made.migration}.", soft_wrap=True)
    for path in operations.kept_apart(settings):
        console.print(f"[bold]Not in it[/], and nothing opens without it: {path}", soft_wrap=True)


def restore(folder: Annotated[Path, typer.Argument(help="What `yidai backup` was given.")]) -> None:
    """Bring a backup into an empty store and home. The master key's file must lie there before.

    Prove it afterwards: yidai replay, yidai audit verify --checkpoint KEPT
    """
    from serving.backup import operations
    from serving.settings import Settings

    with progress("restoring") as step:
        made = operations.restore(Settings.load(), folder, step)
    console.print(
        f"Restored as of {made.made_at}. Prove it: yidai replay, yidai audit verify --checkpoint KEPT",
        soft_wrap=True,
    )
