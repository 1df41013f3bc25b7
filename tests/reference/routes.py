"""The pages of routes and of commands, from the description of the API and from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from features.reference import table
from serving.access.model import GRANTED, Permission, Role
from serving.app import create_app
from serving.cli import app
from serving.settings import Settings
from serving.store.engine import Database
from tests.serving.access.routes import ROUTES


def api_page() -> str:
    """Markdown of every route: what it does, who may ask, what it answers."""
    paths = create_app(Settings(), Database("", "")).openapi()["paths"]
    asked = {(method, _plain(path)): permission for (method, path), permission in ROUTES.items()}
    rows = []
    for path, methods in sorted(paths.items()):
        for method, operation in methods.items():
            permission = asked.get((method.upper(), _plain(path)))
            answers = ", ".join(operation["responses"])
            rows.append((f"`{method.upper()} {path}`", operation["summary"], *_who(permission), answers))
    lines = ["# API", "", "Generated from the code by `python -m tests.reference.pages`; do not edit.", ""]
    lines += [f"{len(rows)} routes. {_ABOUT}", ""]
    lines += table(("route", "what it does", "permission", "roles", "answers"), rows)
    lines += [
        "## Roles",
        "",
        "No role may do everything: who administers does not decide, who audits does not change.",
        "",
    ]
    lines += table(("permission", *Role), [
        (permission.value, *("yes" if permission in GRANTED[role] else "" for role in Role)) for permission in Permission
    ])  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _plain(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _who(permission: Permission | None) -> tuple[str, str]:
    if permission is None:
        return "", "anybody"
    return permission.value, ", ".join(role for role in Role if permission in GRANTED[role])


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, in order."""

    def within(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if not inner:
            yield name, command
            return
        for word, each in sorted(inner.items()):
            yield from within(f"{name} {word}", each)

    return within("yidai", typer.main.get_command(app))


def commands_page() -> str:
    """Markdown of every command with its arguments and options."""
    found = dict(commands())
    lines = [
        "# Commands",
        "",
        "Generated from the code by `python -m tests.reference.pages`; do not edit.",
        "",
    ]
    lines += [f"{len(found)} commands. {_COMMANDS}", ""]
    for name, command in found.items():
        lines += [f"## {name}", "", _sentence(command.help or ""), ""]
        rows = [_parameter(each) for each in command.params if each.name != "help"]
        lines += table(("argument or option", "what it is"), rows) if rows else []
    return "\n".join(lines).rstrip() + "\n"


def _parameter(parameter: Any) -> tuple[str, str]:
    about = _sentence(parameter.help or "")
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`" + ("" if parameter.required else " (optional)"), about
    names = " / ".join([*parameter.opts, *parameter.secondary_opts])
    return f"`{names}`" + (" (needed)" if parameter.required else ""), about


def _sentence(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


_ABOUT = (
    "All take `Authorization: Bearer KEY` but those that anybody may ask; the server's own description, with the shape of each body, is"
    " at `/openapi.json` and its page at `/docs`. Refusals are told on [their page](errors.md)."
)
_COMMANDS = (
    "Who asks is known by `YIDAI_TOKEN`; settings are on [their page](../settings.md). A refusal ends with 2, a finding (of replay, audit,"
    " check) with 1. Output is coloured tables for people and plain where it is piped; `--json` prints one document."
    " `yidai --install-completion` lets the shell complete names and options (bash, zsh, fish, PowerShell)."
)
