"""Every setting of the processes: one typed value, read once from ``YIDAI_*``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from features.calendar import instant
from features.errors import Invalid

PREFIX = "YIDAI_"


class WrongSetting(Invalid):
    """A ``YIDAI_*`` variable that cannot be read."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(
            f"{value!r} is not {expected}.", place=variable, remedy="Mend the variable or unset it."
        )


class UnknownSetting(Invalid):
    """A ``YIDAI_*`` variable that nothing reads: most often a misspelling."""

    def __init__(self, variable: str, known: tuple[str, ...]) -> None:
        super().__init__("nothing reads this variable.", place=variable, remedy=f"Known: {', '.join(known)}.")


def _text(value: str) -> str:
    return value


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _moment(value: str) -> int | None:
    return instant(value) if value else None


_EXPECTED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    float: "a number",
    _moment: "an ISO date or date-time",
}


def _setting(default: Any, about: str, parse: Callable[[str], Any] = _text) -> Any:
    return field(default=default, metadata={"about": about, "parse": parse})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; ``Settings.load()`` reads them, ``settings_reference()`` documents them."""

    home: Path = _setting(
        Path(".yidai"), "Folder of all local state: lake, embedded database, master key.", Path
    )
    database_url: str = _setting(
        "", "PostgreSQL to use, as an owner who may create roles. Empty: the embedded server."
    )
    database_name: str = _setting("yidai", "Database of the embedded server.")
    host: str = _setting("127.0.0.1", "Address on which `yidai serve` listens.")
    port: int = _setting(8100, "Port on which `yidai serve` listens.", int)
    mlflow_port: int = _setting(5100, "Port on which `yidai mlflow` listens, on this machine only.", int)
    master_key_file: Path | None = _setting(
        None, "File with the master key (32 bytes in hexadecimal), made on first use. Empty: home/master.key.",
        lambda value: Path(value) if value else None,
    )  # fmt: skip
    token: str = _setting("", "Bearer token by which a command says who is asking.")
    tenant: str = _setting("city", "Tenant of the commands that are not given one.")
    body_limit: int = _setting(65_536, "Largest request body in bytes.", int)
    pool_size: int = _setting(8, "Connections of one API process to PostgreSQL.", int)
    group_size: int = _setting(64, "Decisions that one commit may take together.", int)
    as_of: int | None = _setting(
        None, "For sample data only: the moment as of which features are read. Empty: now.", _moment
    )
    sources_down: tuple[str, ...] = _setting(
        (), "Datasets, comma separated, that an operator has taken out of service.", _names
    )
    sweep_seconds: float = _setting(60.0, "How often ended consents are swept from the online store.", float)

    @staticmethod
    def load(environment: Mapping[str, str] | None = None) -> Settings:
        """Settings from the environment.

        Raises:
            WrongSetting: a value that is not of its type.
        """
        source = os.environ if environment is None else environment
        values = {
            each.name: _parse(each, source[variable_of(each.name)])
            for each in fields(Settings)
            if variable_of(each.name) in source
        }
        return Settings(**values)

    @property
    def lake_root(self) -> Path:
        """Folder of the lake."""
        return self.home / "lake"

    @property
    def key_file(self) -> Path:
        """Where the master key lies."""
        return self.master_key_file or self.home / "master.key"


def variable_of(name: str) -> str:
    """Environment variable of a setting."""
    return PREFIX + name.upper()


def check_names(environment: Mapping[str, str], others: tuple[str, ...] = ()) -> None:
    """Refuse misspelt variables; ``others`` are names that other programs of Yidai read.

    Raises:
        UnknownSetting: the first ``YIDAI_*`` variable that nothing reads.
    """
    known = tuple(variable_of(each.name) for each in fields(Settings)) + others
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise UnknownSetting(name, known)


def settings_reference() -> str:
    """The table of settings in Markdown, for the generated page."""
    rows = [
        f"| `{variable_of(each.name)}` | `{_shown(each.default)}` | {each.metadata['about']} |"
        for each in fields(Settings)
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _shown(default: object) -> str:
    return "" if default in {None, ()} else str(default)


def _parse(each: Field[Any], value: str) -> Any:
    parse = cast("Callable[[str], Any]", each.metadata["parse"])
    try:
        return parse(value)
    except (ValueError, Invalid):
        raise WrongSetting(variable_of(each.name), value, _EXPECTED.get(parse, "valid")) from None
