"""How commands talk: progress on long work, tables, and errors that name place and remedy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from features.errors import YidaiError

_WIDE = 240


def _width() -> int | None:
    """The terminal's width; in a pipe wide lines, that a search over them finds whole, unless COLUMNS says otherwise."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE


console = Console(stderr=False, highlight=False, width=_width())
notes = Console(stderr=True, highlight=False)
"""Progress and remarks go to standard error, so that ``--json`` output stays clean."""

Step = Callable[[str, int, int], None]
"""Called with (what, done, all)."""


@contextmanager
def progress(title: str) -> Iterator[Step]:
    """A progress bar on standard error; silent where that is no terminal, but for the title and the end."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=notes, transient=False) as bar:
        task = bar.add_task(title, total=None)

        def step(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=done, total=total)

        yield step
        bar.update(task, description=title, completed=1, total=1)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table for people, in which nothing is cut; in a pipe a line a row, with tabs between its cells."""
    if not sys.stdout.isatty():
        lines = ([title], columns, *rows)
        sys.stdout.write("".join("\t".join(map(_plain, line)) + "\n" for line in lines))
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)


def _plain(cell: object) -> str:
    """A cell as a program takes it: without marks of style, on one line."""
    return " ".join(Text.from_markup(str(cell)).plain.split())


def show_json(value: Any) -> None:
    """A value for programs: one JSON document on standard output."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn a refusal into one paragraph and exit code 2; a stack trace only with ``YIDAI_DEBUG=1``."""
    try:
        yield
    except YidaiError as error:
        if os.environ.get("YIDAI_DEBUG"):
            raise
        notes.print("[bold red]refused[/]", style=None, end=" ")
        notes.print(str(error), markup=False, soft_wrap=True)
        raise SystemExit(2) from None
    except Exception as error:
        if os.environ.get("YIDAI_DEBUG"):
            raise
        notes.print("[bold red]failed[/]", style=None, end=" ")
        said = f"{type(error).__name__}: {error}. This is a fault of ours; YIDAI_DEBUG=1 shows where."
        notes.print(said, markup=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        notes.print("stopped; what was committed is kept, and the command may be run again.")
        raise SystemExit(130) from None
