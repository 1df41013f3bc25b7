"""``yidai models``: what may decide. Submit, approve by another person, promote, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.calendar import instant, iso
from features.terminal import console, show_json, show_table
from serving.registry.model import Kind

models_app = typer.Typer(
    help="Versions of models, policies, definitions and signals. Two people for everything that decides.\n\n"
    "YIDAI_TOKEN says who is asking: an analyst submits, a risk officer approves and promotes.",
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Digest = Annotated[str, typer.Argument(help="The version's digest; its first 8 characters suffice.")]
Slot = Annotated[str, typer.Argument(help="policy, definitions, signals or bundle.NAME.")]


@models_app.command("list")
def list_models(*, as_json: Json = False) -> None:
    """List every version with its author, what others said of it, and where it is in force."""
    from serving import operations
    from serving.settings import Settings

    rows = operations.versions(Settings.load())
    if as_json:
        show_json(rows)
        return
    cells = [
        (
            row.digest[:12], row.kind.value, ", ".join(row.active_slots) or "-", row.author, iso(row.created_at)[:16],
            ", ".join(f"{name}: {verdict}" for name, verdict in row.approvals) or "waits for a second person", row.note,
        )
        for row in rows
    ]  # fmt: skip
    show_table(
        f"{len(rows)} versions", ("digest", "kind", "in force", "author", "submitted", "said", "note"), cells
    )


@models_app.command("submit")
def submit(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    source: Annotated[
        str, typer.Argument(help="A .json or .yaml file; for definitions a portfolio's name or file.")
    ],
    note: Annotated[str, typer.Option(help="What a second person should know of it.")] = "",
) -> None:
    """Check a version and store it, to be approved by somebody else; a model with the reports that lie beside it.

    Example: yidai models submit bundle .yidai/models/city/risk/0a1b2c3d4e5f/bundle.json
    """
    from serving import operations
    from serving.settings import Settings

    evidence = operations.evidence_beside(Path(source)) if kind is Kind.BUNDLE else {}
    name = operations.submit(Settings.load(), kind, operations.document_of(kind, source), note, evidence)
    console.print(f"{kind.value} {name} waits for a second person.")
    if kind is Kind.BUNDLE:
        console.print(
            f"Evidence brought: {', '.join(one.value for one in evidence) or 'none lay beside it'}."
        )
    console.print(f"Next, as another person: yidai models approve {name[:12]}")


@models_app.command("approve")
def approve(
    digest: Digest,
    reason: Annotated[str, typer.Option(help="Why: kept with the verdict.")] = "",
    *,
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Say no instead: it can never be promoted.")
    ] = False,
) -> None:
    """Say yes (or no) to a version of somebody else. Its author may not."""
    from serving import operations
    from serving.settings import Settings

    operations.approve(Settings.load(), digest, refused=refuse, reason=reason)
    console.print(f"{digest[:12]} is {'refused' if refuse else 'approved'}.")


@models_app.command("promote")
def promote(
    slot: Slot,
    digest: Digest,
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", help="SLOT=DIGEST that changes in the same moment; repeatable."),
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option(help="A gate that is missed for a reason; repeatable.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why a gate is waived: kept with the promotion.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Put an approved version in force from now on, if it meets the gates; a model's alias in MLflow follows.

    A refusal names each gate that is missed, the figure, the limit and what to do.
    """
    from serving import operations
    from serving.settings import Settings

    others = dict(_pair(text) for text in beside or ())
    done = operations.promote(Settings.load(), slot, digest, beside=others, waived=waive or (), reason=reason)
    if as_json:
        show_json(done)
        return
    for each, name in done.slots.items():
        console.print(f"{each} is {name[:12]} from now on.")
    for each, standings in done.standings.items():
        for one in standings:
            if not one.met:
                console.print(f"  waived for {each}: {one}", markup=False)


@models_app.command("rollback")
def rollback(slot: Slot) -> None:
    """Put in force again what was in force in a slot before, and in those slots that changed together with it."""
    from serving import operations
    from serving.settings import Settings

    for each, name in operations.rollback(Settings.load(), slot).slots.items():
        console.print(f"{each} is {name[:12]} again.")


def _pair(text: str) -> tuple[str, str]:
    slot, sign, digest = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text!r} is not SLOT=DIGEST", param_hint="--with")
    return slot, digest


@models_app.command("active")
def active(
    at: Annotated[
        str, typer.Option(help="A moment: 2026-05-31 or 2026-05-31T08:00:00. Now without it.")
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Show what was, is or will be in force at a moment."""
    from serving import operations
    from serving.settings import Settings

    found = operations.active(Settings.load(), instant(at) if at else None)
    if as_json:
        show_json(found)
        return
    show_table("in force", ("slot", "digest"), sorted(found.items()))
