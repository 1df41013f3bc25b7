"""``yidai alerts handling``, ``yidai alerts playbooks`` and ``yidai models limits``: from a file to the day on which it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.calendar import instant, iso
from features.terminal import console, show_json, show_table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
File = Annotated[Path, typer.Argument(help="A .yaml file, or the .json that was stored.")]
Digest = Annotated[str, typer.Argument(help="The version's digest; its first 8 characters suffice.")]


def documents_app(slot: str, what: str, where: str) -> typer.Typer:
    """The commands of one kind of document, which is the name of its slot too; ``where`` the command that leads there."""
    app = typer.Typer(
        help=f"{what}: check, submit, approve by another person, activate at a date, roll back.\n\n"
        "What is shipped holds where nothing is in force. YIDAI_TOKEN says who is asking.",
        no_args_is_help=True,
    )
    _add_writing(app, slot, where)
    _add_activating(app, slot)
    return app


def _add_writing(app: typer.Typer, slot: str, where: str) -> None:
    @app.command("check")
    def check(file: File, *, as_json: Json = False) -> None:
        """Look for what is wrong with a file. Exit code 1 where it may not be used."""
        from serving.governance import documents
        from serving.registry.model import Kind

        found = documents.check(Kind(slot), file)
        if as_json:
            show_json(found)
        else:
            for one in found:
                console.print(f"{one.place}: {one.problem} {one.remedy}", markup=False)
            console.print(f"{len(found)} errors.")
        raise typer.Exit(1 if found else 0)

    @app.command("submit")
    def submit(
        file: File, note: Annotated[str, typer.Option(help="What a second person should know of it.")] = ""
    ) -> None:
        """Store a version as a draft, to be approved by somebody else."""
        from serving import operations
        from serving.registry.model import Kind
        from serving.settings import Settings

        data = operations.document_of(Kind(slot), str(file))
        name = operations.submit(Settings.load(), Kind(slot), data, note)
        console.print(f"{slot} {name} waits for a second person.")
        console.print(f"Next, as another person: yidai {where} approve {name[:12]}")

    @app.command("approve")
    def approve(
        digest: Digest,
        reason: Annotated[str, typer.Option(help="Why: kept with the verdict.")] = "",
        *,
        refuse: Annotated[bool, typer.Option("--refuse", help="Say no instead: it never begins.")] = False,
    ) -> None:
        """Say yes (or no) to a version of somebody else. Its author may not."""
        from serving import operations
        from serving.settings import Settings

        operations.approve(Settings.load(), digest, refused=refuse, reason=reason)
        console.print(f"{digest[:12]} is {'refused' if refuse else 'approved'}.")


def _add_activating(app: typer.Typer, slot: str) -> None:
    @app.command("activate")
    def activate(
        digest: Digest,
        begin: Annotated[str, typer.Option("--from", help="A later day or moment; now without it.")] = "",
    ) -> None:
        """Put an approved version in force, now or from a later day on; the one in force until then ends then."""
        from serving.governance import documents
        from serving.registry.model import Kind
        from serving.settings import Settings

        done = documents.activate(Settings.load(), Kind(slot), digest, instant(begin) if begin else None)
        for where, name in done.slots.items():
            console.print(f"{where} is {name[:12]} from {begin or 'now'} on.")

    @app.command("rollback")
    def rollback() -> None:
        """Call off what is to begin later, or put in force again what was in force before."""
        from serving import operations
        from serving.settings import Settings

        for where, name in operations.rollback(Settings.load(), slot).slots.items():
            console.print(f"{where} is {name[:12]}.")

    @app.command("show")
    def show(
        digest: Annotated[str, typer.Argument(help="A digest; what is in force without it.")] = "",
        out: Annotated[Path | None, typer.Option(help="Write it there as YAML.")] = None,
        *,
        as_json: Json = False,
    ) -> None:
        """Show what is in force and what is to begin; with --out or --json what one version says."""
        from serving.governance import documents
        from serving.registry.model import Kind
        from serving.settings import Settings

        settings, kind = Settings.load(), Kind(slot)
        if out is not None:
            documents.write(documents.version_of(settings, kind, digest), out)
            console.print(f"Written: {out}", markup=False)
        elif as_json or digest:
            show_json(documents.version_of(settings, kind, digest).document)
        else:
            rows = [
                (one.digest[:12] or "as shipped", iso(one.since) if one.since else "", iso(one.until) if one.until else "")
                for one in documents.standing(settings, kind)
            ]  # fmt: skip
            show_table(slot, ("version", "from", "to"), rows)
