"""How the values of settings are read: each raises ``ValueError``, ``KeyError`` or ``Invalid`` where it cannot."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from features.calendar import instant


def text(value: str) -> str:
    return value


def names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def moment(value: str) -> int | None:
    return instant(value) if value else None


def port(value: str) -> int:
    return within(int(value), 1, 65_535)


def count(value: str) -> int:
    return within(int(value), 1, 1_000_000_000)


def seconds(value: str) -> float:
    seconds = float(value)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(value)
    return seconds


def rate(value: str) -> float:
    return seconds(value)


def pause(value: str) -> float:
    return float(within(round(float(value) * 1_000), 0, 600_000)) / 1_000


def log_format(value: str) -> str:
    return {"": "", "json": "json", "text": "text"}[value]


def log_level(value: str) -> str:
    return {name: name for name in ("debug", "info", "warning", "error")}[value]


def flag(value: str) -> bool:
    return {"yes": True, "no": False}[value]


def tenant(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", value):
        raise ValueError(value)
    return value


def origin(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._/-]{0,99}", value):
        raise ValueError(value)
    return value


def origin_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", value):
        raise ValueError(value)
    return value


def within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise ValueError(value)
    return value


EXPECTED: dict[Callable[[str], Any], str] = {
    port: "a port from 1 to 65535",
    origin_url: "an address such as https://yidai.bank.example, without a path",
    count: "a whole number above zero",
    seconds: "a number of seconds above zero",
    rate: "a number of requests a second above zero",
    tenant: "a tenant: a small letter, then at most 31 small letters, digits, _ or -",
    origin: "small letters, digits, dots, slashes and hyphens, such as log.bank.example",
    moment: "an ISO date or date-time",
    flag: "yes or no",
    pause: "a number of seconds from 0 to 600",
    log_format: "json or text",
    log_level: "debug, info, warning or error",
}
