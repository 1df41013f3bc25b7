"""``yidai audit``: the sealed log, for who holds the bank to what it decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from features.terminal import console, progress, show_json, show_table

if TYPE_CHECKING:
    from serving.log.model import Verification

audit_app = typer.Typer(
    help="The sealed log of receipts, that none was changed, removed, inserted or reordered; and who did what.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
TOLD = 50
"""Findings that a table shows."""


@audit_app.command("verify")
def verify(
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept outside; may be given again.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Compute the whole log again from the stored rows. Exit code 1 where a row is not as it was sealed.

    Without a checkpoint that somebody kept elsewhere, a log that was rewritten from its beginning with the signing key
    in hand cannot be told from the true one. Example: yidai audit verify --checkpoint kept.txt
    """
    from serving.log import operations
    from serving.settings import Settings

    with progress("verifying") as step:
        found = operations.verify(Settings.load(), checkpoint or [], step)
    if as_json:
        show_json(found)
    else:
        _tell(found)
    raise typer.Exit(1 if found.findings else 0)


@audit_app.command("checkpoint")
def checkpoint(*, as_json: Json = False) -> None:
    """Print the newest checkpoint, signed. Keep it where the bank cannot reach it: > kept.txt"""
    from serving.log import operations
    from serving.settings import Settings

    found = operations.checkpoint(Settings.load())
    if as_json:
        show_json({"origin": found.origin, "size": found.size, "root": found.root.hex(), "note": found.note})
    else:
        typer.echo(found.note, nl=False)


@audit_app.command("prove")
def prove(
    decision: Annotated[UUID, typer.Argument(help="A decision's id.")],
    size: Annotated[
        int | None, typer.Option(min=1, help="Leaves of the tree; the newest without it.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Prove that a decision's receipt is in the log, as GET /v1/log/inclusion does."""
    from serving.log import operations
    from serving.log.api import InclusionAnswer
    from serving.settings import Settings

    found = InclusionAnswer.of(operations.prove(Settings.load(), decision, size))
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    console.print(f"Leaf {found.leaf_index} of {found.tree_size} in {found.origin}: {found.leaf_hash}")
    console.print(found.entry, end="", markup=False)
    for one in found.proof:
        console.print(f"  {one}", markup=False)
    if found.checkpoint:
        console.print(found.checkpoint, markup=False, end="")


def summary(found: Verification) -> str:
    """One line."""
    waits = (
        f"; {found.waiting:,} wait to be sealed, the oldest {found.oldest_seconds:,.0f} s"
        if found.waiting
        else ""
    )
    verdict = f"{len(found.findings):,} findings" if found.findings else "nothing was changed"
    return f"{found.size:,} receipts under {found.checkpoints:,} signed checkpoints: {verdict}{waits}."


def _tell(found: Verification) -> None:
    console.print(summary(found))
    if found.findings:
        rows = [(one.part.value, one.place, one.problem) for one in found.findings[:TOLD]]
        show_table("Not as it was sealed", ("what", "which", "problem"), rows)
