"""``yidai identity``: who the records without a number are about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table

identity_app = typer.Typer(
    help="Records without a valid number: find who they are about, decide the doubtful ones, undo.\n\n"
    "`yidai ingest` holds such records, encrypted; `resolve` links what is sure and puts what is doubtful on "
    "the review list. YIDAI_TOKEN says who is asking: a risk officer. Every word is in the audit log.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Record = Annotated[
    str, typer.Argument(help="The record's id from `review` or `linked`; a unique beginning suffices.")
]
Subject = Annotated[int, typer.Argument(help="The subject's number from the review list.")]
Reason = Annotated[str, typer.Option(help="Why, for those who read it later.")]


@identity_app.command("resolve")
def resolve(*, as_json: Json = False) -> None:
    """Link the records of which it is sure whose they are; propose the others for review.

    A record is linked where the probability is at least 0.9995 and no relative, twin or namesake shares it.
    Its rows reach the lake as a new version: decisions made before replay as they were. May be run again.
    """
    from serving.identity import operations
    from serving.settings import Settings

    with progress("resolving"):
        report = operations.resolve(Settings.load())
    if as_json:
        show_json(report)
        return
    console.print(
        f"{report.waiting:,} records waited: [bold]{report.linked:,}[/] linked, {report.review:,} in review, "
        f"{report.unresolved:,} like nobody in a register."
    )
    if report.review:
        console.print("Next: yidai identity review")


@identity_app.command("review")
def review(*, as_json: Json = False) -> None:
    """List the doubtful pairs, likeliest first: how each part agrees, never what it says."""
    from serving.identity import operations
    from serving.settings import Settings

    rows = operations.review(Settings.load())
    if as_json:
        show_json(rows)
        return
    cells = [(r.record[:12], r.subject, f"{r.probability:.4f}", *r.agreement.values()) for r in rows]
    titles = ("record", "subject", "probability", "name", "birth date", "address", "phone")
    show_table(f"{len(rows)} pairs to decide", titles, cells)


@identity_app.command("linked")
def linked(
    subject: Annotated[int | None, typer.Option(help="Only what is linked with this subject.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the records that are linked, latest first: by the engine (`resolution`) or by a person.

    A wrong one is taken back with `yidai identity undo RECORD`.
    """
    from serving.identity import operations
    from serving.settings import Settings

    rows = operations.linked(Settings.load(), subject)
    if as_json:
        show_json(rows)
        return
    cells = [(r.record[:12], r.dataset, r.subject, f"{r.probability:.4f}", r.at, r.said_by) for r in rows]
    titles = ("record", "dataset", "subject", "probability", "when", "by")
    show_table(f"{len(rows)} records are linked", titles, cells)


@identity_app.command("accept")
def accept(record: Record, subject: Subject, reason: Reason = "", *, as_json: Json = False) -> None:
    """Link a record of the review list with one of its subjects."""
    from serving.identity import operations
    from serving.settings import Settings

    operations.accept(Settings.load(), record, subject, reason)
    _done({"record": record, "subject": subject, "verdict": "linked"}, as_json=as_json)


@identity_app.command("refuse")
def refuse(record: Record, subject: Subject, reason: Reason = "", *, as_json: Json = False) -> None:
    """Say that a record is not about a subject; it is never proposed or linked again."""
    from serving.identity import operations
    from serving.settings import Settings

    operations.refuse(Settings.load(), record, subject, reason)
    _done({"record": record, "subject": subject, "verdict": "refused"}, as_json=as_json)


@identity_app.command("undo")
def undo(record: Record, reason: Reason = "", *, as_json: Json = False) -> None:
    """Take a wrong link back: the record leaves its subject, and is never linked with it again.

    What was decided while it stood replays as it was; every later read is without it.
    """
    from serving.identity import operations
    from serving.settings import Settings

    subject = operations.undo(Settings.load(), record, reason)
    _done({"record": record, "subject": subject, "verdict": "undone"}, as_json=as_json)


@identity_app.command("check")
def check(city: Annotated[Path, typer.Argument(help="A city folder.")], *, as_json: Json = False) -> None:
    """Measure precision and recall against a city's truth; nothing is stored."""
    from features.identity.measure import measure

    found = measure(city)
    if as_json:
        show_json(found)
        return
    console.print(
        f"{found.records:,} records, {found.people:,} people: precision [bold]{found.precision:.4%}[/] "
        f"({found.wrong} wrong of {found.linked:,}), recall [bold]{found.recall:.2%}[/], "
        f"{found.review} in review ({found.review_share:.2%}), {found.seconds} s"
    )


def _done(about: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        show_json(about)
        return
    console.print(f"{about['record']} and subject {about['subject']}: [bold]{about['verdict']}[/]")
