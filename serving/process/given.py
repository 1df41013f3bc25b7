"""What the environment gives for a setting: the value, or for a secret also the name of a file that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

from features.errors import Invalid

PREFIX = "YIDAI_"


class TwoSecrets(Invalid):
    """A secret that stands in the environment and in a file."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            f"{variable} and {variable}_FILE are both set.", place=variable, remedy="Unset one of them."
        )


class UnreadableSecret(Invalid):
    """A file that should hold a secret."""

    def __init__(self, variable: str, path: str) -> None:
        super().__init__(
            f"{path!r} is no text file that can be read.",
            place=variable,
            remedy="Mend the path or the rights.",
        )


def variable_of(name: str) -> str:
    """Environment variable of a setting."""
    return PREFIX + name.upper()


def variables(each: Field[Any]) -> tuple[str, ...]:
    """The variables of a setting; what `repr` hides is a secret."""
    name = variable_of(each.name)
    return (name,) if each.repr else (name, f"{name}_FILE")


def given(each: Field[Any], source: Mapping[str, str]) -> str | None:
    """The text for a setting; None where nothing is said.

    Raises:
        TwoSecrets, UnreadableSecret.
    """
    name, *files = variables(each)
    path = next((source[file] for file in files if source.get(file)), None)
    if path is None:
        return source.get(name)
    if source.get(name):
        raise TwoSecrets(name)
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise UnreadableSecret(f"{name}_FILE", path) from None
