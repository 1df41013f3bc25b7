"""``yidai users``: who may open the console."""

from __future__ import annotations

from typing import Annotated

import typer

from features.terminal import console, show_json, show_table

users_app = typer.Typer(
    help="People: roles, passwords, identities of a provider, sessions.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="A person.")]
Roles = Annotated[
    list[str], typer.Option("--role", help="analyst, risk_officer, auditor, administrator; may be repeated.")
]


@users_app.command("create")
def create_user(
    name: Name,
    role: Roles,
    *,
    password: Annotated[
        bool, typer.Option(help="Print a first password; without it a linked identity signs in.")
    ] = True,
) -> None:
    """Make a person. The first password is printed once, and must be changed at the first sign-in."""
    from serving.access import operations
    from serving.settings import Settings

    made = operations.add_user(Settings.load(), name, role, password=password)
    if made is not None:
        typer.echo(made)


@users_app.command("password")
def reset_password(name: Name) -> None:
    """Give a person, or a system's actor, a first password again; its sessions end."""
    from serving.access import operations
    from serving.settings import Settings

    typer.echo(operations.give_password(Settings.load(), name))


@users_app.command("roles")
def change_roles(name: Name, role: Roles) -> None:
    """Give a person these roles and no others; its sessions end."""
    from serving.access import operations
    from serving.settings import Settings

    operations.change_roles(Settings.load(), name, role)
    console.print(f"{name}: {', '.join(sorted(role))}.")


@users_app.command("link")
def link(
    name: Name,
    subject: Annotated[str, typer.Option(help="The provider's own name of the person (claim `sub`).")],
) -> None:
    """Let a person in by an identity of the provider at YIDAI_OIDC_ISSUER."""
    from serving.access import operations
    from serving.settings import Settings

    operations.link_identity(Settings.load(), name, subject)
    console.print(f"{name} may sign in at the provider.")


@users_app.command("end")
def end(name: Name) -> None:
    """End a person for good: its sessions, keys and identities open nothing any more."""
    from serving.access import operations
    from serving.settings import Settings

    operations.close_user(Settings.load(), name)
    console.print(f"{name} is ended.")


@users_app.command("sign-out")
def sign_out(name: Name) -> None:
    """End every session of a person."""
    from serving.access import operations
    from serving.settings import Settings

    console.print(f"{operations.sign_out(Settings.load(), name)} sessions ended.")


@users_app.command("list")
def list_users(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False
) -> None:
    """Everybody of the tenant, and how each may come in."""
    from features.calendar import iso
    from serving.access import operations
    from serving.settings import Settings

    found = operations.list_users(Settings.load())
    if as_json:
        show_json(found)
        return
    show_table(
        f"{len(found)} people and systems",
        ("name", "roles", "password", "identities", "keys", "last seen", "ended"),
        [
            (
                one.name, ", ".join(one.roles), _password(one.password, must_change=one.must_change),
                len(one.identities), one.keys, iso(one.seen_at)[:16] if one.seen_at else "–",
                iso(one.ended_at)[:10] if one.ended_at else "",
            )
            for one in found
        ],
    )  # fmt: skip


def _password(since: int | None, *, must_change: bool) -> str:
    return "–" if since is None else "first one" if must_change else "own"
