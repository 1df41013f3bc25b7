"""Every setting of the processes: one typed value, read once from ``YIDAI_*``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from features.errors import Invalid
from serving.process import reading
from serving.process.given import PREFIX, given, variable_of, variables


class WrongSetting(Invalid):
    """A ``YIDAI_*`` variable that cannot be read."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(
            f"{value!r} is not {expected}.", place=variable, remedy="Mend the variable or unset it."
        )


class UnknownSetting(Invalid):
    """A ``YIDAI_*`` variable that nothing reads: most often a misspelling."""

    def __init__(self, variable: str, known: tuple[str, ...]) -> None:
        endings = [name.removeprefix(PREFIX) for name in known]
        near = get_close_matches(variable.removeprefix(PREFIX), endings, n=1)
        remedy = f"Did you mean {PREFIX}{near[0]}?" if near else f"Known: {', '.join(known)}."
        super().__init__("nothing reads this variable.", place=variable, remedy=remedy)


def _setting(
    default: Any, about: str, parse: Callable[[str], Any] = reading.text, *, secret: bool = False
) -> Any:
    return field(default=default, repr=not secret, metadata={"about": about, "parse": parse})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings; ``Settings.load()`` reads them, ``settings_reference()`` documents them."""

    home: Path = _setting(
        Path(".yidai"), "Folder of all local state: lake, embedded database, master key.", Path
    )
    database_url: str = _setting(
        "", "PostgreSQL to use, as an owner who may create roles. Empty: the embedded server.", secret=True
    )
    database_name: str = _setting("yidai", "Database of the embedded server.")
    host: str = _setting("127.0.0.1", "Address on which `yidai serve` listens.")
    port: int = _setting(8100, "Port on which `yidai serve` listens.", reading.port)
    workers: int = _setting(
        1, "Processes of `yidai serve` that share its port; each holds the models and a pool.", reading.count
    )
    mlflow_port: int = _setting(
        5100, "Port on which `yidai mlflow` listens, on this machine only.", reading.port
    )
    master_key_file: Path | None = _setting(
        None, "File with the master key (32 bytes in hexadecimal), made on first use. Empty: home/master.key.",
        lambda value: Path(value) if value else None,
    )  # fmt: skip
    log_origin: str = _setting(
        "yidai",
        "Name of the sealed logs in their checkpoints; a slash and the tenant follow. Best a host name of the bank's.",
        reading.origin,
    )
    log_key_file: Path | None = _setting(
        None, "File with the key that signs checkpoints (32 bytes in hexadecimal), made on first use. Empty: home/log.key.",
        lambda value: Path(value) if value else None,
    )  # fmt: skip
    token: str = _setting("", "Bearer token by which a command says who is asking.", secret=True)
    tenant: str = _setting("city", "Tenant of the commands that are not given one.", reading.tenant)
    body_limit: int = _setting(65_536, "Largest request body in bytes.", reading.count)
    records_limit: int = _setting(
        8_388_608, "Largest body of POST /v1/records and of POST /v1/decisions:batch in bytes.", reading.count
    )
    pool_size: int = _setting(8, "Connections of one API process to PostgreSQL.", reading.count)
    group_size: int = _setting(64, "Decisions that one commit may take together.", reading.count)
    most_waiting: int = _setting(
        256,
        "Applications that may wait in one API process; the next is told to come again (503).",
        reading.count,
    )
    tenant_rate: float = _setting(
        5_000.0,
        "Requests a second that one tenant may send, shared out evenly among the workers; more gets 429.",
        reading.rate,
    )
    tenant_burst: int = _setting(
        10_000,
        "Requests that a tenant that was silent may send at once, shared out as the rate is.",
        reading.count,
    )
    pool_wait_seconds: float = _setting(
        2.0,
        "How long a request waits for a connection to PostgreSQL before it is told to come again (503).",
        reading.seconds,
    )
    as_of: int | None = _setting(
        None, "For sample data only: the moment as of which features are read. Empty: now.", reading.moment
    )
    sources_down: tuple[str, ...] = _setting(
        (), "Datasets, comma separated, that an operator has taken out of service.", reading.names
    )
    sources_file: Path | None = _setting(
        None, "File that declares the sources that are asked while a decision waits. Empty: none.",
        lambda value: Path(value) if value else None,
    )  # fmt: skip
    drop_folder: Path | None = _setting(
        None, "Folder into which departments drop files; `yidai worker` loads them. Empty: none.",
        lambda value: Path(value) if value else None,
    )  # fmt: skip
    review_days: int = _setting(
        15, "Days within which a person decides a referred or contested case.", reading.count
    )
    alone_fen: int = _setting(
        5_000_000,
        "Amount in fen above which an override or a person's approval needs a second person.",
        reading.count,
    )
    drain_seconds: float = _setting(
        0.0,
        "How long a process that was told to end (SIGTERM) still answers while it says that it is not ready.",
        reading.pause,
    )
    log_format: str = _setting(
        "", "`json` or `text`. Empty: text at a terminal, else one JSON object a line.", reading.log_format
    )
    log_level: str = _setting(
        "info", "`debug`, `info`, `warning` or `error`; at `info` each request is a line.", reading.log_level
    )
    webhooks_private: bool = _setting(
        False,
        "`yes` lets webhooks go to addresses of this machine and its network, to this machine over plain http too.",
        reading.flag,
    )
    console_port: int = _setting(8200, "Port on which `yidai console` listens.", reading.port)
    console_url: str = _setting(
        "",
        "Address at which people open the console; with https, cookies go over https only. Empty: host and port.",
        reading.origin_url,
    )
    console_idle_minutes: int = _setting(
        30, "Minutes after which a console session that nobody uses is over.", reading.count
    )
    console_session_hours: int = _setting(
        12, "Hours after which a console session is over, used or not.", reading.count
    )
    oidc_issuer: str = _setting("", "OpenID Connect provider at which people sign in. Empty: passwords only.")
    oidc_client_id: str = _setting("", "Name by which the provider knows this console.")
    oidc_client_secret: str = _setting("", "Secret that the provider gave this console.", secret=True)
    complaints: str = _setting("12378", "Where an applicant can complain, as the notice tells it.")
    sweep_seconds: float = _setting(
        60.0, "How often ended consents are swept from the online store.", reading.seconds
    )

    @staticmethod
    def load(environment: Mapping[str, str] | None = None) -> Settings:
        """Settings from the environment.

        Raises:
            WrongSetting: a value that is not of its type.
            TwoSecrets, UnreadableSecret: a secret that is given twice, or by a file that cannot be read.
        """
        source = os.environ if environment is None else environment
        texts = {each: given(each, source) for each in fields(Settings)}
        return Settings(**{each.name: _parse(each, text) for each, text in texts.items() if text is not None})

    def seen_at(self, now: int) -> int:
        """The moment (µs) as of which features are read: now, but for sample data."""
        return now if self.as_of is None else self.as_of

    @property
    def lake_root(self) -> Path:
        """Folder of the lake."""
        return self.home / "lake"

    @property
    def key_file(self) -> Path:
        """Where the master key lies."""
        return self.master_key_file or self.home / "master.key"

    @property
    def signing_key_file(self) -> Path:
        """Where the key lies that signs checkpoints."""
        return self.log_key_file or self.home / "log.key"


def check_names(environment: Mapping[str, str], others: tuple[str, ...] = ()) -> None:
    """Refuse misspelt variables; ``others`` are names that other programs of Yidai read.

    Raises:
        UnknownSetting: the first ``YIDAI_*`` variable that nothing reads.
    """
    known = tuple(name for each in fields(Settings) for name in variables(each)) + others
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            raise UnknownSetting(name, known)


def settings_reference() -> str:
    """The page ``docs/settings.md``; ``python -m serving.settings`` prints it."""
    rows = [
        f"| {' or '.join(f'`{name}`' for name in variables(each))} | {_shown(each.default)} | {each.metadata['about']} |"
        for each in fields(Settings)
    ]
    return "\n".join([_ABOUT, "| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


_ABOUT = """# Settings

Every process and command reads its settings from the environment, once, when it starts. A value that cannot
be read and a `YIDAI_*` variable that nothing reads are refused by name. A secret is given as it is, or by the name of a file that holds it: the variable
that ends in `_FILE`. This page is generated:
`python -m serving.settings > docs/settings.md`.
"""


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "`yes`" if default else "`no`"
    return "" if default in {None, (), ""} else f"`{default}`"


def _parse(each: Field[Any], value: str) -> Any:
    parse = cast("Callable[[str], Any]", each.metadata["parse"])
    try:
        return parse(value)
    except (ValueError, KeyError, Invalid):
        shown = value if each.repr else "(secret)"
        raise WrongSetting(variable_of(each.name), shown, reading.EXPECTED.get(parse, "valid")) from None


if __name__ == "__main__":
    print(settings_reference(), end="")
