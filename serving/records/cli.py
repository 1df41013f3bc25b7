"""``yidai records``, ``lake``, ``subjects`` and ``disputes``: the life of a record."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from features.terminal import console, show_json, show_table

records_app = typer.Typer(help="Records that come one by one or in a drop folder.", no_args_is_help=True)
lake_app = typer.Typer(help="The record of truth.", no_args_is_help=True)
subjects_app = typer.Typer(help="People and firms.", no_args_is_help=True)
disputes_app = typer.Typer(help="Records that their subject disputes.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_to(app: typer.Typer) -> None:
    """Put the four groups under the console command."""
    for name, group in (
        ("records", records_app), ("lake", lake_app), ("subjects", subjects_app), ("disputes", disputes_app),
    ):  # fmt: skip
        app.add_typer(group, name=name)


@records_app.command("flush")
def flush(*, as_json: Json = False) -> None:
    """Move the records that POST /v1/records accepted into the lake. Twice moves nothing twice."""
    from serving.records import operations
    from serving.settings import Settings

    done = operations.flush(Settings.load())
    if as_json:
        show_json(done)
        return
    console.print(f"{done.records:,} records went into the lake; all up to number {done.last} are there.")


@records_app.command("watch")
def watch(
    folder: Annotated[
        Path, typer.Argument(help="Where <dataset>[.anything].csv, .csv.gz or .ndjson appear.")
    ],
    *,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between two looks.")] = 2.0,
    looks: Annotated[int, typer.Option(min=0, help="End after so many looks; 0: never.")] = 0,
) -> None:
    """Load files as they appear, and put each into done/ or refused/ with a report beside it.

    A file is taken when it no longer changes; write it as NAME.tmp and rename it, to be sure.
    """
    from serving.records import operations
    from serving.settings import Settings

    for number, taken in enumerate(operations.watch(Settings.load(), folder, every), start=1):
        for each in taken:
            console.print(f"{each.path.parent.name}/{each.path.name}: {each.loaded:,} new records")
        if number == looks:
            return


@lake_app.command("compact")
def compact(*, as_json: Json = False) -> None:
    """Merge the lake's segments; what is past its retention or of somebody erased is dropped. No answer changes."""
    from serving.records import operations
    from serving.settings import Settings

    done = list(operations.compact(Settings.load()))
    if as_json:
        show_json(done)
        return
    rows = [(c.dataset, c.bucket, c.segments, f"{c.rows:,}", c.aged, c.erased) for c in done]
    columns = ("dataset", "bucket", "segments", "rows", "past retention", "of erased")
    show_table(f"{len(done)} buckets merged", columns, rows)


@subjects_app.command("erase")
def erase(
    reason: Annotated[str, typer.Option(help="Who asked and on what ground; it is kept in the log.")],
    kind: Annotated[str, typer.Option(help="person or legal_person.")] = "person",
) -> None:
    """Forget the person or firm whose number stands on the standard input (a command line is seen by others).

    Refused while a loan is open or a law wants the records kept. Run `yidai lake compact` after it.
    """
    from serving.records import operations
    from serving.settings import Settings

    number = sys.stdin.readline().strip()
    done = operations.erase(Settings.load(), number, kind, reason)
    console.print(f"Erased. In the log it is subject {done.subject_id}, which leads to nobody any more.")


@disputes_app.command("list")
def list_disputes(
    *,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those whose 20 days are over.")] = False,
    as_json: Json = False,
) -> None:
    """The disputes that wait for an answer, the most urgent first."""
    from features.calendar import iso
    from serving.records import operations
    from serving.settings import Settings

    found = operations.disputes(Settings.load(), overdue=overdue)
    if as_json:
        show_json(found)
        return
    rows = [
        (d.dispute_id, d.dataset, iso(d.raised_at)[:10], iso(d.due_at)[:10], d.level, d.ground) for d in found
    ]
    columns = ("dispute", "dataset", "raised", "due", "level", "ground")
    show_table(f"{len(found)} open disputes", columns, rows)


@disputes_app.command("answer")
def answer(
    dispute: Annotated[UUID, typer.Argument(help="The dispute's id.")],
    verdict: Annotated[str, typer.Argument(help="corrected, upheld or withdrawn.")],
    text: Annotated[str, typer.Option("--answer", help="What the person is told in writing.")] = "",
) -> None:
    """Answer a dispute: its mark goes. After a correction: POST /v1/disputes/ID/decide-again."""
    from features.errors import Invalid
    from serving.records import operations
    from serving.records.disputes import DisputeVerdict
    from serving.settings import Settings

    try:
        given = DisputeVerdict(verdict)
    except ValueError:
        known = ", ".join(DisputeVerdict)
        raise Invalid(f"{verdict!r} is no verdict.", remedy=f"Verdicts: {known}.") from None
    operations.answer(Settings.load(), dispute, given, text)
    console.print(f"Answered: {verdict}.")
