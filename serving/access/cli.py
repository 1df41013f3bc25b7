"""``yidai tokens`` and ``yidai keys``."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, progress, show_json, show_table

tokens_app = typer.Typer(help="Who may ask: people and systems of a tenant.", no_args_is_help=True)
keys_app = typer.Typer(help="The master key, under which every subject's data key is.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A person or a system.")]
Days = Annotated[int | None, typer.Option(min=1, help="So many days it opens; without it until it is ended.")]


@tokens_app.command("create")
def create_token(
    name: Name,
    role: Annotated[
        list[str], typer.Option(help="integration_engineer, analyst, risk_officer, auditor, administrator.")
    ],
    permission: Annotated[
        list[str] | None,
        typer.Option(help="Only this of what the role may, such as decide; may be repeated."),
    ] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="Only applications for this product; may be repeated.")
    ] = None,
    days: Days = None,
) -> None:
    """Make a bearer token. It is shown once and stored only as a hash."""
    from serving.access import operations
    from serving.settings import Settings

    made = operations.create_access(Settings.load(), name, role, days, permission or (), product or ())
    typer.echo(made)


@tokens_app.command("rotate")
def rotate_token(
    name: Name,
    overlap_hours: Annotated[float, typer.Option(min=0, help="So long the old one opens still.")] = 24.0,
    days: Days = None,
) -> None:
    """Make a new token with the scope of the old one, which opens for a day more unless said otherwise.

    The new one opens as long as the old one was made for, or for --days.
    """
    from serving.access import operations
    from serving.settings import Settings

    typer.echo(operations.rotate_access(Settings.load(), name, overlap_hours, days))


@tokens_app.command("list")
def list_tokens(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False
) -> None:
    """Every token of the tenant without its secret: what it may do, when it was last used, when it ends."""
    from features.calendar import iso
    from serving.access import operations, tokens
    from serving.settings import Settings

    found = operations.list_access(Settings.load())
    if as_json:
        show_json(found)
        return
    rows = [
        (
            one.name, one.key, ", ".join(one.permissions or one.roles), ", ".join(one.products) or "all",
            "never" if one.last_used_at is None else iso(one.last_used_at),
            "" if one.expires_at is None else iso(one.expires_at), one.state.value,
        )
        for one in found
    ]  # fmt: skip
    show_table(f"{len(found)} tokens", ("name", "token", "may", "products", "last used", "ends", ""), rows)
    for one in tokens.ending(found):
        console.print(
            f"{one.key} of {one.name} ends within {tokens.WARN_DAYS} days: yidai tokens rotate {one.name}"
        )


@tokens_app.command("revoke")
def revoke_tokens(
    name: Name,
    key: Annotated[str, typer.Option(help="Only the token that `list` names so.")] = "",
) -> None:
    """End every token of a person or system, or one of them, within five seconds."""
    from serving.access import operations
    from serving.settings import Settings

    console.print(f"{operations.end_access(Settings.load(), name, key)} tokens of {name} ended.")


@keys_app.command("rotate")
def rotate_keys() -> None:
    """Put a new master key in the place of the old one; the processes go on meanwhile.

    A run that was stopped is started again and goes on. Afterwards a copy of the old key file opens nothing that is
    stored; a backup of the database is opened by the key file of its day.
    """
    from serving.access import operations
    from serving.settings import Settings

    with progress("wrapping data keys anew") as step:
        done = operations.rotate_keys(Settings.load(), step)
    console.print(f"{done.wrapped:,} data keys are under the new master key.")
    console.print("Back up the key file now; keep its old copy only for backups of the database from before.")
