"""``yidai notice``, ``yidai subjects report`` and ``yidai disputes decide-again``: an applicant's rights as commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from features.terminal import console, show_json, show_table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def add_to(app: typer.Typer, subjects: typer.Typer, disputes: typer.Typer) -> None:
    """Put the commands of this file under the console command and its groups."""
    app.command("notice")(notice)
    subjects.command("report")(report)
    disputes.command("decide-again")(decide_again)


def notice(
    decision: Annotated[str, typer.Argument(help="A decision's id; its beginning suffices.")],
    html: Annotated[Path | None, typer.Option(help="Write the page for printing there.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """The notice of a decision to its applicant: outcome, reasons, what counted, score, sources, rights."""
    from serving.rights import operations
    from serving.settings import Settings

    found = operations.notice(Settings.load(), decision)
    if html is not None:
        from serving.rights.page import render

        html.write_text(render(found), encoding="utf-8")
    if as_json:
        show_json(found)
        return
    console.print(f"[bold]{found.said.zh} {found.said.en}[/], {found.decided_at[:10]}, {found.lender}")
    show_table("主要原因 Principal reasons", ("", ""), [(one.zh, one.en) for one in found.reasons])
    show_table("您的权利 Your rights", ("", ""), [(one.zh, one.en) for one in found.rights])


def report(
    *,
    paid: Annotated[bool, typer.Option("--paid", help="It was paid for.")] = False,
    as_json: Json = False,
) -> None:
    """What is known of the person whose number stands on the standard input, for that person: two a year are free."""
    from serving.rights import operations
    from serving.settings import Settings

    found = operations.report(Settings.load(), sys.stdin.readline().strip(), paid=paid)
    if as_json:
        show_json(found)
        return
    sources = [
        (s.dataset, s.zh, s.en, s.records, s.first, s.last, "disputed" * s.disputed) for s in found.sources
    ]
    show_table("Known", ("dataset", "", "", "records", "from", "to", ""), sources)
    decisions = [(d.decision_id, d.decided_at, d.outcome, d.kind) for d in found.decisions]
    show_table("Decisions", ("decision", "when", "outcome", "by"), decisions)
    reads = [(r.at, r.who, r.purpose, ", ".join(r.categories)) for r in found.reads]
    show_table("Who asked", ("when", "who", "for", "what"), reads)
    disputes = [(d.dataset, d.ground, d.due_at[:10], d.verdict or "open", d.answer) for d in found.disputes]
    show_table("Disputes", ("dataset", "ground", "due", "", "answer"), disputes)
    show_table("Statements", ("dataset", "text"), [(s.dataset, s.text) for s in found.statements])


def decide_again(
    dispute: Annotated[UUID, typer.Argument(help="A dispute that was answered: corrected.")],
    *,
    as_json: Json = False,
) -> None:
    """Decide the application of the person whose number stands on the standard input once more, after a correction."""
    import msgspec

    from serving.rights import operations
    from serving.settings import Settings

    made = operations.decide_again(Settings.load(), dispute, sys.stdin.readline().strip())
    answer = msgspec.json.decode(made.answer)
    if as_json:
        told = {"parent_id": made.parent_id, "before": made.before, "decision": answer}
        show_json(told)
        return
    console.print(f"{made.before} -> {answer['outcome']}: {answer['decision_id']}, after {made.parent_id}")
